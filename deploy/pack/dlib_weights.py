"""Reads the serialisation format of dlib's neural networks.

Owns the byte encoding and the nesting of layers; which layers a network has is given by the caller, because the file
does not say. The primitives:

- integer: a control byte (low four bits: count of bytes that follow, top bit: negative), then the magnitude, little
  endian;
- float: two integers, mantissa and exponent of two;
- boolean: the character 0 or 1; string: length, bytes;
- tensor: version, four dimensions, raw float32; alias (a window into a tensor): version, four dimensions.
"""

import math

import numpy as np


class Reader:
    """A cursor over the bytes of a file."""

    def __init__(self, data):
        self.data = data
        self.position = 0

    def take(self, count):
        """The next `count` bytes."""
        taken = self.data[self.position : self.position + count]
        if len(taken) != count:
            raise ValueError("the file ends too early")
        self.position += count
        return taken

    def integer(self):
        control = self.take(1)[0]
        count = control & 0x0F
        if not 1 <= count <= 8 or control & 0x70:
            raise ValueError(f"no integer at byte {self.position - 1}")
        magnitude = int.from_bytes(self.take(count), "little")
        return -magnitude if control & 0x80 else magnitude

    def integers(self, count):
        return [self.integer() for _ in range(count)]

    def float(self):
        mantissa, exponent = self.integers(2)
        return math.ldexp(mantissa, exponent)

    def floats(self, count):
        return [self.float() for _ in range(count)]

    def boolean(self):
        character = self.take(1)
        if character not in (b"0", b"1"):
            raise ValueError(f"no boolean at byte {self.position - 1}")
        return character == b"1"

    def string(self):
        return self.take(self.integer()).decode()

    def version(self, *known):
        """A version number, which must be one of those this reader understands."""
        version = self.integer()
        if version not in known:
            raise ValueError(f"version {version} at byte {self.position}, expected one of {known}")
        return version

    def tensor(self):
        self.version(2)
        shape = self.integers(4)
        return np.frombuffer(self.take(4 * math.prod(shape)), "<f4").reshape(shape)

    def alias(self):
        self.version(1)
        return self.integers(4)


def _convolution(reader, tag):
    weights = reader.tensor()
    filters, rows, columns, stride_y, stride_x, pad_y, pad_x = reader.integers(7)
    reader.alias(), reader.alias()
    reader.floats(4)  # learning rate and weight decay multipliers
    has_bias = reader.boolean() if tag in ("con_5", "con_6") else True
    if tag == "con_6" and reader.boolean():
        raise ValueError("a convolution with a fused activation")
    if not has_bias or (stride_y, pad_y, rows) != (stride_x, pad_x, columns):
        raise ValueError("a convolution that is not square or has no bias")
    return {"weights": weights.ravel(), "filters": filters, "kernel": rows, "stride": stride_y, "padding": pad_y}


def _affine(reader, tag):
    weights = reader.tensor()
    reader.alias(), reader.alias()
    reader.integer()  # per channel or per element; the shapes say it too
    if tag == "affine_2":
        reader.boolean()
    return {"weights": weights.ravel()}


def _relu(reader, tag):
    if tag == "relu_2":
        reader.boolean()
    return {}


def _pool(reader, _tag):
    rows, columns, stride_y, stride_x, pad_y, pad_x = reader.integers(6)
    if (rows, stride_y, pad_y) != (columns, stride_x, pad_x):
        raise ValueError("a pool that is not square")
    return {"kernel": rows, "stride": stride_y, "padding": pad_y}


def _fully_connected(reader, tag):
    outputs, inputs = reader.integers(2)
    weights = reader.tensor()
    reader.alias(), reader.alias()
    reader.integer()
    reader.floats(4)
    if tag == "fc_3":
        reader.boolean()
    return {"weights": weights.reshape(inputs, outputs)}


def _add_previous(_reader, _tag):
    return {}


LAYERS = {
    "con_4": ("convolution", _convolution),
    "con_5": ("convolution", _convolution),
    "con_6": ("convolution", _convolution),
    "affine_": ("affine", _affine),
    "affine_2": ("affine", _affine),
    "relu_": ("relu", _relu),
    "relu_2": ("relu", _relu),
    "max_pool_2": ("max_pool", _pool),
    "avg_pool_2": ("average_pool", _pool),
    "fc_2": ("fully_connected", _fully_connected),
    "fc_3": ("fully_connected", _fully_connected),
    "add_prev_": ("add_previous", _add_previous),
}


def _layer(reader, expected):
    """The details of one computational layer."""
    tag = reader.string()
    kind, read = LAYERS.get(tag, (None, None))
    if kind != expected:
        raise ValueError(f"the file has {tag!r} where the network has {expected!r}")
    return {"kind": kind, **read(reader, tag)}


def _input(reader):
    """The input layer: mean colour and side length."""
    if reader.string() != "input_rgb_image_sized":
        raise ValueError("the input is not a picture of fixed size")
    mean = reader.floats(3)
    rows, _columns = reader.integers(2)
    return {"kind": "input", "mean": mean, "side": rows}


def _caches(reader, tensors):
    """What dlib keeps beside each layer's parameters and inference does not need."""
    for _ in range(3):
        reader.boolean()
    for _ in range(tensors):
        reader.tensor()


def read_network(reader, network):
    """Layers from input to output.

    `network` names them from output to input: the kind, or ("tag" | "skip", number). The file nests each layer around
    the ones below it, so versions come from the output inwards and details from the input outwards.
    """
    kind, below = network[0], network[1:]
    if isinstance(kind, tuple):
        reader.version(1)
        return [*read_network(reader, below), {"kind": kind[0], "number": kind[1]}]
    if below == ["input"]:
        version = reader.version(2, 3)
        layers = [_input(reader), _layer(reader, kind)]
        _caches(reader, tensors=3)
        if version == 3:
            reader.integer()
        return layers
    version = reader.version(1, 2)
    layers = [*read_network(reader, below), _layer(reader, kind)]
    _caches(reader, tensors=3 if version == 2 else 2)
    return layers
