"""Trains the presentation attack detector on rendered views: train.py DATA OUT

DATA holds what `presentation_views` rendered: `views.bin` (bytes, count x side x side x RGB) and `rows.tsv` (one line a
view: person, species, part). OUT becomes an ONNX model. Prints a line of JSON with the figures on people who were not
trained on. Equal data give equal weights, bit by bit, on every x86-64 machine with AVX2: one thread, fixed kernels.
"""

import os

# Before numpy is loaded: one order of summation everywhere.
os.environ.update(OPENBLAS_NUM_THREADS="1", OPENBLAS_CORETYPE="Haswell", NPY_DISABLE_CPU_FEATURES="X86_V4 AVX512_ICL AVX512_SPR")

import json
import pathlib
import sys
import time

import numpy as np

import export
import network

SEED = 20_260_101
SIDE = 96
PLAN = [(12, 2), (24, 2), (32, 2), (32, 1), (48, 2)]
BATCH = 64
EPOCHS = 12
RATE = 2e-3
DECAY = 2e-2
# Nothing is ever certain: keeps log-odds in the range of other detectors.
SMOOTHING = 0.02


class Views:
    """Views with what they show: label 1 is bona fide."""

    def __init__(self, folder):
        rows = [line.split("\t") for line in (folder / "rows.tsv").read_text().splitlines()]
        self.people = np.array([row[0] for row in rows])
        self.species = np.array([row[1] for row in rows])
        self.parts = np.array([row[2] for row in rows])
        pixels = np.fromfile(folder / "views.bin", np.uint8)
        side = int(round((len(pixels) / len(rows) / 3) ** 0.5))
        self.pixels = pixels.reshape(len(rows), side, side, 3)
        self.labels = (self.species == "bona_fide").astype(np.int64)

    def part(self, name):
        """Indices of the views of one part."""
        return np.flatnonzero(self.parts == name)


def centre(pixels):
    """The middle of each view, as the model is fed."""
    margin = (pixels.shape[1] - SIDE) // 2
    return scale(pixels[:, margin : margin + SIDE, margin : margin + SIDE])


def scale(pixels):
    """Bytes as numbers around zero."""
    return (pixels.astype(np.float32) - np.float32(127.5)) * np.float32(1 / 64)


def augment(random, pixels):
    """Other crops, mirror images, exposures, colour casts, contrasts and noises of the same views."""
    count, side = len(pixels), pixels.shape[1]
    out = np.empty((count, SIDE, SIDE, 3), np.float32)
    for i, picture in enumerate(pixels):
        y, x = random.integers(0, side - SIDE + 1, 2)
        picture = picture[y : y + SIDE, x : x + SIDE]
        out[i] = picture[:, ::-1] if random.random() < 0.5 else picture
    gain = np.exp2(random.uniform(-0.5, 0.4, (count, 1, 1, 1)))
    cast = np.exp2(random.uniform(-0.2, 0.2, (count, 1, 1, 3)) * (random.random((count, 1, 1, 1)) < 0.7))
    contrast = random.uniform(0.8, 1.2, (count, 1, 1, 1))
    offset = random.uniform(-12, 12, (count, 1, 1, 1))
    noise = random.uniform(0, 3, (count, 1, 1, 1)).astype(np.float32)
    out = (out - 127.5) * contrast.astype(np.float32) + np.float32(127.5)
    out = out * (gain * cast).astype(np.float32) + offset.astype(np.float32)
    out += noise * random.standard_normal(out.shape, np.float32)
    return (np.clip(out, 0, 255) - np.float32(127.5)) * np.float32(1 / 64)


def balanced(random, views, indices):
    """One epoch: as many bona fide views as attacks, and as many of every species."""
    species = sorted(set(views.species[indices]) - {"bona_fide"})
    genuine = indices[views.labels[indices] == 1]
    attacks = [indices[views.species[indices] == name] for name in species]
    share = -(-len(genuine) // len(species))
    drawn = [random.choice(group, share, replace=len(group) < share) for group in attacks]
    epoch = np.concatenate([genuine, *drawn])
    random.shuffle(epoch)
    return epoch


def train(views):
    """The trained network."""
    random = np.random.Generator(np.random.PCG64(SEED))
    net = network.Network(random, PLAN)
    optimiser = network.Optimiser(net, DECAY)
    indices = views.part("train")
    steps = EPOCHS * (len(balanced(np.random.default_rng(0), views, indices)) // BATCH)
    step, started = 0, time.monotonic()
    for epoch in range(EPOCHS):
        order, losses = balanced(random, views, indices), []
        for start in range(0, len(order) - BATCH + 1, BATCH):
            batch = order[start : start + BATCH]
            targets = np.full((BATCH, 2), SMOOTHING / 2, np.float32)
            targets[np.arange(BATCH), views.labels[batch]] = 1 - SMOOTHING / 2
            value, gradient = network.loss(net.forward(augment(random, views.pixels[batch]), True), targets)
            net.backward(gradient)
            warm = min(1.0, (step + 1) / 100)
            optimiser.step(RATE * warm * 0.5 * (1 + np.cos(np.pi * min(1.0, step / steps))))
            losses.append(value)
            step += 1
        print(f"epoch {epoch + 1}/{EPOCHS}: loss {np.mean(losses):.4f}, {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return net


def log_odds(net, views, indices):
    """What the network says of each view: log-odds of a bona fide presentation."""
    parts = [net.forward(centre(views.pixels[indices[i : i + 256]])) for i in range(0, len(indices), 256)]
    logits = np.concatenate(parts)
    return logits[:, 1] - logits[:, 0]


def figures(net, views):
    """Error rates on people who were not trained on, at the threshold that refuses one bona fide view in ten."""
    indices = views.part("test")
    scores, species = log_odds(net, views, indices), views.species[indices]
    genuine = scores[species == "bona_fide"]
    threshold = np.quantile(genuine, 0.1)
    result = {"bona_fide": len(genuine), "threshold_at_bpcer_10": round(float(threshold), 3), "species": {}}
    for name in sorted(set(species) - {"bona_fide"}):
        attacks = scores[species == name]
        better = (genuine[:, None] > attacks[None]).mean() + 0.5 * (genuine[:, None] == attacks[None]).mean()
        accepted = int((attacks >= threshold).sum())
        result["species"][name] = {"attacks": len(attacks), "accepted": accepted, "auc": round(float(better), 4)}
    return result


def main():
    folder, target = map(pathlib.Path, sys.argv[1:3])
    views = Views(folder)
    net = train(views)
    target.write_bytes(export.model(net, SIDE))
    print(json.dumps(figures(net, views)))


if __name__ == "__main__":
    main()
