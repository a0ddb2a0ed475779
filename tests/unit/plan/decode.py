"""The wire format read back, written from its description and not from the encoder."""

from __future__ import annotations

import struct

from pyrunc.plan.opcodes import CODES
from pyrunc.plan.ops import Op, Slot

NAMES = {code: name for name, code in CODES.items()}


class Reader:
    """Bytes, taken from the front, each piece padded to eight."""

    def __init__(self, data: bytes) -> None:
        assert len(data) % 8 == 0
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        """The next `size` bytes; the padding behind them is zero."""
        piece = self.data[self.at : self.at + size]
        assert len(piece) == size
        end = (self.at + size + 7) // 8 * 8
        assert not any(self.data[self.at + size : end])
        self.at = end
        return piece

    def string(self, length: int) -> str:
        """`length` bytes and a NUL."""
        piece = self.take(length + 1)
        assert piece[-1] == 0 and 0 not in piece[:-1]
        return piece[:-1].decode("utf-8", "surrogateescape")


def decode(data: bytes) -> tuple[list[int], list[Op], int]:
    """The slots' descriptors, the operations (slots by number) and the flags."""
    reader = Reader(data)
    magic, size, op_count, slot_count, flags = struct.unpack("<8sIIII", reader.take(24))
    assert magic == b"pyrplan1" and size == len(data)
    descriptors = list(struct.unpack(f"<{slot_count}i", reader.take(4 * slot_count)))
    result = []
    for _ in range(op_count):
        code, argc, size = struct.unpack("<HHI", reader.take(8))
        end = reader.at + size
        result.append(Op(NAMES[code], *[_argument(reader, slot_count) for _ in range(argc)]))
        assert reader.at == end
    assert reader.at == len(data)
    return descriptors, result, flags


def _argument(reader: Reader, slot_count: int) -> int | str | bytes | list[str] | Slot:
    kind, length = struct.unpack("<II", reader.take(8))
    if kind == 1:
        assert length == 8
        return int(struct.unpack("<q", reader.take(8))[0])
    if kind == 2:
        return reader.string(length)
    if kind == 3:
        return reader.take(length)
    if kind == 5:
        number = int(struct.unpack("<q", reader.take(8))[0])
        assert length == 8 and 0 <= number < slot_count
        return Slot(str(number))
    assert kind == 4 and length % 8 == 0
    end = reader.at + length
    count, zero = struct.unpack("<II", reader.take(8))
    assert zero == 0 and not any(reader.take(8 * (count + 1)))
    items = []
    for _ in range(count):
        (size,) = struct.unpack("<I", reader.data[reader.at : reader.at + 4])
        reader_item = reader.take(4 + size + 1)
        assert reader_item[-1] == 0 and 0 not in reader_item[4:-1]
        items.append(reader_item[4:-1].decode("utf-8", "surrogateescape"))
    assert reader.at == end
    return items
