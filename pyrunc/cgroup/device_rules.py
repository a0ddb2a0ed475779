"""Which devices a container may use: rules → v1 lines or a v2 eBPF program.

Pure.  All is denied at first, then linux.resources.devices applies in the order
listed, then (unless a rule allows everything) the runtime's own: the default
devices of the spec, ptmx and the pseudo-terminals, and making nodes of any
device, which gives no access to it.  /dev/net/tun is not among them: a
configuration that wants it lists it.
Spec: config-linux.md, "Allowed Device list".
Kernel: cgroup-v1/devices.rst; struct bpf_cgroup_dev_ctx of linux/bpf.h.
"""

from __future__ import annotations

from pyrunc.errors import HostError, SpecError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

ANY = -1
LARGEST_NUMBER = (1 << 31) - 1  # an instruction compares with a signed 32-bit number
MKNOD, READ, WRITE = 1, 2, 4  # BPF_DEVCG_ACC_*
ALL = MKNOD | READ | WRITE
_LETTERS = {"r": READ, "w": WRITE, "m": MKNOD}


class DeviceRule:
    """Allow or deny `access` (bit mask) to devices of `kind` (c or b); numbers may be ANY."""

    __slots__ = ("access", "allow", "kind", "major", "minor", "pointer")

    def __init__(
        self, allow: bool, kind: str, major: int, minor: int, access: int, pointer: str = ""
    ) -> None:
        self.allow = allow
        self.kind = kind
        self.major = major
        self.minor = minor
        self.access = access
        self.pointer = pointer

    def covers(self, other: DeviceRule) -> bool:
        """Whether every device of `other` is one of this rule's."""
        return (
            self.kind == other.kind and self.major in (ANY, other.major) and self.minor in (ANY, other.minor)
        )  # fmt: skip

    def overlaps(self, other: DeviceRule) -> bool:
        """Whether some device and access belong to both."""
        return (
            self.kind == other.kind
            and bool(self.access & other.access)
            and (ANY in (self.major, other.major) or self.major == other.major)
            and (ANY in (self.minor, other.minor) or self.minor == other.minor)
        )

    def line(self) -> str:
        """The rule's devices and access as devices.allow and devices.deny take them."""
        major, minor = ("*" if number == ANY else str(number) for number in (self.major, self.minor))
        return f"{self.kind} {major}:{minor} {render_access(self.access)}"


class DeviceRules:
    """What applies to devices that no rule names, and the rules; the last one that matches decides."""

    __slots__ = ("allow_all", "rules")

    def __init__(self, allow_all: bool, rules: list[DeviceRule]) -> None:
        self.allow_all = allow_all
        self.rules = rules


def render_access(access: int) -> str:
    """The letters of a bit mask."""
    return "".join(letter for letter, bit in _LETTERS.items() if access & bit)


def _defaults() -> list[DeviceRule]:
    """The runtime's own rules: null, zero, full, random, urandom; tty, ptmx; pts; mknod.

    /dev/console is a bound pseudo-terminal; c 5:1 would be the console of the host.
    """
    numbers = ((1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 2), (136, ANY))
    rules = [DeviceRule(True, "c", major, minor, ALL) for major, minor in numbers]
    return [*rules, *(DeviceRule(True, kind, ANY, ANY, MKNOD) for kind in "cb")]


def normalise(listed: Sequence[Mapping[str, Any]], pointer: str) -> DeviceRules:
    """The rules in force, without those that later ones make void.

    pointer: of the list.  Raises SpecError for a device number that is too large.
    """
    allow_all = False
    rules: list[DeviceRule] = []
    for index, entry in enumerate(listed):
        expanded = _parse_rule(entry, f"{pointer}/{index}")
        first = expanded[0]
        if len(expanded) == 2 and first.major == ANY and first.minor == ANY and first.access == ALL:
            allow_all = first.allow
            rules = []
        else:
            rules += expanded
    if not allow_all:
        rules += _defaults()
    kept: list[DeviceRule] = []
    for rule in reversed(rules):
        if not any(later.covers(rule) and later.access & rule.access == rule.access for later in kept):
            kept.append(rule)
    kept.reverse()
    return DeviceRules(allow_all, kept)


def _parse_rule(entry: Mapping[str, Any], pointer: str) -> list[DeviceRule]:
    """One entry of the list; one without a type is two rules.  SpecError: a number above LARGEST_NUMBER."""
    kind = entry.get("type") or "a"
    numbers = []
    for name in ("major", "minor"):
        value = entry.get(name)
        number = ANY if value is None else value
        if number > LARGEST_NUMBER:
            raise SpecError(f"{number} is not a device number", pointer=f"{pointer}/{name}")
        numbers.append(number)
    access = 0
    for letter in entry.get("access") or "rwm":
        access |= _LETTERS[letter]
    kinds = "cb" if kind == "a" else kind
    return [DeviceRule(bool(entry["allow"]), kind, numbers[0], numbers[1], access, pointer) for kind in kinds]


# --- v1 -------------------------------------------------------------------------


def device_lines(devices: DeviceRules) -> list[tuple[str, str, str]]:
    """(file, line, pointer) to write into a cgroup of the v1 controller `devices`.

    v1 knows a default and exceptions from it, no exceptions from those:
    HostError for rules that need them.
    """
    exceptions: list[DeviceRule] = []
    for rule in devices.rules:
        if rule.allow != devices.allow_all:
            exceptions.append(rule)
            continue
        for other in exceptions:
            if rule.overlaps(other) and not rule.covers(other):
                raise HostError(
                    f"cgroup v1 cannot {_verb(rule.allow)} {rule.line()!r} as a part of {other.line()!r}"
                    f", which an earlier rule {'allows' if other.allow else 'denies'}",
                    pointer=rule.pointer,
                )
        exceptions = [left for other in exceptions if (left := _without(other, rule)) is not None]
    lines = [(f"devices.{_verb(devices.allow_all)}", "a", "")]
    file = f"devices.{_verb(not devices.allow_all)}"
    return lines + [(file, rule.line(), rule.pointer) for rule in exceptions]


def _verb(allow: bool) -> str:
    return "allow" if allow else "deny"


def _without(rule: DeviceRule, taken: DeviceRule) -> DeviceRule | None:
    """What is left of `rule` after a contrary rule."""
    access = rule.access & ~taken.access if taken.covers(rule) else rule.access
    return DeviceRule(rule.allow, rule.kind, rule.major, rule.minor, access, rule.pointer) if access else None


# --- v2 -------------------------------------------------------------------------

_KINDS = {"b": 1, "c": 2}  # BPF_DEVCG_DEV_*
_LOAD_WORD, _MOVE, _AND, _SHIFT_RIGHT = 0x61, 0xB7, 0x57, 0x77  # BPF_LDX|MEM|W, BPF_ALU64|op|K
_MOVE_REGISTER = 0xBF
_JUMP_NOT_EQUAL, _JUMP_IF_SET, _JUMP, _EXIT = 0x55, 0x45, 0x05, 0x95
_TYPE, _ACCESS, _MAJOR, _MINOR = 2, 3, 4, 5  # registers; 1 holds the context, 0 the verdict


class _Instruction:
    __slots__ = ("code", "destination", "immediate", "jump", "source")

    def __init__(
        self, code: int, destination: int = 0, source: int = 0, jump: int = 0, immediate: int = 0
    ) -> None:
        self.code = code
        self.destination = destination
        self.source = source
        self.jump = jump
        self.immediate = immediate

    def encode(self) -> bytes:
        registers = self.destination | self.source << 4
        return (
            bytes((self.code, registers))
            + self.jump.to_bytes(2, "little", signed=True)
            + (self.immediate & 0xFFFFFFFF).to_bytes(4, "little")
        )


def assemble(devices: DeviceRules) -> bytes:
    """struct bpf_insn[] of a BPF_PROG_TYPE_CGROUP_DEVICE program: 1 allows, 0 denies.

    The rules are tried from the last to the first.  One that allows takes its
    kinds of access off those asked for, and none left is a yes; one that denies
    any of those left is a no.
    """
    return b"".join(instruction.encode() for instruction in _program(devices))


def _program(devices: DeviceRules) -> list[_Instruction]:
    program = [
        _Instruction(_LOAD_WORD, _TYPE, 1, 0),  # access_type: type in the low half, access in the high one
        _Instruction(_MOVE_REGISTER, _ACCESS, _TYPE),
        _Instruction(_SHIFT_RIGHT, _ACCESS, immediate=16),
        _Instruction(_AND, _TYPE, immediate=0xFFFF),
        _Instruction(_LOAD_WORD, _MAJOR, 1, 4),
        _Instruction(_LOAD_WORD, _MINOR, 1, 8),
    ]
    for rule in reversed(devices.rules):
        program += _rule_instructions(rule)
    return program + _verdict(devices.allow_all)


def _verdict(allow: bool) -> list[_Instruction]:
    return [_Instruction(_MOVE, immediate=int(allow)), _Instruction(_EXIT)]


def _rule_instructions(rule: DeviceRule) -> list[_Instruction]:
    tests = [_Instruction(_JUMP_NOT_EQUAL, _TYPE, immediate=_KINDS[rule.kind])]
    for register, number in ((_MAJOR, rule.major), (_MINOR, rule.minor)):
        if number != ANY:
            tests.append(_Instruction(_JUMP_NOT_EQUAL, register, immediate=number))
    if rule.access == ALL:
        decide = _verdict(rule.allow)
    elif rule.allow:
        take = _Instruction(_AND, _ACCESS, immediate=~rule.access)
        decide = [take, _Instruction(_JUMP_NOT_EQUAL, _ACCESS, jump=2), *_verdict(True)]
    else:
        hit = _Instruction(_JUMP_IF_SET, _ACCESS, jump=1, immediate=rule.access)
        decide = [hit, _Instruction(_JUMP, jump=2), *_verdict(False)]
    for index, test in enumerate(tests):
        test.jump = len(tests) - index - 1 + len(decide)
    return tests + decide


def listing(program: bytes) -> str:
    """The program as text, one instruction per line, for people and golden tests."""
    lines = []
    for index in range(0, len(program), 8):
        code, registers = program[index], program[index + 1]
        jump = int.from_bytes(program[index + 2 : index + 4], "little", signed=True)
        immediate = int.from_bytes(program[index + 4 : index + 8], "little", signed=True)
        to, source, target = f"r{registers & 15}", f"r{registers >> 4}", index // 8 + 1 + jump
        text = {
            _LOAD_WORD: f"{to} = *(u32 *)({source} + {jump})",
            _MOVE_REGISTER: f"{to} = {source}",
            _MOVE: f"{to} = {immediate}",
            _AND: f"{to} &= {immediate:#x}",
            _SHIFT_RIGHT: f"{to} >>= {immediate}",
            _JUMP_NOT_EQUAL: f"if {to} != {immediate} goto {target}",
            _JUMP_IF_SET: f"if {to} & {immediate:#x} goto {target}",
            _JUMP: f"goto {target}",
            _EXIT: "exit",
        }[code]
        lines.append(f"{index // 8:3} {text}")
    return "\n".join(lines) + "\n"
