//! Looks into an ONNX file without ONNX Runtime: the few protobuf fields (onnx/onnx.proto) that decide whether a model is
//! self-contained and made of ONNX's own operators only.
//!
//! Invariant: nested graphs are seen as well, and a field that is not declared here cannot make a model look better.

use super::{fault::PackFault, manifest::Input, manifest::Output};
use prost::Message;

#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
    #[prost(message, repeated, tag = "20")]
    training_info: Vec<Ignored>,
    #[prost(message, repeated, tag = "25")]
    functions: Vec<Ignored>,
}

#[derive(Clone, PartialEq, Message)]
struct Ignored {}

#[derive(Clone, PartialEq, Message)]
struct Graph {
    #[prost(message, repeated, tag = "1")]
    node: Vec<Node>,
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<Tensor>,
    #[prost(message, repeated, tag = "11")]
    input: Vec<ValueInfo>,
    #[prost(message, repeated, tag = "12")]
    output: Vec<ValueInfo>,
    #[prost(message, repeated, tag = "15")]
    sparse_initializer: Vec<SparseTensor>,
}

#[derive(Clone, PartialEq, Message)]
struct Node {
    #[prost(message, repeated, tag = "5")]
    attribute: Vec<Attribute>,
    #[prost(string, tag = "7")]
    domain: String,
}

#[derive(Clone, PartialEq, Message)]
struct Attribute {
    #[prost(message, optional, tag = "5")]
    t: Option<Tensor>,
    #[prost(message, optional, tag = "6")]
    g: Option<Graph>,
    #[prost(message, repeated, tag = "10")]
    tensors: Vec<Tensor>,
    #[prost(message, repeated, tag = "11")]
    graphs: Vec<Graph>,
    #[prost(message, optional, tag = "22")]
    sparse_tensor: Option<SparseTensor>,
    #[prost(message, repeated, tag = "23")]
    sparse_tensors: Vec<SparseTensor>,
}

#[derive(Clone, PartialEq, Message)]
struct Tensor {
    #[prost(message, repeated, tag = "13")]
    external_data: Vec<Ignored>,
    #[prost(int32, tag = "14")]
    data_location: i32,
}

#[derive(Clone, PartialEq, Message)]
struct SparseTensor {
    #[prost(message, optional, tag = "1")]
    values: Option<Tensor>,
    #[prost(message, optional, tag = "2")]
    indices: Option<Tensor>,
}

#[derive(Clone, PartialEq, Message)]
struct ValueInfo {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    r#type: Option<Type>,
}

#[derive(Clone, PartialEq, Message)]
struct Type {
    #[prost(message, optional, tag = "1")]
    tensor: Option<TensorType>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorType {
    #[prost(int32, tag = "1")]
    elem_type: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<Shape>,
}

#[derive(Clone, PartialEq, Message)]
struct Shape {
    #[prost(message, repeated, tag = "1")]
    dim: Vec<Dimension>,
}

#[derive(Clone, PartialEq, Message)]
struct Dimension {
    #[prost(int64, tag = "1")]
    value: i64,
}

/// TensorProto.DataType.FLOAT.
const FLOAT: i32 = 1;

/// Refuses a model that is not self-contained, uses operators of other makers, or has another signature.
pub(super) fn inspect(bytes: &[u8], input: &Input, outputs: &[Output]) -> Result<(), PackFault> {
    let model = Model::decode(bytes).map_err(PackFault::NotOnnx)?;
    let graph = model.graph.ok_or(PackFault::Signature)?;
    if !model.functions.is_empty() || !model.training_info.is_empty() {
        return Err(PackFault::ForeignGraph);
    }
    inspect_graph(&graph)?;
    let input_fits = graph.input.iter().any(|v| fits(v, &input.name, &input.shape));
    let output_fits = |o: &Output| graph.output.iter().any(|v| fits(v, &o.name, &o.shape));
    if input_fits && outputs.iter().all(output_fits) { Ok(()) } else { Err(PackFault::Signature) }
}

fn inspect_graph(graph: &Graph) -> Result<(), PackFault> {
    graph.initializer.iter().try_for_each(inspect_tensor)?;
    graph.sparse_initializer.iter().try_for_each(inspect_sparse)?;
    for node in &graph.node {
        if !matches!(node.domain.as_str(), "" | "ai.onnx") {
            return Err(PackFault::CustomOperator);
        }
        for attribute in &node.attribute {
            attribute.t.iter().chain(&attribute.tensors).try_for_each(inspect_tensor)?;
            attribute.sparse_tensor.iter().chain(&attribute.sparse_tensors).try_for_each(inspect_sparse)?;
            attribute.g.iter().chain(&attribute.graphs).try_for_each(inspect_graph)?;
        }
    }
    Ok(())
}

fn inspect_tensor(tensor: &Tensor) -> Result<(), PackFault> {
    let inside = tensor.data_location == 0 && tensor.external_data.is_empty();
    if inside { Ok(()) } else { Err(PackFault::ExternalData) }
}

fn inspect_sparse(tensor: &SparseTensor) -> Result<(), PackFault> {
    tensor.values.iter().chain(&tensor.indices).try_for_each(inspect_tensor)
}

/// A value of this name whose dimensions after the batch are `shape`; a dimension of 0 is left open by the graph.
fn fits(value: &ValueInfo, name: &str, shape: &[usize]) -> bool {
    let Some(tensor) = value.r#type.as_ref().and_then(|t| t.tensor.as_ref()) else { return false };
    let dims = tensor.shape.as_ref().map_or(&[][..], |s| &s.dim);
    let same = |(dim, want): (&Dimension, &usize)| dim.value == 0 || usize::try_from(dim.value) == Ok(*want);
    value.name == name
        && tensor.elem_type == FLOAT
        && dims.len() == shape.len() + 1
        && dims.iter().skip(1).zip(shape).all(same)
}

#[cfg(test)]
pub(super) mod fixture;
