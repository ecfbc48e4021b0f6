#!/usr/bin/env python3
"""What a Python team would run on a capture: plain onnxruntime, every model of a pack on every frame, one process, one thread.

Decoding, detection, landmarks, alignment and the recogniser are those of the reference pipeline (on PYTHONPATH); the presentation
attack detectors are the pack's, their views cut with OpenCV as its manifest asks. No gate measures anything here.
usage: every_model_on_every_frame.py FOLDER --pack DIR [--repeat N]"""
import argparse
import glob
import json
import os
import time
import tomllib

import cv2
import numpy as np
from pipeline import ARC, BlazeFace, FaceMesh, Rec, sess, simt, warp

CORNERS = [33, 133, 362, 263, 2]
DLIB = np.array([[36.29, 46.1], [59.41, 47.2], [88.43, 47.25], [112.01, 46.09], [73.68, 86.47]])


def view(picture, points, crop, side):
    """The part of the picture that a detector wants, at its side."""
    low, high = points.min(0), points.max(0)
    size, centre = high - low, (low + high) / 2
    if crop["shape"] == "square":
        size = np.full(2, size.max())
    height, width = picture.shape[:2]
    if crop["edge"] == "shift":
        size = size * min(crop["scale"], (width - 1) / size[0], (height - 1) / size[1])
        left, top = np.clip(centre - size / 2, 0, [width - 1, height - 1] - size).astype(int)
        right, bottom = left + int(size[0]) + 1, top + int(size[1]) + 1
        part = picture[top:bottom, left:right]
    else:
        size = size * crop["scale"]
        left, top = (centre - size / 2).astype(int)
        across, down = size.astype(int)
        edges = [max(0, -top), max(0, top + down - height), max(0, -left), max(0, left + across - width)]
        part = picture[max(0, top) : top + down, max(0, left) : left + across]
        if any(edges):
            part = cv2.copyMakeBorder(part, *edges, cv2.BORDER_REFLECT_101)
    way = cv2.INTER_AREA if crop["filter"] == "area" else cv2.INTER_LINEAR
    return cv2.resize(part, (side, side), interpolation=way)


class Detector:
    """One presentation attack detector of a pack."""

    def __init__(self, about):
        self.session, self.crop, self.input = sess(about["file"], 1), about["crop"], about["input"]
        self.mean, self.scale = (np.array(self.input[key], np.float32)[:, None, None] for key in ("mean", "scale"))

    def __call__(self, picture, points):
        seen = view(picture, points, self.crop, self.input["shape"][1])
        if self.input["colour"] == "RGB":
            seen = seen[:, :, ::-1]
        fed = (seen.transpose(2, 0, 1).astype(np.float32) - self.mean) * self.scale
        return self.session.run(None, {self.input["name"]: fed[None]})[0]


class Pipeline:
    """Every model of a pack."""

    def __init__(self, pack):
        with open(os.path.join(pack, "pack.toml"), "rb") as file:
            manifest = tomllib.load(file)
        about = manifest["recogniser"]
        self.alignment, self.side = about["alignment"], about["input"]["shape"][1]
        self.detector, self.mesh = BlazeFace(1), FaceMesh(1)
        self.recogniser = Rec(about["file"], self.side, rgb=about["input"]["colour"] == "RGB", threads=1)
        self.presentation_attack = [Detector(one) for one in manifest.get("presentation_attack", [])]

    def __call__(self, path):
        """One frame; whether it shows a face."""
        picture = cv2.imread(path)
        boxes, scores, points = self.detector(picture, 0.5)
        if not len(boxes):
            return False
        best = int(np.argmax((boxes[:, 2] - boxes[:, 0]) * scores))
        mesh = self.mesh(picture, boxes[best], points[best])[0]
        for detector in self.presentation_attack:
            detector(picture, mesh)
        if self.alignment == "dlib-mesh-150":
            chip = warp(picture, simt(mesh[CORNERS], DLIB), self.side)
        else:
            eyes = [(mesh[33] + mesh[133]) / 2, (mesh[362] + mesh[263]) / 2]
            chip = warp(picture, simt(np.array([*eyes, mesh[4], mesh[61], mesh[291]]), ARC), self.side)
        self.recogniser.embed([chip])
        return True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--pack", required=True)
    parser.add_argument("--repeat", type=int, default=1)
    asked = parser.parse_args()
    cv2.setNumThreads(1)
    pipeline = Pipeline(asked.pack)
    files = sorted(glob.glob(os.path.join(asked.folder, "*.jpg")))
    for path in files[:2]:
        pipeline(path)
    times, faces, cpu = [], 0, time.process_time()
    for path in files * asked.repeat:
        start = time.perf_counter()
        faces += pipeline(path)
        times.append(time.perf_counter() - start)
    cpu = time.process_time() - cpu
    told = {"images": len(times), "faces": faces, "p50_ms": round(float(np.median(times)) * 1e3, 2)}
    rates = {"images_per_s": round(len(times) / sum(times), 2), "images_per_cpu_s": round(len(times) / cpu, 2)}
    print(json.dumps({"peer": "python+onnxruntime, every model on every frame", **told, **rates}))


if __name__ == "__main__":
    main()
