"""Converts one file of weights to ONNX: `python3 convert.py CONVERTER SOURCE TARGET`.

Owns the list of converters; each is a module with `convert(source) -> onnx.ModelProto`. Reads and writes nothing but
the two files it is given.
"""

import importlib
import sys

import onnx

CONVERTERS = ("tflite", "dlib_resnet", "mobilefacenet", "minifasnet", "prelu", "int8")


def main(arguments):
    if len(arguments) != 3 or arguments[0] not in CONVERTERS:
        sys.exit(f"usage: convert.py {{{','.join(CONVERTERS)}}} SOURCE TARGET")
    converter, source, target = arguments
    onnx.save(importlib.import_module(converter).convert(source), target)


if __name__ == "__main__":
    main(sys.argv[1:])
