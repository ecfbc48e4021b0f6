"""Reads FlatBuffers tables straight from their bytes, without a schema compiler.

Owns the encoding (tables, vectors, strings); what the fields mean is the caller's business. A table starts with the
distance to its vtable; the vtable holds, per field, the distance from the table to the value, 0 if absent.
"""

import struct


class Table:
    """One table inside a buffer; fields are addressed by their number in the schema."""

    def __init__(self, buffer, position):
        self.buffer = buffer
        self.position = position
        self.vtable = position - self._unpack("i", position)
        self.vtable_length = self._unpack("H", self.vtable)

    @classmethod
    def root(cls, buffer):
        """The table that the buffer is about."""
        (position,) = struct.unpack_from("<I", buffer, 0)
        return cls(buffer, position)

    def _unpack(self, code, position):
        return struct.unpack_from(f"<{code}", self.buffer, position)[0]

    def _field(self, number):
        """Where a field's value lies, or None if the field is absent."""
        entry = 4 + 2 * number
        distance = self._unpack("H", self.vtable + entry) if entry < self.vtable_length else 0
        return self.position + distance if distance else None

    def _reference(self, number):
        """Where a field that is stored by reference points to, or None."""
        field = self._field(number)
        return None if field is None else field + self._unpack("I", field)

    def scalar(self, number, code, default=0):
        """A number; `code` is its `struct` format."""
        field = self._field(number)
        return default if field is None else self._unpack(code, field)

    def table(self, number):
        """A table, or None."""
        target = self._reference(number)
        return None if target is None else Table(self.buffer, target)

    def tables(self, number):
        """A vector of tables."""
        start, count = self._vector(number)
        slots = range(start, start + 4 * count, 4)
        return [Table(self.buffer, slot + self._unpack("I", slot)) for slot in slots]

    def integers(self, number):
        """A vector of int32."""
        start, count = self._vector(number)
        return list(struct.unpack_from(f"<{count}i", self.buffer, start))

    def bytes(self, number):
        """A vector of bytes."""
        start, count = self._vector(number)
        return self.buffer[start : start + count]

    def text(self, number):
        """A string."""
        return self.bytes(number).decode()

    def _vector(self, number):
        """(position of the first element, count); an absent vector is empty."""
        target = self._reference(number)
        return (0, 0) if target is None else (target + 4, self._unpack("I", target))
