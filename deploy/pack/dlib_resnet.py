"""dlib's face recognition network of 2017 to ONNX.

Input `chip`: N x 3 x 150 x 150, RGB, 0..255 (mean colour and scale are applied inside the graph). Output `embedding`:
N x 128 features, to be compared by Euclidean distance. Affine layers, which is what batch normalisation becomes after
training, are folded into the convolutions before them.
"""

import numpy as np

import dlib_weights
from onnx_graph import Graph

PRODUCER = "own dlib converter"
BLOCK = ["affine", "convolution", "relu", "affine", "convolution"]
RESIDUAL = ["relu", "add_previous", *BLOCK, ("tag", 1)]
# Halves the picture; the untouched branch is pooled to the same size.
RESIDUAL_DOWN = ["relu", "add_previous", "average_pool", ("skip", 1), ("tag", 2), *BLOCK, ("tag", 1)]
# From output to input, which is the order of the file.
NETWORK = [
    *["fully_connected", "average_pool"],
    *RESIDUAL_DOWN,
    *[*RESIDUAL * 2, *RESIDUAL_DOWN],
    *[*RESIDUAL * 2, *RESIDUAL_DOWN],
    *[*RESIDUAL * 3, *RESIDUAL_DOWN],
    *RESIDUAL * 3,
    *["max_pool", "relu", "affine", "convolution", "input"],
]


def read(path):
    """The layers of the network from input to output."""
    with open(path, "rb") as file:
        reader = dlib_weights.Reader(file.read())
    reader.version(1)
    if reader.string() == "loss_metric_2":
        reader.floats(2)  # margin and distance threshold of the training loss
    layers = dlib_weights.read_network(reader, NETWORK)
    if reader.position != len(reader.data):
        raise ValueError("bytes behind the last layer")
    return layers


class Place:
    """A tensor and its shape: name, channels and side length."""

    def __init__(self, name, channels, side):
        self.name, self.channels, self.side = name, channels, side


class Conversion:
    """Builds the graph layer by layer; `here` is the output of the last one."""

    def __init__(self, entry):
        self.graph = Graph()
        self.here = Place(self.normalise(entry), 3, entry["side"])
        self.tags = {}
        self.latest_tag = None

    def named(self, prefix, operator, operands, **attributes):
        """A node whose output is named before its constants are: `operands` is called in between."""
        output = self.graph.name(prefix)
        return self.graph.node(operator, operands(), output, **attributes)

    def normalise(self, entry):
        """(pixel - mean) / 256."""
        mean = np.array(entry["mean"], np.float32).reshape(1, 3, 1, 1)
        factor = np.float32(1 / 256).reshape(1)
        centred = self.named("t", "Sub", lambda: ["chip", self.graph.constant(mean, "w")])
        return self.named("t", "Mul", lambda: [centred, self.graph.constant(factor, "w")])

    def convolution(self, layer, affine):
        """A convolution and the affine layer behind it as one."""
        filters, kernel = layer["filters"], layer["kernel"]
        split = filters * self.here.channels * kernel * kernel
        weight = layer["weights"][:split].reshape(filters, self.here.channels, kernel, kernel)
        gain, offset = affine["weights"][:filters], affine["weights"][filters:]
        folded = (weight.astype(np.float64) * gain.reshape(-1, 1, 1, 1)).astype(np.float32)
        bias = (layer["weights"][split:].astype(np.float64) * gain + offset).astype(np.float32)
        x = self.here.name
        name = self.named(
            "conv",
            "Conv",
            lambda: [x, self.graph.constant(folded, "w"), self.graph.constant(bias, "b")],
            **window(layer),
        )
        self.here = Place(name, filters, side_after(self.here.side, layer))

    def relu(self, _layer):
        self.here = Place(self.graph.node("Relu", [self.here.name]), self.here.channels, self.here.side)

    def max_pool(self, layer):
        name = self.graph.node("MaxPool", [self.here.name], self.graph.name("max_pool"), **window(layer))
        self.here = Place(name, self.here.channels, side_after(self.here.side, layer))

    def average_pool(self, layer):
        """A kernel of 0 means the whole picture."""
        output = self.graph.name("avg_pool")
        if layer["kernel"] == 0:
            self.graph.node("GlobalAveragePool", [self.here.name], output)
            self.here = Place(output, self.here.channels, 1)
        else:
            self.graph.node("AveragePool", [self.here.name], output, **window(layer))
            self.here = Place(output, self.here.channels, side_after(self.here.side, layer))

    def tag(self, layer):
        self.tags[layer["number"]] = self.here
        self.latest_tag = layer["number"]

    def skip(self, layer):
        self.here = self.tags[layer["number"]]

    def add_previous(self, _layer):
        """dlib adds tensors of different shapes by padding both with zeros to the larger."""
        other = self.tags[self.latest_tag]
        channels, side = max(self.here.channels, other.channels), max(self.here.side, other.side)
        addends = [self.padded(self.here, channels, side), self.padded(other, channels, side)]
        self.here = Place(self.graph.node("Add", addends), channels, side)

    def padded(self, place, channels, side):
        if (place.channels, place.side) == (channels, side):
            return place.name
        more = side - place.side
        pads = np.array([0, 0, 0, 0, 0, channels - place.channels, more, more], np.int64)
        return self.named("pad", "Pad", lambda: [place.name, self.graph.constant(pads, "p")], mode="constant")

    def fully_connected(self, layer):
        flat = self.graph.node("Flatten", [self.here.name], self.graph.name("flat"), axis=1)
        weight = self.graph.constant(layer["weights"], "w")
        self.here = Place(self.graph.node("MatMul", [flat, weight], "embedding"), layer["weights"].shape[1], 1)


def window(layer):
    """Kernel, strides and pads as ONNX attributes."""
    return {
        "kernel_shape": [layer["kernel"]] * 2,
        "strides": [layer["stride"]] * 2,
        "pads": [layer["padding"]] * 4,
    }


def side_after(side, layer):
    """Side length behind a convolution or a pool."""
    return (side + 2 * layer["padding"] - layer["kernel"]) // layer["stride"] + 1


def convert(source):
    """The ONNX model of the dlib file `source`."""
    entry, *layers = read(source)
    conversion = Conversion(entry)
    for layer, following in zip(layers, [*layers[1:], None]):
        if layer["kind"] == "convolution":
            if following["kind"] != "affine":
                raise ValueError("a convolution without an affine layer behind it")
            conversion.convolution(layer, following)
        elif layer["kind"] != "affine":
            getattr(conversion, layer["kind"])(layer)
    side = entry["side"]
    return conversion.graph.model(
        "dlib_face_recognition_resnet_v1",
        [("chip", ["N", 3, side, side])],
        [("embedding", ["N", conversion.here.channels])],
        producer=PRODUCER,
    )
