"""A plan for people and for other programs: text and JSON.

Pure, and not needed to carry a plan out.  Flags are shown by their kernel
names, modes in octal, long byte strings by length and checksum.
"""

from __future__ import annotations

from pyrunc import linux
from pyrunc.cores import encode_string
from pyrunc.plan import ops
from pyrunc.plan.ops import Slot
from pyrunc.plan.plan import simulate

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyrunc.plan.ops import Argument, Op
    from pyrunc.plan.plan import Plan

SHORT = 64  # bytes that are shown in full
# Which constants the integer arguments of an operation are made of, by name of the argument.
PREFIXES = {
    "clone_init": {"flags": ("CLONE_NEW",)},
    "clone_init_into": {"flags": ("CLONE_NEW",)},
    "unshare": {"flags": ("CLONE_NEW",)},
    "setns": {"flags": ("CLONE_NEW",)},
    "open_namespace": {"kind": ("CLONE_NEW",)},
    "open_device": {"kind": ("S_IF",)},
    "set_propagation": {"flags": ("MS_",)},
    "root_propagation": {"flags": ("MS_",)},
    "new_mount": {"attributes": ("MOUNT_ATTR_",)},
    "mount_setattr": {"set": ("MOUNT_ATTR_",), "clear": ("MOUNT_ATTR_",), "propagation": ("MS_",)},
    "remount": {"set": ("MOUNT_ATTR_",), "clear": ("MOUNT_ATTR_",)},
    "make_node": {"kind": ("S_IF",)},
    "load_seccomp": {"flags": ("SECCOMP_FILTER_FLAG_",)},
}
OCTAL = ("mode", "mask")
MASKS = ("drop_bounding", "set_capabilities", "set_ambient")


def render_text(plan: Plan) -> str:
    """The plan for people: one line per operation, in the order in which they happen."""
    return "".join(line + "\n" for line in render_lines(plan, simulate(plan)))


def render_lines(plan: Plan, order: list[tuple[str, int]]) -> list[str]:
    """One line per operation: actor, its number, the call, and the property that asked for it."""
    lines = []
    for actor, index in order:
        op = getattr(plan, actor)[index]
        call = f"{op.name}({', '.join(_arguments(op))})"
        pointer = f"   # {_string(op.pointer)[1:-1]}" if op.pointer else ""  # keys are the document's own
        lines.append(f"{actor:7} {index:3}  {call}{pointer}")
    return lines


def render_objects(plan: Plan, order: list[tuple[str, int]]) -> list[dict[str, Any]]:
    """One object per operation: actor, number, name, arguments by name, pointer."""
    result = []
    for actor, index in order:
        op = getattr(plan, actor)[index]
        arguments = {name: _plain(value) for name, value in zip(_names(op), op.args, strict=True)}
        entry = {"actor": actor, "number": index, "op": op.name, "args": arguments, "pointer": op.pointer}
        result.append(entry)
    return result


def _names(op: Op) -> tuple[str, ...]:
    code = getattr(ops, op.name).__code__
    names: tuple[str, ...] = code.co_varnames[: code.co_argcount]
    return names


def _plain(value: Argument) -> object:
    if isinstance(value, bytes):
        return value.hex()
    return str(value) if isinstance(value, Slot) else value


def _arguments(op: Op) -> list[str]:
    prefixes = PREFIXES.get(op.name, {})
    result = []
    for name, value in zip(_names(op), op.args, strict=True):
        if isinstance(value, int):
            result.append(_number(op.name, name, value, prefixes.get(name, ())))
        elif isinstance(value, Slot):
            result.append(f"<{value}>")
        elif isinstance(value, str):
            result.append(_string(value))
        elif isinstance(value, list):
            result.append(f"[{', '.join([_string(item) for item in value])}]")
        else:
            result.append(_bytes(value))
    return result


def _string(value: str) -> str:
    """As JSON, in one line whatever is called a line."""
    text = encode_string(value)
    for separator in "\x7f\x85\u2028\u2029":
        text = text.replace(separator, f"\\u{ord(separator):04x}")
    return text


def _number(op: str, name: str, value: int, prefixes: tuple[str, ...]) -> str:
    if op in MASKS:
        return f"{value:#x}"
    if name in OCTAL:
        return f"0o{value:03o}"
    return render_flags(value, prefixes[0]) if prefixes else str(value)


def render_flags(value: int, prefix: str) -> str:
    """The names of the bits in `value`, of the constants that begin with `prefix`."""
    if prefix == "S_IF":
        return {linux.S_IFCHR: "S_IFCHR", linux.S_IFBLK: "S_IFBLK", linux.S_IFIFO: "S_IFIFO"}[value]
    names = []
    if prefix == "MOUNT_ATTR_" and value & linux.MOUNT_ATTR__ATIME == linux.MOUNT_ATTR__ATIME:
        names.append("MOUNT_ATTR__ATIME")
        value &= ~linux.MOUNT_ATTR__ATIME
    for name, bit in vars(linux).items():
        if name.startswith(prefix) and bit and bit & (bit - 1) == 0 and value & bit:
            names.append(name)
            value &= ~bit
    if value:
        names.append(f"{value:#x}")
    return "|".join(names) or "0"


def _bytes(value: bytes) -> str:
    if len(value) <= SHORT:
        return f'hex"{value.hex()}"'
    from zlib import crc32

    return f"<{len(value)} bytes, crc32 {crc32(value):08x}>"
