"""Reads PyTorch state dictionaries without PyTorch.

Owns both container formats: the zip archive of today and the stream of pickles of torch 1.5 and before. A state
dictionary is a pickle, and a pickle can run code: only the few harmless names that a state dictionary needs are
honoured, everything else is refused.
"""

import io
import pickle
import struct
import zipfile
from collections import OrderedDict

import numpy as np

ELEMENT_TYPES = {
    "FloatStorage": np.float32,
    "DoubleStorage": np.float64,
    "HalfStorage": np.float16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ByteStorage": np.uint8,
}
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001


class Storage:
    """A flat array; the legacy format delivers its elements only after the pickle that refers to it."""

    def __init__(self, element_type, data=None):
        self.element_type = element_type
        self.data = data


class Tensor:
    """A strided view of a storage."""

    def __init__(self, storage, offset, size, stride):
        self.storage, self.offset, self.size, self.stride = storage, offset, tuple(size), tuple(stride)

    def array(self):
        """The tensor as an array of its own."""
        data = self.storage.data[self.offset :]
        if not self.size:
            return np.array(data[0])
        strides = [step * data.itemsize for step in self.stride]
        return np.lib.stride_tricks.as_strided(data, self.size, strides).copy()


def _rebuild_tensor(storage, offset, size, stride, *_ignored):
    return Tensor(storage, offset, size, stride)


def _rebuild_parameter(tensor, *_ignored):
    return tensor


class StateUnpickler(pickle.Unpickler):
    """An unpickler that knows nothing but what a state dictionary is made of."""

    ALLOWED = {
        ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
        ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
        ("collections", "OrderedDict"): OrderedDict,
    }

    def __init__(self, file, find_storage):
        super().__init__(file)
        self.find_storage = find_storage

    def find_class(self, module, name):
        if module == "torch" and name in ELEMENT_TYPES:
            return ELEMENT_TYPES[name]
        if (module, name) in self.ALLOWED:
            return self.ALLOWED[module, name]
        raise pickle.UnpicklingError(f"a state dictionary has no business with {module}.{name}")

    def persistent_load(self, reference):
        return self.find_storage(reference)


class PlainUnpickler(pickle.Unpickler):
    """For the numbers and lists around the state dictionary: no names at all."""

    def find_class(self, module, name):
        raise pickle.UnpicklingError(f"unexpected {module}.{name}")


def _load_zip(raw):
    archive = zipfile.ZipFile(io.BytesIO(raw))
    index = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
    root = index.removesuffix("data.pkl")
    storages = {}

    def find_storage(reference):
        _, element_type, key, _, _ = reference
        if key not in storages:
            storages[key] = Storage(element_type, np.frombuffer(archive.read(f"{root}data/{key}"), element_type))
        return storages[key]

    return StateUnpickler(io.BytesIO(archive.read(index)), find_storage).load()


def _load_legacy(raw):
    stream = io.BytesIO(raw)
    if PlainUnpickler(stream).load() != LEGACY_MAGIC or PlainUnpickler(stream).load() != LEGACY_PROTOCOL:
        raise ValueError("not a file of torch weights")
    PlainUnpickler(stream).load()  # sizes of C types on the machine that wrote it
    storages = {}

    def find_storage(reference):
        _, element_type, key, _, _, view = reference
        if view is not None:
            raise ValueError("views of storages are not supported")
        return storages.setdefault(key, Storage(element_type))

    state = StateUnpickler(stream, find_storage).load()
    for key in PlainUnpickler(stream).load():
        (count,) = struct.unpack("<q", stream.read(8))
        storage = storages[key]
        storage.data = np.frombuffer(stream.read(count * np.dtype(storage.element_type).itemsize), storage.element_type)
    if stream.read():
        raise ValueError("bytes behind the last storage")
    return state


def load(path):
    """The tensors of a state dictionary by name, in file order."""
    with open(path, "rb") as file:
        raw = file.read()
    state = _load_zip(raw) if raw[:2] == b"PK" else _load_legacy(raw)
    for wrapper in ("state_dict", "net_state_dict"):
        state = state.get(wrapper, state)
    return {name.removeprefix("module."): value.array() for name, value in state.items() if isinstance(value, Tensor)}
