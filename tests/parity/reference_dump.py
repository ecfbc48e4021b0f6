#!/usr/bin/env python3
"""Runs the reference pipeline on pictures and writes what it found, one JSON object a line.

The reference itself (`pipeline.py`) lies outside this repository, in the folder given by --reference; its constants for
mesh alignment are read from `peer_onnx_pipeline.py` beside it, so that nothing is copied here that could drift.
"""
import argparse
import ast
import hashlib
import json
import os
import sys


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", required=True, help="folder with pipeline.py")
    parser.add_argument("--images", required=True, help="folder with one folder a person")
    parser.add_argument("--pack", required=True, help="folder with the detector and landmark models")
    parser.add_argument("--recogniser", required=True, help="ONNX file of the recogniser")
    parser.add_argument("--alignment", required=True, choices=["dlib-mesh-150", "arcface-112"])
    parser.add_argument("--count", type=int, default=300, help="first N pictures by SHA-256 of their relative path")
    return parser.parse_args()


def chosen_paths(images, count):
    """The first `count` relative paths in the order of their SHA-256."""
    found = []
    for folder, _, names in os.walk(images):
        found += [os.path.relpath(os.path.join(folder, name), images) for name in names if name.endswith(".jpg")]
    return sorted(found, key=lambda path: hashlib.sha256(path.encode()).hexdigest())[:count]


def mesh_constants(reference, np):
    """MESH and MCHIP out of the peer's source, without running it."""
    with open(os.path.join(reference, "peer_onnx_pipeline.py")) as file:
        tree = ast.parse(file.read())
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) in ("MESH", "MCHIP"):
            value = node.value.args[0] if isinstance(node.value, ast.Call) else node.value
            found[node.targets[0].id] = ast.literal_eval(value)
    return found["MESH"], np.array(found["MCHIP"])


def main():
    args = arguments()
    # The reference reads its models from the folder that this variable names, when it is imported.
    os.environ["MODELS"] = os.path.abspath(args.pack)
    sys.dont_write_bytecode = True
    sys.path.insert(0, args.reference)
    import cv2
    import numpy as np
    import pipeline

    cv2.setNumThreads(1)
    points, chip = mesh_constants(args.reference, np)
    side = {"dlib-mesh-150": 150, "arcface-112": 112}[args.alignment]
    detector, mesh = pipeline.BlazeFace(), pipeline.FaceMesh()
    recogniser = pipeline.Rec(os.path.abspath(args.recogniser), side)
    for path in chosen_paths(args.images, args.count):
        picture = cv2.imread(os.path.join(args.images, path))
        boxes, scores, eyes = detector(picture)
        if not len(boxes):
            print(json.dumps({"path": path, "box": None}))
            continue
        centre = np.array([picture.shape[1], picture.shape[0]]) / 2
        away = np.linalg.norm((boxes[:, :2] + boxes[:, 2:]) / 2 - centre, axis=1)
        best = int(np.argmax((boxes[:, 2] - boxes[:, 0]) * scores - away / 2))
        found, _ = mesh(picture, boxes[best], eyes[best])
        if args.alignment == "dlib-mesh-150":
            placed = pipeline.simt(found[points], chip)
        else:
            right, left = (found[33] + found[133]) / 2, (found[362] + found[263]) / 2
            placed = pipeline.simt(np.array([right, left, found[4], found[61], found[291]]), pipeline.ARC)
        features = recogniser.embed([pipeline.warp(picture, placed, side)])[0]
        line = {"path": path, "box": boxes[best].tolist(), "mesh": found.tolist(), "features": features.tolist()}
        print(json.dumps(line))


if __name__ == "__main__":
    main()
