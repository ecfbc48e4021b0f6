//! Empty models with chosen signatures and flaws, for tests.

use super::{
    Attribute, Dimension, FLOAT, Graph, Ignored, Message, Model, Node, Shape, SparseTensor, Tensor, TensorType, Type,
    ValueInfo,
};

/// What is wrong with a model.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Flaw {
    None,
    ExternalInitializer,
    ExternalLocation,
    ExternalInSubgraph,
    ExternalSparse,
    CustomOperator,
    CustomInSubgraph,
    Function,
}

fn value(name: &str, shape: &[i64]) -> ValueInfo {
    // The batch dimension is left open.
    let dim = std::iter::once(0).chain(shape.iter().copied()).map(|value| Dimension { value }).collect();
    let tensor = TensorType { elem_type: FLOAT, shape: Some(Shape { dim }) };
    ValueInfo { name: name.to_owned(), r#type: Some(Type { tensor: Some(tensor) }) }
}

/// A model with one input `in` and the named outputs.
pub(crate) fn model(input: &[i64], outputs: &[(&str, &[i64])], flaw: Flaw) -> Vec<u8> {
    let external = Tensor { external_data: vec![Ignored {}], data_location: 1 };
    let node = |attribute: Vec<Attribute>, domain: &str| Node { attribute, domain: domain.to_owned() };
    let nested = |graph: Graph| Attribute { g: Some(graph), ..Attribute::default() };
    let mut graph = Graph {
        node: vec![node(Vec::new(), ""), node(Vec::new(), "ai.onnx")],
        initializer: vec![Tensor::default()],
        input: vec![value("in", input)],
        output: outputs.iter().map(|(name, shape)| value(name, shape)).collect(),
        sparse_initializer: Vec::new(),
    };
    let mut functions = Vec::new();
    match flaw {
        Flaw::None => {}
        Flaw::ExternalInitializer => graph.initializer.push(Tensor { data_location: 0, ..external }),
        Flaw::ExternalLocation => graph.initializer.push(Tensor { external_data: Vec::new(), ..external }),
        Flaw::ExternalInSubgraph => {
            let tensor = Attribute { tensors: vec![external], ..Attribute::default() };
            let inner = Graph { node: vec![node(vec![tensor], "")], ..Graph::default() };
            graph.node.push(node(vec![nested(inner)], ""));
        }
        Flaw::ExternalSparse => {
            graph.sparse_initializer.push(SparseTensor { values: None, indices: Some(external) });
        }
        Flaw::CustomOperator => graph.node.push(node(Vec::new(), "com.microsoft")),
        Flaw::CustomInSubgraph => {
            let inner = Graph { node: vec![node(Vec::new(), "evil")], ..Graph::default() };
            let attribute = Attribute { graphs: vec![Graph::default(), inner], ..Attribute::default() };
            graph.node.push(node(vec![attribute], ""));
        }
        Flaw::Function => functions.push(Ignored {}),
    }
    Model { graph: Some(graph), training_info: Vec::new(), functions }.encode_to_vec()
}
