"""MiniFASNet of minivision-ai/Silent-Face-Anti-Spoofing (V2 and V1SE): PyTorch weights to ONNX.

Input `input`: N x 3 x 80 x 80, BGR, 0..255. Output `prob`: N x 3 probabilities; class 1 is bona fide.
"""

import numpy as np

import torch_weights
from onnx_graph import Graph, fold_batch_norm


class Network:
    """The graph under construction together with the weights it takes from."""

    def __init__(self, state):
        self.state = state
        self.graph = Graph()

    def block(self, x, prefix, stride=1, padding=0, activate=True):
        """Convolution and normalisation, with PRelu unless the block is linear."""
        weight, bias = fold_batch_norm(self.state[f"{prefix}.conv.weight"], self.state, f"{prefix}.bn")
        depthwise = weight.shape[1] == 1 and weight.shape[0] > 1 and weight.shape[2] > 1
        x = self.graph.conv(x, weight, bias, stride, padding, weight.shape[0] if depthwise else 1)
        return self.graph.prelu(x, self.state[f"{prefix}.prelu.weight"]) if activate else x

    def squeeze(self, x, prefix, number):
        """One of the two 1 x 1 convolutions of a squeeze-and-excitation gate."""
        weight, bias = fold_batch_norm(
            self.state[f"{prefix}.fc{number}.weight"], self.state, f"{prefix}.bn{number}"
        )
        return self.graph.conv(x, weight, bias)

    def gate(self, x, prefix):
        """Squeeze-and-excitation: scales each channel by what the whole picture says about it."""
        weight = self.graph.node("GlobalAveragePool", [x])
        weight = self.graph.node("Relu", [self.squeeze(weight, prefix, 1)])
        weight = self.graph.node("Sigmoid", [self.squeeze(weight, prefix, 2)])
        return self.graph.node("Mul", [x, weight])

    def depthwise(self, x, prefix, stride, residual):
        """Expand, filter each channel, project; some residual blocks are gated."""
        y = self.block(x, f"{prefix}.conv")
        y = self.block(y, f"{prefix}.conv_dw", stride, padding=1)
        y = self.block(y, f"{prefix}.project", activate=False)
        if not residual:
            return y
        if f"{prefix}.se_module.fc1.weight" in self.state:
            y = self.gate(y, f"{prefix}.se_module")
        return self.graph.node("Add", [x, y])

    def residuals(self, x, prefix):
        """As many residual blocks as the weights have."""
        index = 0
        while f"{prefix}.model.{index}.conv.conv.weight" in self.state:
            x = self.depthwise(x, f"{prefix}.model.{index}", 1, True)
            index += 1
        return x


def convert(source):
    """The ONNX model of the weights in the file `source`."""
    network = Network(torch_weights.load(source))
    graph, state = network.graph, network.state
    x = network.block("input", "conv1", 2, 1)
    x = network.block(x, "conv2_dw", 1, 1)
    for shrink, stage in (("conv_23", "conv_3"), ("conv_34", "conv_4"), ("conv_45", "conv_5")):
        x = network.depthwise(x, shrink, 2, False)
        x = network.residuals(x, stage)
    x = network.block(x, "conv_6_sep")
    x = network.block(x, "conv_6_dw", activate=False)
    x = graph.node("Flatten", [x], axis=1)
    weight, bias = fold_batch_norm(state["linear.weight"], state, "bn")
    x = graph.node("Gemm", [x, graph.constant(weight), graph.constant(bias)], transB=1)
    x = graph.node("Gemm", [x, graph.constant(state["prob.weight"].astype(np.float32))], transB=1)
    graph.node("Softmax", [x], "prob", axis=1)
    side = state["conv_6_dw.conv.weight"].shape[2] * 16
    classes = state["prob.weight"].shape[0]
    return graph.model("minifasnet", [("input", ["N", 3, side, side])], [("prob", ["N", classes])])
