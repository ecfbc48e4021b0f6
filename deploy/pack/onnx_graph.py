"""A small builder for ONNX graphs, shared by every converter of the model pack.

It owns how nodes, constants and the final model are put together, and knows nothing of the formats the weights come
from. Names are counted (`conv7`, `c8`), so the same weights always give the same bytes: the digests in the manifests
depend on that.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 13
IR_VERSION = 8


class Graph:
    """Collects nodes and initialisers; every tensor is known by its name."""

    def __init__(self):
        self.nodes = []
        self.initializers = []
        self.names_given = 0

    def name(self, prefix):
        """A name nobody else in this graph has."""
        self.names_given += 1
        return f"{prefix}{self.names_given}"

    def constant(self, array, prefix="c"):
        """Stores an array in the graph and returns its name."""
        name = self.name(prefix)
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def node(self, operator, inputs, output=None, **attributes):
        """Adds one node and returns the name of its only output."""
        output = output or self.name(operator.lower())
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def conv(self, x, weight, bias, stride=1, padding=0, groups=1):
        """A convolution with square stride and padding."""
        operands = [x, self.constant(weight.astype(np.float32), "w"), self.constant(bias.astype(np.float32), "b")]
        return self.node(
            "Conv",
            operands,
            kernel_shape=list(weight.shape[2:]),
            strides=[stride] * 2,
            pads=[padding] * 4,
            group=groups,
        )

    def prelu(self, x, slope):
        """PRelu written as a*x + (1-a)*relu(x).

        ONNX Runtime's own PRelu kernel breaks the blocked layout of the convolutions around it; this form gives the
        same numbers up to rounding and runs two to three times faster.
        """
        slope = slope.astype(np.float32).reshape(1, -1, 1, 1)
        positive = self.node("Mul", [self.node("Relu", [x]), self.constant(1 - slope)])
        return self.node("Add", [positive, self.node("Mul", [x, self.constant(slope)])])

    def model(self, name, inputs, outputs, producer="own converter"):
        """The checked model. `inputs` and `outputs` are lists of (name, shape); the batch dimension is called N."""
        graph = helper.make_graph(self.nodes, name, _values(inputs), _values(outputs), self.initializers)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name=producer
        )
        onnx.checker.check_model(model)
        return model


def _values(shapes):
    return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes]


def fold_batch_norm(weight, state, norm, bias=0.0, epsilon=1e-5):
    """A convolution and the batch normalisation behind it as one convolution: (weight, bias), computed in float64."""
    gamma, beta, mean, variance = (
        state[f"{norm}.{part}"].astype(np.float64) for part in ("weight", "bias", "running_mean", "running_var")
    )
    factor = gamma / np.sqrt(variance + epsilon)
    folded = weight * factor.reshape(-1, *[1] * (weight.ndim - 1))
    return folded.astype(np.float32), (beta + (bias - mean) * factor).astype(np.float32)
