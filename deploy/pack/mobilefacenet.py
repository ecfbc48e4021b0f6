"""MobileFaceNet of foamliu/MobileFaceNet: PyTorch weights to ONNX.

Input `face`: N x 3 x 112 x 112, RGB, 0..255 (the ImageNet mean and deviation are applied inside the graph).
Output `embedding`: N x 128 features, not normalised.
"""

import numpy as np

import torch_weights
from onnx_graph import Graph, fold_batch_norm

MEAN = np.array([0.485, 0.456, 0.406], np.float32) * 255
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32) * 255
# (expansion, channels, blocks, stride of the first block); the expansion is in the weights' shapes already.
STAGES = [(2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1)]
STEM_CHANNELS = 64


class Network:
    """The graph under construction together with the weights it takes from."""

    def __init__(self, state):
        self.state = state
        self.graph = Graph()

    def conv(self, x, weight, norm, stride=1, padding=0, bias=0.0):
        """A convolution with its batch normalisation folded in, depthwise where the weights say so."""
        weight, bias = fold_batch_norm(self.state[weight], self.state, norm, bias)
        groups = weight.shape[0] if weight.shape[1] == 1 else 1
        return self.graph.conv(x, weight, bias, stride, padding, groups)

    def conv_relu6(self, x, prefix, stride=1, padding=0):
        """Convolution, normalisation, and a clip to 0..6."""
        x = self.conv(x, f"{prefix}.0.weight", f"{prefix}.1", stride, padding)
        return self.graph.node("Clip", [x, self.graph.constant(np.float32(0)), self.graph.constant(np.float32(6))])

    def bottleneck(self, x, prefix, stride, residual):
        """Expand, filter each channel, project."""
        y = self.conv_relu6(x, f"{prefix}.0")
        y = self.conv_relu6(y, f"{prefix}.1", stride, padding=1)
        y = self.conv(y, f"{prefix}.2.weight", f"{prefix}.3")
        return self.graph.node("Add", [x, y]) if residual else y

    def stages(self, x):
        """All bottlenecks in order."""
        index, channels_before = 0, STEM_CHANNELS
        for _, channels, blocks, first_stride in STAGES:
            for block in range(blocks):
                stride = first_stride if block == 0 else 1
                residual = stride == 1 and channels_before == channels
                x = self.bottleneck(x, f"features.{index}.conv", stride, residual)
                index, channels_before = index + 1, channels
        if f"features.{index}.conv.0.0.weight" in self.state:
            raise ValueError("the weights have more blocks than the network")
        return x


def convert(source):
    """The ONNX model of the weights in the file `source`."""
    network = Network(torch_weights.load(source))
    graph, state = network.graph, network.state
    centred = graph.node("Sub", ["face", graph.constant(MEAN.reshape(1, 3, 1, 1))])
    x = graph.node("Mul", [centred, graph.constant((1 / DEVIATION).reshape(1, 3, 1, 1))])
    x = network.conv_relu6(x, "conv1", 2, 1)
    x = graph.node("Relu", [network.conv(x, "dw_conv.depthwise.weight", "dw_conv.bn1", padding=1)])
    x = graph.node("Relu", [network.conv(x, "dw_conv.pointwise.weight", "dw_conv.bn2")])
    x = network.stages(x)
    x = network.conv_relu6(x, "conv2")
    x = network.conv(x, "gdconv.depthwise.weight", "gdconv.bn")
    x = network.conv(x, "conv3.weight", "bn", bias=state["conv3.bias"].astype(np.float64))
    graph.node("Flatten", [x], "embedding", axis=1)
    return graph.model("mobilefacenet_foamliu", [("face", ["N", 3, 112, 112])], [("embedding", ["N", 128])])
