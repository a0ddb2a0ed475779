"""Device rules: what is in force, the v1 lines, the v2 program (run by a small interpreter here)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyrunc.cgroup.device_rules import (
    ALL,
    MKNOD,
    READ,
    WRITE,
    assemble,
    device_lines,
    listing,
    normalise,
    render_access,
)
from pyrunc.errors import HostError, SpecError

HERE = "/linux/resources/devices"
DENY_ALL = {"allow": False, "access": "rwm"}
ALLOW_ALL = {"allow": True, "access": "rwm"}
OWN = [
    "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm", "c 1:9 rwm", "c 5:0 rwm", "c 5:2 rwm",
    "c 136:* rwm", "c *:* m", "b *:* m",
]  # fmt: skip


def rule(allow: bool, text: str) -> dict[str, Any]:
    """`c 10:* rw` as an entry of the configuration."""
    kind, numbers, access = text.split()
    entry: dict[str, Any] = {"allow": allow, "type": kind, "access": access}
    for name, number in zip(("major", "minor"), numbers.split(":"), strict=True):
        if number != "*":
            entry[name] = int(number)
    return entry


def lines(*entries: dict[str, Any]) -> list[str]:
    return [
        f"{file.removeprefix('devices.')} {line}" for file, line, _ in device_lines(normalise(entries, HERE))
    ]


def test_nothing_listed_is_deny_all() -> None:
    assert lines() == ["deny a", *(f"allow {line}" for line in OWN)]
    assert lines(DENY_ALL) == lines()


def test_listed_twice_is_written_once() -> None:
    listed = [DENY_ALL, rule(True, "c 1:5 rwm"), rule(True, "c 10:200 rw"), rule(False, "c 10:229 rwm")]
    assert lines(*listed) == ["deny a", "allow c 10:200 rw", *(f"allow {line}" for line in OWN)]


def test_later_rules_win() -> None:
    listed = [
        DENY_ALL,
        rule(True, "c 10:200 rwm"),
        rule(False, "c 10:200 w"),
        rule(False, "b 8:0 rwm"),
        rule(True, "b 8:0 r"),
    ]
    assert lines(*listed)[1:3] == ["allow c 10:200 rm", "allow b 8:0 r"]


def test_allow_all_makes_void_what_came_before() -> None:
    assert lines(DENY_ALL, rule(True, "c 10:200 rwm"), ALLOW_ALL) == ["allow a"]
    assert lines(ALLOW_ALL, rule(False, "b 8:* w")) == ["allow a", "deny b 8:* w"]


def test_wider_contrary_rule_takes_all() -> None:
    assert lines(DENY_ALL, rule(True, "c 10:200 rwm"), rule(False, "c 10:* rwm")) == lines()


@pytest.mark.parametrize("numbers", ["10:229", "*:229"])
def test_v1_cannot_punch_holes(numbers: str) -> None:
    listed = [DENY_ALL, rule(True, "c 10:* rw"), rule(False, f"c {numbers} rwm")]
    with pytest.raises(
        HostError, match=r"cgroup v1 cannot deny 'c .*' as a part of 'c 10:\* rw', .* allows"
    ) as caught:
        lines(*listed)
    assert caught.value.pointer == f"{HERE}/2"
    assemble(normalise(listed, HERE))


def test_minus_one_and_absent_mean_any() -> None:
    assert (
        lines(DENY_ALL, {"allow": True, "type": "c", "major": 42, "minor": -1, "access": "rmw"})[1]
        == "allow c 42:* rwm"
    )
    assert lines(DENY_ALL, {"allow": True, "major": 42})[1:3] == ["allow c 42:* rwm", "allow b 42:* rwm"]
    assert lines(DENY_ALL, {"allow": True, "access": "r"})[1:3] == ["allow c *:* r", "allow b *:* r"]


@pytest.mark.parametrize("name", ["major", "minor"])
def test_a_number_that_no_program_can_compare_is_refused(name: str) -> None:
    with pytest.raises(SpecError) as caught:
        normalise([DENY_ALL, rule(True, "c 1:1 r") | {name: 1 << 31}], HERE)
    assert caught.value.pointer == f"{HERE}/1/{name}"


def test_access_letters() -> None:
    assert [render_access(mask) for mask in (ALL, READ, WRITE | MKNOD)] == ["rwm", "r", "wm"]


def test_listing() -> None:
    devices = normalise(
        [ALLOW_ALL, rule(False, "b 8:* w"), rule(True, "b 8:1 w"), rule(False, "c 1:11 rwm")], HERE
    )
    assert listing(assemble(devices)) == (
        "  0 r2 = *(u32 *)(r1 + 0)\n"
        "  1 r3 = r2\n"
        "  2 r3 >>= 16\n"
        "  3 r2 &= 0xffff\n"
        "  4 r4 = *(u32 *)(r1 + 4)\n"
        "  5 r5 = *(u32 *)(r1 + 8)\n"
        "  6 if r2 != 2 goto 11\n"
        "  7 if r4 != 1 goto 11\n"
        "  8 if r5 != 11 goto 11\n"
        "  9 r0 = 0\n"
        " 10 exit\n"
        " 11 if r2 != 1 goto 18\n"
        " 12 if r4 != 8 goto 18\n"
        " 13 if r5 != 1 goto 18\n"
        " 14 r3 &= -0x5\n"
        " 15 if r3 != 0 goto 18\n"
        " 16 r0 = 1\n"
        " 17 exit\n"
        " 18 if r2 != 1 goto 24\n"
        " 19 if r4 != 8 goto 24\n"
        " 20 if r3 & 0x4 goto 22\n"
        " 21 goto 24\n"
        " 22 r0 = 0\n"
        " 23 exit\n"
        " 24 r0 = 1\n"
        " 25 exit\n"
    )


def run(program: bytes, kind: str, major: int, minor: int, access: int) -> int:
    """Interpret a program on one request."""
    context = {0: {"b": 1, "c": 2}[kind] | access << 16, 4: major, 8: minor}
    registers = [0] * 11
    position = 0
    while True:
        code, pair = program[position * 8], program[position * 8 + 1]
        jump = int.from_bytes(program[position * 8 + 2 : position * 8 + 4], "little", signed=True)
        value = int.from_bytes(program[position * 8 + 4 : position * 8 + 8], "little", signed=True)
        to, source = pair & 15, pair >> 4
        position += 1
        if code == 0x61:
            registers[to] = context[jump]
        elif code == 0xBF:
            registers[to] = registers[source]
        elif code == 0xB7:
            registers[to] = value
        elif code == 0x57:
            registers[to] &= value & (1 << 64) - 1
        elif code == 0x77:
            registers[to] >>= value
        elif code == 0x55:
            position += jump if registers[to] != value else 0
        elif code == 0x45:
            position += jump if registers[to] & value else 0
        elif code == 0x05:
            position += jump
        else:
            assert code == 0x95
            return registers[0]


def expected(entries: list[dict[str, Any]], kind: str, major: int, minor: int, access: int) -> bool:
    """The same by the words of the spec: each kind of access for itself, the last rule that matches."""
    own = [rule(True, text) for text in OWN]
    for entry in entries:
        if (
            set(entry) <= {"allow", "type", "access"}
            and entry.get("type", "a") == "a"
            and entry.get("access", "rwm") == "rwm"
        ):
            own = [] if entry["allow"] else [rule(True, text) for text in OWN]
    for letter, bit in (("r", READ), ("w", WRITE), ("m", MKNOD)):
        allowed = False
        for entry in entries + own:
            if (
                entry.get("type", "a") in ("a", kind)
                and entry.get("major", major) == major
                and entry.get("minor", minor) == minor
                and letter in entry.get("access", "rwm")
            ):
                allowed = entry["allow"]
        if access & bit and not allowed:
            return False
    return True


numbers = st.sampled_from([0, 1, 3, 5, 136])
entries = st.lists(
    st.fixed_dictionaries(
        {"allow": st.booleans()},
        optional={
            "type": st.sampled_from("abc"), "major": numbers, "minor": numbers,
            "access": st.sampled_from(["r", "w", "m", "rw", "wm", "rwm"]),
        },
    ),
    max_size=6,
)  # fmt: skip


@given(entries, st.sampled_from("bc"), numbers, numbers, st.integers(1, 7))
@settings(max_examples=400)
def test_program_does_what_the_spec_says(
    listed: list[dict[str, Any]], kind: str, major: int, minor: int, access: int
) -> None:
    program = assemble(normalise(listed, HERE))
    assert run(program, kind, major, minor, access) == expected(listed, kind, major, minor, access)


@given(entries, st.sampled_from("bc"), numbers, numbers, st.sampled_from([READ, WRITE, MKNOD]))
@settings(max_examples=400)
def test_v1_lines_do_what_the_spec_says(
    listed: list[dict[str, Any]], kind: str, major: int, minor: int, access: int
) -> None:
    try:
        (default, _, _), *exceptions = device_lines(normalise(listed, HERE))
    except HostError:
        return
    allowed = default == "devices.allow"
    for file, line, _ in exceptions:
        entry = rule(file == "devices.allow", line)
        assert entry["allow"] != allowed or default not in ("devices.allow", "devices.deny")
    hit = any(
        line.split()[0] == kind
        and line.split()[1].split(":")[0] in ("*", str(major))
        and line.split()[1].split(":")[1] in ("*", str(minor))
        and render_access(access) in line.split()[2]
        for _, line, _ in exceptions
    )
    assert (allowed != hit) == expected(listed, kind, major, minor, access)
