"""TensorFlow Lite models to ONNX, without TensorFlow.

Owns the operators that BlazeFace and the 468-point face mesh are made of; any other operator, a fused activation or a
dilation is refused, so a changed model cannot be converted wrongly in silence. TFLite pictures are NHWC. Inside the
ONNX graph, and at its input, they are NCHW; a tensor goes back to NHWC only where TFLite's order of elements shows:
before a reshape and at the outputs.
"""

import numpy as np

from flatbuffer import Table
from onnx_graph import Graph

ELEMENT_TYPES = {0: np.float32, 1: np.float16, 2: np.int32}
PADDING_SAME = 0
TO_NHWC = [0, 2, 3, 1]
OPERATORS = {
    0: "add",
    2: "concatenation",
    3: "convolution",
    4: "depthwise_convolution",
    6: "dequantize",
    17: "max_pool",
    19: "relu",
    22: "reshape",
    34: "pad",
    54: "prelu",
}


class Source:
    """The first subgraph of a TFLite file: shapes, constants and operators."""

    def __init__(self, path):
        with open(path, "rb") as file:
            model = Table.root(file.read())
        subgraph = model.tables(2)[0]
        tensors = subgraph.tables(0)
        # A code above 127 does not fit the old one-byte field; the newer field then holds it.
        codes = [max(code.scalar(0, "b"), code.scalar(3, "i")) for code in model.tables(1)]
        self.shapes = [tensor.integers(0) for tensor in tensors]
        self.names = [tensor.text(3) for tensor in tensors]
        self.inputs, self.outputs = subgraph.integers(1), subgraph.integers(2)
        self.operators = [(codes[operator.scalar(0, "I")], operator) for operator in subgraph.tables(3)]
        self.constants = {}
        buffers = model.tables(4)
        for index, tensor in enumerate(tensors):
            raw = buffers[tensor.scalar(2, "I")].bytes(0)
            if raw:
                array = np.frombuffer(raw, ELEMENT_TYPES[tensor.scalar(1, "b")])
                self.constants[index] = array.reshape(self.shapes[index])


def same_padding(size, kernel, stride):
    """TFLite's SAME padding along one axis: (before, after); the odd pixel goes behind."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def refuse_unless(condition, what):
    """The converter would rather stop than guess."""
    if not condition:
        raise ValueError(f"this converter does not know {what}")


class Conversion:
    """One run: the source, the graph under construction, and which ONNX tensor stands for which TFLite tensor."""

    def __init__(self, source):
        self.source = source
        self.graph = Graph()
        self.tensors = {}
        self.is_picture = {}  # True: NCHW in the graph; False: element order as in TFLite

    def put(self, index, name, picture=True):
        """Records that the ONNX tensor `name` stands for the TFLite tensor `index`."""
        self.tensors[index], self.is_picture[index] = name, picture

    def as_stored(self, index):
        """The tensor in TFLite's own order of elements."""
        name = self.tensors[index]
        return self.graph.node("Transpose", [name], perm=TO_NHWC) if self.is_picture[index] else name

    def window(self, options, index, kernel):
        """Strides and pads of a convolution or a pool over the tensor `index`."""
        _, height, width, _ = self.source.shapes[index]
        stride_x, stride_y = options.scalar(1, "i"), options.scalar(2, "i")
        pads = [0] * 4
        if options.scalar(0, "b") == PADDING_SAME:
            top, bottom = same_padding(height, kernel[0], stride_y)
            left, right = same_padding(width, kernel[1], stride_x)
            pads = [top, left, bottom, right]
        return {"kernel_shape": list(kernel), "strides": [stride_y, stride_x], "pads": pads}

    def convolve(self, inputs, outputs, options, depthwise):
        """Both kinds of convolution; they differ in the order of the weights and of the options."""
        activation, dilations = (4, (5, 6)) if depthwise else (3, (4, 5))
        refuse_unless(options.scalar(activation, "b") == 0, "fused activations")
        refuse_unless(all(options.scalar(field, "i", 1) == 1 for field in dilations), "dilated convolutions")
        x, weight, bias = inputs
        weight = self.source.constants[weight].astype(np.float32)
        weight = weight.transpose(3, 0, 1, 2) if depthwise else weight.transpose(0, 3, 1, 2)
        operands = [
            self.tensors[x],
            self.graph.constant(weight, "w"),
            self.graph.constant(self.source.constants[bias].astype(np.float32), "b"),
        ]
        groups = self.source.shapes[x][3] if depthwise else 1
        window = self.window(options, x, weight.shape[2:])
        self.put(outputs[0], self.graph.node("Conv", operands, dilations=[1, 1], group=groups, **window))

    def convolution(self, inputs, outputs, options):
        self.convolve(inputs, outputs, options, depthwise=False)

    def depthwise_convolution(self, inputs, outputs, options):
        self.convolve(inputs, outputs, options, depthwise=True)

    def dequantize(self, inputs, outputs, _options):
        """Weights stored as float16."""
        self.source.constants[outputs[0]] = self.source.constants[inputs[0]].astype(np.float32)

    def max_pool(self, inputs, outputs, options):
        refuse_unless(options.scalar(5, "b") == 0, "fused activations")
        kernel = (options.scalar(4, "i"), options.scalar(3, "i"))
        window = self.window(options, inputs[0], kernel)
        self.put(outputs[0], self.graph.node("MaxPool", [self.tensors[inputs[0]]], **window))

    def add(self, inputs, outputs, options):
        refuse_unless(options is None or options.scalar(0, "b") == 0, "fused activations")
        refuse_unless(all(self.is_picture.get(index) for index in inputs), "sums of anything but pictures")
        self.put(outputs[0], self.graph.node("Add", [self.tensors[index] for index in inputs]))

    def relu(self, inputs, outputs, _options):
        self.put(outputs[0], self.graph.node("Relu", [self.tensors[inputs[0]]]))

    def prelu(self, inputs, outputs, _options):
        x, slope = inputs
        self.put(outputs[0], self.graph.prelu(self.tensors[x], self.source.constants[slope]))

    def pad(self, inputs, outputs, _options):
        x, amounts = inputs
        refuse_unless(self.is_picture[x], "padding of anything but pictures")
        amounts = self.source.constants[amounts].astype(np.int64)[[0, 3, 1, 2]]
        pads = self.graph.constant(np.concatenate([amounts[:, 0], amounts[:, 1]]))
        self.put(outputs[0], self.graph.node("Pad", [self.tensors[x], pads], mode="constant"))

    def reshape(self, inputs, outputs, _options):
        shape = [0, *self.source.shapes[outputs[0]][1:]]  # 0: the batch, whatever it is
        x = self.as_stored(inputs[0])
        shape = self.graph.constant(np.array(shape, np.int64))
        self.put(outputs[0], self.graph.node("Reshape", [x, shape]), picture=False)

    def concatenation(self, inputs, outputs, options):
        refuse_unless(options.scalar(1, "b") == 0, "fused activations")
        refuse_unless(not any(self.is_picture[index] for index in inputs), "concatenated pictures")
        parts = [self.tensors[index] for index in inputs]
        self.put(outputs[0], self.graph.node("Concat", parts, axis=options.scalar(0, "i")), picture=False)

    def run(self):
        """Converts everything and returns the model."""
        (entry,) = self.source.inputs
        self.put(entry, "input")
        for code, operator in self.source.operators:
            refuse_unless(code in OPERATORS, f"the TFLite operator {code}")
            getattr(self, OPERATORS[code])(operator.integers(1), operator.integers(2), operator.table(4))
        outputs = []
        for index in self.source.outputs:
            name = self.source.names[index]
            self.graph.node("Identity", [self.as_stored(index)], name)
            outputs.append((name, ["N", *self.source.shapes[index][1:]]))
        _, height, width, channels = self.source.shapes[entry]
        inputs = [("input", ["N", channels, height, width])]
        return self.graph.model("from_tflite", inputs, outputs, producer="own tflite converter")


def convert(source):
    """The ONNX model of the TFLite file `source`."""
    return Conversion(Source(source)).run()
