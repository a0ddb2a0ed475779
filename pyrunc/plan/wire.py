"""A plan as the bytes that pyrunc-init reads (csrc/plan.c).

Pure.  Little endian, everything padded to 8 bytes: a header, the descriptor of
each slot, then the operations with their arguments.  Lists leave room for the
pointers that the reader fills in.
"""

from __future__ import annotations

from pyrunc.cores import pack
from pyrunc.errors import SpecError
from pyrunc.plan.opcodes import CODES
from pyrunc.plan.ops import Slot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.plan.ops import Argument, Op
    from pyrunc.plan.plan import Plan

MAGIC = b"pyrplan1"
TRACE = 1
INT, STR, BYTES, LIST, SLOT = 1, 2, 3, 4, 5

_PADDING = tuple(b"\0" * (8 - length % 8) for length in range(8))  # after a string: at least its NUL
_ALIGNING = tuple(b"\0" * (-length % 8) for length in range(8))


def encode_plan(plan: Plan, provided_fds: dict[str, int], trace: bool = False) -> bytes:
    """The bytes of what pyrunc-init does.

    provided_fds: the number that each provided slot's descriptor has in
    pyrunc-init.  Raises SpecError for a string that no kernel call can take.
    """
    slots = plan.slots()
    numbers = {name: number for number, name in enumerate(slots)}
    table = b"".join([pack("<i", provided_fds.get(name, -1)) for name in slots])
    parts = [b"", table, _ALIGNING[len(table) % 8]]
    for op in plan.init:
        body = _arguments(op, numbers)
        parts.append(pack("<HHI", CODES[op.name], len(op.args), len(body)))
        parts.append(body)
    size = 24 + sum(map(len, parts))
    parts[0] = MAGIC + pack("<IIII", size, len(plan.init), len(slots), TRACE if trace else 0)
    return b"".join(parts)


def _arguments(op: Op, numbers: dict[str, int]) -> bytes:
    parts = []
    for value in op.args:
        kind = type(value)
        if kind is int:
            parts.append(pack("<IIq", INT, 8, value))
        elif kind is str:
            data = _text(value, op)
            parts.append(pack("<II", STR, len(data)) + data + _PADDING[len(data) % 8])
        elif kind is Slot:
            parts.append(pack("<IIq", SLOT, 8, numbers[value]))  # type: ignore[index]
        else:
            parts.append(_compound(value, op))
    return b"".join(parts)


def _compound(value: Argument, op: Op) -> bytes:
    if isinstance(value, bytes):
        return pack("<II", BYTES, len(value)) + value + _ALIGNING[len(value) % 8]
    if not isinstance(value, list):
        raise TypeError(f"{op.name}: {type(value).__name__} cannot be an argument")
    payload = [pack("<II", len(value), 0), bytes(8 * (len(value) + 1))]
    for item in value:
        data = _text(item, op)
        payload.append(pack("<I", len(data)) + data + _PADDING[(len(data) + 4) % 8])
    body = b"".join(payload)
    return pack("<II", LIST, len(body)) + body


def _text(value: object, op: Op) -> bytes:
    try:
        data = str(value).encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise SpecError("string is not valid Unicode", pointer=op.pointer, step=op.name) from None
    if b"\0" in data:
        raise SpecError("string contains a NUL character", pointer=op.pointer, step=op.name)
    return data
