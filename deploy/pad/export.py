"""The trained network as an ONNX model, its weights in half precision.

Input `input`: N x 3 x side x side, RGB, (pixel - 127.5) / 64. Output `logits`: N x 2; class 1 is bona fide.
"""

import pathlib
import sys

import numpy as np

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "pack"))
from onnx_graph import Graph

from network import EPSILON


class HalfGraph(Graph):
    """Keeps weights as half precision numbers and widens them when the model is loaded."""

    def constant(self, array, prefix="c"):
        """Stores the array in half precision and returns the name of its single precision twin."""
        if array.ndim < 2:
            return super().constant(array, prefix)
        stored = super().constant(array.astype(np.float16), prefix)
        return self.node("Cast", [stored], to=1)


def model(network, side):
    """The serialised model; normalisation is folded into the convolutions."""
    graph, x, *layers = HalfGraph(), "input", *network.layers
    while len(layers) > 1:
        convolution, norm, *layers = layers
        scale = norm.gain / np.sqrt(norm.variance + EPSILON)
        weight = (convolution.weight * scale).reshape(3, 3, -1, len(scale)).transpose(3, 2, 0, 1)
        bias = norm.offset - norm.mean * scale
        stride = convolution.stride
        x = graph.node("Relu", [conv(graph, x, (weight, bias), stride)])
    mean, most = graph.node("GlobalAveragePool", [x]), graph.node("GlobalMaxPool", [x])
    x = graph.node("Flatten", [graph.node("Concat", [mean, most], axis=1)], axis=1)
    head = layers[0]
    graph.node("Gemm", [x, graph.constant(head.weight), graph.constant(head.bias)], "logits")
    made = graph.model("countersign_pad", [("input", ["N", 3, side, side])], [("logits", ["N", 2])])
    return made.SerializeToString(deterministic=True)


def conv(graph, x, folded, stride):
    """The convolution as it was trained: windows begin one pixel outside, whatever the stride."""
    weight, bias = folded
    operands = [x, graph.constant(weight, "w"), graph.constant(bias.astype(np.float32), "b")]
    return graph.node("Conv", operands, kernel_shape=[3, 3], strides=[stride] * 2, pads=[1, 1, 1, 1])
