"""A small convolutional network and its gradients in numpy, so that training needs nothing but numpy.

It owns the layers, forwards and backwards, and the optimiser. It knows nothing of faces or files. Arrays are float32,
N x height x width x channels. Equal inputs give equal bits: sums run in the fixed order of numpy and of one BLAS thread.
"""

import numpy as np

EPSILON = 1e-5


class Convolution:
    """A 3 x 3 convolution without bias, padded by one pixel."""

    def __init__(self, random, inputs, outputs, stride):
        self.stride = stride
        deviation = np.sqrt(2.0 / (9 * inputs))
        self.weight = (random.standard_normal((9 * inputs, outputs)) * deviation).astype(np.float32)
        self.parameters = ["weight"]
        self.decayed = ["weight"]

    def forward(self, x, training):
        """Each output pixel sees its nine neighbours, laid out as one row of a matrix."""
        count, height, width, channels = x.shape
        stride = self.stride
        across, down = (width + stride - 1) // stride, (height + stride - 1) // stride
        padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
        rows = np.empty((count, down, across, 9, channels), np.float32)
        for k, window in enumerate(self._windows(padded, down, across)):
            rows[:, :, :, k] = window
        rows = rows.reshape(-1, 9 * channels)
        if training:
            self.rows, self.shapes = rows, (padded.shape, count, down, across, channels)
        return (rows @ self.weight).reshape(count, down, across, -1)

    def backward(self, gradient, needed=True):
        """Gradients of the weight and, if `needed`, of the input."""
        padded, count, down, across, channels = self.shapes
        gradient = gradient.reshape(-1, gradient.shape[-1])
        self.weight_gradient = self.rows.T @ gradient
        if not needed:
            return None
        rows = (gradient @ self.weight.T).reshape(count, down, across, 9, channels)
        back = np.zeros(padded, np.float32)
        for k, window in enumerate(self._windows(back, down, across)):
            window += rows[:, :, :, k]
        return back[:, 1:-1, 1:-1]

    def _windows(self, padded, down, across):
        stride = self.stride
        for y in range(3):
            for x in range(3):
                yield padded[:, y : y + stride * (down - 1) + 1 : stride, x : x + stride * (across - 1) + 1 : stride]


class Normalisation:
    """Batch normalisation (Ioffe and Szegedy 2015) and a rectifier behind it."""

    def __init__(self, channels):
        self.gain = np.ones(channels, np.float32)
        self.offset = np.zeros(channels, np.float32)
        self.mean = np.zeros(channels, np.float32)
        self.variance = np.ones(channels, np.float32)
        self.parameters = ["gain", "offset"]
        self.decayed = []

    def forward(self, x, training):
        """Uses the batch's own moments while training, and the running ones afterwards."""
        flat = x.reshape(-1, x.shape[-1])
        if training:
            mean, variance = flat.mean(0), flat.var(0)
            self.mean += 0.05 * (mean - self.mean)
            self.variance += 0.05 * (variance - self.variance)
        else:
            mean, variance = self.mean, self.variance
        scale = 1 / np.sqrt(variance + EPSILON)
        normal = (flat - mean) * scale
        y = np.maximum(normal * self.gain + self.offset, 0)
        if training:
            self.kept = normal, scale, y > 0
        return y.reshape(x.shape)

    def backward(self, gradient):
        """Through the rectifier, then through the moments."""
        normal, scale, active = self.kept
        flat = gradient.reshape(-1, gradient.shape[-1]) * active
        self.offset_gradient = flat.sum(0)
        self.gain_gradient = (flat * normal).sum(0)
        flat = flat - self.offset_gradient / len(flat) - normal * (self.gain_gradient / len(flat))
        return (flat * (self.gain * scale)).reshape(gradient.shape)


class Head:
    """The mean and the maximum over the map, then one linear layer."""

    def __init__(self, random, inputs, classes):
        self.weight = (random.standard_normal((2 * inputs, classes)) * 0.02).astype(np.float32)
        self.bias = np.zeros(classes, np.float32)
        self.parameters = ["weight", "bias"]
        self.decayed = ["weight"]

    def forward(self, x, training):
        """Logits."""
        count, down, across, channels = x.shape
        flat = x.reshape(count, down * across, channels)
        best = flat.argmax(1)
        most = np.take_along_axis(flat, best[:, None], 1)[:, 0]
        pooled = np.concatenate([flat.mean(1), most], 1)
        if training:
            self.kept = pooled, best, x.shape
        return pooled @ self.weight + self.bias

    def backward(self, gradient):
        """To every pixel its share of the mean, and to the largest its own."""
        pooled, best, shape = self.kept
        count, down, across, channels = shape
        self.weight_gradient = pooled.T @ gradient
        self.bias_gradient = gradient.sum(0)
        back = gradient @ self.weight.T
        mean, most = back[:, :channels] / (down * across), back[:, channels:]
        flat = np.repeat(mean[:, None], down * across, 1)
        np.put_along_axis(flat, best[:, None], np.take_along_axis(flat, best[:, None], 1) + most[:, None], 1)
        return flat.reshape(shape)


class Network:
    """Convolutions that halve the map again and again, and a head."""

    def __init__(self, random, plan):
        self.layers = []
        inputs = 3
        for outputs, stride in plan:
            self.layers += [Convolution(random, inputs, outputs, stride), Normalisation(outputs)]
            inputs = outputs
        self.layers.append(Head(random, inputs, 2))

    def forward(self, x, training=False):
        """Logits of a batch."""
        for layer in self.layers:
            x = layer.forward(x, training)
        return x

    def backward(self, gradient):
        """Leaves a gradient beside every parameter."""
        for layer in reversed(self.layers[1:]):
            gradient = layer.backward(gradient)
        self.layers[0].backward(gradient, needed=False)


class Optimiser:
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    def __init__(self, network, decay):
        self.decay = decay
        self.steps = 0
        self.slots = [
            (layer, name, np.zeros_like(getattr(layer, name)), np.zeros_like(getattr(layer, name)))
            for layer in network.layers
            for name in layer.parameters
        ]

    def step(self, rate):
        """Moves every parameter once."""
        self.steps += 1
        first, second = 1 - 0.9**self.steps, 1 - 0.999**self.steps
        for layer, name, mean, square in self.slots:
            gradient, value = getattr(layer, f"{name}_gradient"), getattr(layer, name)
            mean += np.float32(0.1) * (gradient - mean)
            square += np.float32(0.001) * (gradient * gradient - square)
            if name in layer.decayed:
                value -= np.float32(rate * self.decay) * value
            value -= np.float32(rate / first) * mean / (np.sqrt(square / np.float32(second)) + np.float32(1e-8))


def loss(logits, targets):
    """Mean cross entropy against target probabilities, and its gradient."""
    shifted = logits - logits.max(1, keepdims=True)
    odds = np.exp(shifted)
    probabilities = odds / odds.sum(1, keepdims=True)
    value = -(targets * np.log(probabilities + 1e-9)).sum(1).mean()
    return float(value), ((probabilities - targets) / len(logits)).astype(np.float32)
