"""Quantises MobileFaceNet to int8 (QDQ form): weights per output channel, activations per tensor.

Weights need nothing but themselves. The scale of an activation needs faces: it was measured once, on aligned
development faces, and the outcome is committed beside this file as numbers (`mobilefacenet_int8_ranges.json`), so that
anybody gets the same bytes from the same weights without a single picture. Layout and names follow ONNX Runtime's own
static quantiser (weights symmetric in -127..127, activations unsigned with a zero point, biases int32 at the product
of both scales); a Clip or Relu behind a convolution disappears, because the range of the quantised output already
clips.
"""

import json
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RANGES = pathlib.Path(__file__).with_name("mobilefacenet_int8_ranges.json")
# What ONNX Runtime's quantiser writes into every model; none of these domains is used by a node.
DOMAINS = [
    ("", 13),
    ("ai.onnx.ml", 5),
    ("ai.onnx.training", 1),
    ("ai.onnx.preview", 1),
    ("com.microsoft", 1),
    ("ai.onnx.preview.training", 1),
    ("com.microsoft.experimental", 1),
    ("com.microsoft.nchwc", 1),
    ("org.pytorch.aten", 1),
]
METADATA = {"onnx.infer": "onnxruntime.quant", "onnx.quant.pre_process": "onnxruntime.quant"}
CLIPPING = ("Clip", "Relu")
CONVOLUTION = ("pads", "kernel_shape", "strides", "group")  # attributes in ONNX Runtime's order


def unnamed(operator, inputs, output, **attributes):
    """A node whose name is present and empty, as ONNX Runtime writes it: a matter of bytes, not of meaning."""
    node = helper.make_node(operator, inputs, [output], **attributes)
    node.name = ""
    return node


class Quantisation:
    """One run: the float graph, the scale of every activation, and the parts of the quantised graph."""

    def __init__(self, model, ranges):
        self.source = model.graph
        self.constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in self.source.initializer}
        self.ranges = {name: (np.float32(entry["scale"]), entry["zero_point"]) for name, entry in ranges.items()}
        self.kept, self.quantised, self.biases = [], [], []
        self.restored, self.nodes = [], []
        self.stands_for = {}  # float tensor -> the dequantised tensor that replaces it

    def activation(self, name, produced, result=None):
        """Rounds the tensor `produced` to the range of `name` and back; `result` is the name afterwards."""
        ends = [f"{name}_scale", f"{name}_zero_point"]
        label = result or name
        rounded = f"{label}_QuantizeLinear_Output"
        result = result or f"{name}_DequantizeLinear_Output"
        self.nodes += [
            helper.make_node("QuantizeLinear", [produced, *ends], [rounded], f"{label}_QuantizeLinear"),
            helper.make_node("DequantizeLinear", [rounded, *ends], [result], f"{label}_DequantizeLinear"),
        ]
        return result

    def activation_scale(self, name):
        """Stores the scale and zero point of an activation."""
        scale, zero_point = self.ranges[name]
        self.quantised += [
            helper.make_tensor(f"{name}_zero_point", TensorProto.UINT8, [], [zero_point]),
            helper.make_tensor(f"{name}_scale", TensorProto.FLOAT, [], [scale]),
        ]

    def restore(self, name, result, **attributes):
        """A DequantizeLinear node for a stored constant."""
        inputs = [f"{name}_quantized", f"{name}_scale", f"{name}_zero_point"]
        self.restored.append(
            helper.make_node("DequantizeLinear", inputs, [result], f"{name}_DequantizeLinear", **attributes)
        )
        return result

    def unsigned_constant(self, name):
        """A positive constant operand, stored in eight bits like an activation."""
        array = self.constants[name]
        scale = np.float32(array.max() / np.float32(255))
        self.quantised += [
            helper.make_tensor(f"{name}_zero_point", TensorProto.UINT8, [], [0]),
            helper.make_tensor(f"{name}_scale", TensorProto.FLOAT, [], [scale]),
            numpy_helper.from_array(np.rint(array / scale).astype(np.uint8), f"{name}_quantized"),
        ]
        return self.restore(name, f"{name}_DequantizeLinear_Output")

    def weight(self, name):
        """A convolution's weight, one scale per output channel. Returns the scales and the dequantised name."""
        array = self.constants[name]
        channels = array.shape[0]
        scale = np.abs(array.reshape(channels, -1)).max(1) / np.float32(127)
        rounded = np.rint(array / scale.reshape(-1, 1, 1, 1)).clip(-127, 127).astype(np.int8)
        self.quantised += [
            helper.make_tensor(f"{name}_zero_point", TensorProto.INT8, [channels], np.zeros(channels, np.int8)),
            helper.make_tensor(f"{name}_scale", TensorProto.FLOAT, [channels], scale),
            numpy_helper.from_array(rounded, f"{name}_quantized"),
        ]
        return scale, self.restore(name, f"{name}_DequantizeLinear_Output", axis=0)

    def bias(self, name, scale):
        """A convolution's bias as int32 at the scale of its products."""
        rounded = np.rint(self.constants[name].astype(np.float64) / scale).astype(np.int32)
        self.biases += [
            numpy_helper.from_array(rounded, f"{name}_quantized"),
            numpy_helper.from_array(scale, f"{name}_quantized_scale"),
            numpy_helper.from_array(np.zeros(scale.size, np.int32), f"{name}_quantized_zero_point"),
        ]
        inputs = [f"{name}_quantized", f"{name}_quantized_scale", f"{name}_quantized_zero_point"]
        self.restored.append(
            helper.make_node("DequantizeLinear", inputs, [name], f"{name}_DequantizeLinear", axis=0)
        )

    def convolution(self, node, output):
        """A convolution; `output` is the tensor behind it and, if it has one, its clip."""
        x, weight, bias = node.input
        clipped = output != node.output[0]
        if not clipped:
            self.activation_scale(output)
        weight_scale, weight = self.weight(weight)
        if clipped:
            self.activation_scale(output)
        self.bias(bias, weight_scale * self.ranges[x][0])
        attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
        quantised = unnamed("Conv", [self.stands_for[x], weight, bias], output)
        for name, value in [("auto_pad", "NOTSET"), *((name, attributes[name]) for name in CONVOLUTION)]:
            quantised.attribute.append(helper.make_attribute(name, value))
        self.nodes.append(quantised)

    def arithmetic(self, node):
        """Sub, Mul and Add: constant operands become eight-bit ones, except those beside the graph's input."""
        operands = []
        for name in node.input:
            if name in self.constants and node.input[0] not in self.stands_for:
                self.kept.append(numpy_helper.from_array(self.constants[name], name))
            elif name in self.constants:
                self.stands_for[name] = self.unsigned_constant(name)
            operands.append(self.stands_for.get(name, name))
        self.activation_scale(node.output[0])
        self.nodes.append(unnamed(node.op_type, operands, node.output[0]))

    def run(self):
        """Walks the float graph in order."""
        following = {name: node for node in self.source.node for name in node.input[:1] if node.op_type in CLIPPING}
        for node in self.source.node:
            output = node.output[0]
            if node.op_type in CLIPPING:
                continue
            if node.op_type == "Flatten":
                # Moves no number, so the output keeps the scale of the input.
                before = node.input[0]
                produced = f"{output}_QuantizeLinear_Input"
                self.nodes.append(unnamed("Flatten", [self.stands_for[before]], produced, axis=1))
                self.activation(before, produced, result=output)
                continue
            if node.op_type == "Conv":
                output = following[output].output[0] if output in following else output
                self.convolution(node, output)
            else:
                self.arithmetic(node)
            self.stands_for[output] = self.activation(output, output)

    def ordered_nodes(self):
        """ONNX Runtime's order: restored constants by name first, the subtraction of the mean among them."""
        biases = [node for node in self.restored if node.output[0].startswith("b")]
        others = [node for node in self.restored if not node.output[0].startswith("b")]
        by_name = lambda node: node.name
        biases, others = sorted(biases, key=by_name), sorted(others, key=by_name)
        return [*biases, others[0], self.nodes[0], *others[1:], *self.nodes[1:]]


def convert(source):
    """The int8 model of the float MobileFaceNet in the file `source`."""
    model = onnx.load(source)
    with open(RANGES, encoding="utf-8") as file:
        quantisation = Quantisation(model, json.load(file))
    quantisation.run()
    shapes = onnx.shape_inference.infer_shapes(model).graph.value_info
    graph = helper.make_graph(
        quantisation.ordered_nodes(),
        model.graph.name,
        model.graph.input,
        model.graph.output,
        [*quantisation.kept, *quantisation.quantised, *quantisation.biases],
        value_info=shapes,
    )
    graph.doc_string = ""
    domains = [helper.make_opsetid(domain, version) for domain, version in DOMAINS]
    quantised = helper.make_model(
        graph,
        opset_imports=domains,
        ir_version=model.ir_version,
        producer_name="onnx.quantize",
        producer_version="0.1.0",
    )
    helper.set_model_props(quantised, METADATA)
    return quantised
