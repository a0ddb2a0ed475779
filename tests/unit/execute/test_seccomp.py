"""Seccomp profiles: errors with their place, the program's verdicts, the cache."""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pyrunc.errors import HostError, SpecError
from pyrunc.execute import seccomp, seccomp_cache
from pyrunc.execute.seccomp import compile_filter, pack_profile
from pyrunc.spec import schema_table

ALLOW, ERRNO, KILL, KILL_PROCESS = 0x7FFF0000, 0x00050000, 0, 0x80000000
TRAP, TRACE, LOG, NOTIFY = 0x00030000, 0x7FF00000, 0x7FFC0000, 0x7FC00000
X86_64, I386 = 0xC000003E, 0x40000003
READ, WRITE, MKDIR, PERSONALITY, GETPID, CLONE = 0, 1, 83, 135, 39, 56  # x86_64
X32_BIT = 0x40000000

native = pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers are those of x86_64")


def profile(*syscalls: dict[str, Any], default: str = "SCMP_ACT_ALLOW", **more: Any) -> dict[str, Any]:
    return {"defaultAction": default, "syscalls": list(syscalls), **more}


def rule(*names: str, action: str = "SCMP_ACT_ERRNO", args: Sequence[Any] = (), **more: Any) -> dict[str, Any]:
    return {"names": list(names), "action": action, "args": list(args), **more}


def argument(index: int, op: str, value: int, value_two: int = 0) -> dict[str, Any]:
    return {"index": index, "op": f"SCMP_CMP_{op}", "value": value, "valueTwo": value_two}


def verdict(program: bytes, number: int, *arguments: int, arch: int = X86_64) -> int:
    """Run a classic BPF program as the kernel does; returns its action."""
    data = struct.pack("<iIQ6Q", number, arch, 0, *[*arguments, *[0] * 6][:6])
    code = list(struct.iter_unpack("<HBBI", program))
    at = accumulator = 0
    while True:
        operation, jump_true, jump_false, value = code[at]
        at += 1
        if operation == 0x20:
            accumulator = struct.unpack_from("<I", data, value)[0]
        elif operation == 0x06:
            return int(value)
        elif operation == 0x05:
            at += value
        elif operation == 0x54:
            accumulator &= value
        else:
            tests = {0x15: accumulator == value, 0x25: accumulator > value, 0x35: accumulator >= value,
                     0x45: bool(accumulator & value)}  # fmt: skip
            at += jump_true if tests[operation] else jump_false


@native
@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("SCMP_ACT_KILL", KILL), ("SCMP_ACT_KILL_THREAD", KILL), ("SCMP_ACT_KILL_PROCESS", KILL_PROCESS),
        ("SCMP_ACT_TRAP", TRAP), ("SCMP_ACT_ERRNO", ERRNO | 1), ("SCMP_ACT_TRACE", TRACE | 1),
        ("SCMP_ACT_LOG", LOG), ("SCMP_ACT_NOTIFY", NOTIFY), ("SCMP_ACT_ALLOW", ALLOW),
    ],
)  # fmt: skip
def test_every_action(action: str, expected: int) -> None:
    program = compile_filter(profile(rule("mkdir", action=action)))
    assert verdict(program, MKDIR) == expected
    assert verdict(program, GETPID) == ALLOW


@native
def test_default_action_and_errno_values() -> None:
    given = profile(rule("getpid", action="SCMP_ACT_ALLOW"), rule("mkdir", errnoRet=17),
                    rule("clone", action="SCMP_ACT_TRACE", errnoRet=99),
                    default="SCMP_ACT_ERRNO", defaultErrnoRet=38)  # fmt: skip
    program = compile_filter(given)
    assert verdict(program, GETPID) == ALLOW
    assert verdict(program, MKDIR) == ERRNO | 17
    assert verdict(program, CLONE) == TRACE | 99
    assert verdict(program, READ) == ERRNO | 38


@native
@pytest.mark.parametrize(
    ("op", "values", "hit", "miss"),
    [
        ("NE", (5,), [4, 6], [5]), ("LT", (5,), [4], [5, 6]), ("LE", (5,), [4, 5], [6]),
        ("EQ", (5,), [5], [4, 1 << 32 | 5]), ("GE", (5,), [5, 1 << 40], [4]), ("GT", (5,), [6], [5]),
        ("MASKED_EQ", (0xF0, 0x30), [0x3A, 0x130], [0x4A]),
    ],
)  # fmt: skip
def test_every_comparison(op: str, values: tuple[int, ...], hit: list[int], miss: list[int]) -> None:
    program = compile_filter(profile(rule("mkdir", args=[argument(1, op, *values)])))
    assert {verdict(program, MKDIR, 0, value) for value in hit} == {ERRNO | 1}
    assert {verdict(program, MKDIR, 0, value) for value in miss} == {ALLOW}


@native
def test_several_arguments_must_all_match() -> None:
    program = compile_filter(profile(rule("mkdir", args=[argument(0, "EQ", 1), argument(2, "EQ", 3)])))
    assert verdict(program, MKDIR, 1, 0, 3) == ERRNO | 1
    assert verdict(program, MKDIR, 1, 0, 4) == ALLOW


@native
def test_one_index_twice_means_either() -> None:
    """As peers do: conditions on the same argument cannot both be meant."""
    given = rule("personality", action="SCMP_ACT_ALLOW", args=[argument(0, "EQ", 0), argument(0, "EQ", 8)])
    program = compile_filter(profile(given, default="SCMP_ACT_ERRNO"))
    assert [verdict(program, PERSONALITY, value) for value in (0, 8, 9)] == [ALLOW, ALLOW, ERRNO | 1]


@native
def test_rules_with_the_default_action_are_left_out() -> None:
    """libseccomp refuses them; they would change nothing."""
    assert verdict(compile_filter(profile(rule("mkdir", action="SCMP_ACT_ALLOW"))), MKDIR) == ALLOW


@native
def test_architectures() -> None:
    alone = compile_filter(profile(rule("mkdir")))
    assert verdict(alone, 39, arch=I386) == KILL  # a stranger's call is not looked at
    both = compile_filter(profile(rule("mkdir"), architectures=["SCMP_ARCH_X86"]))
    assert verdict(both, 39, arch=I386) == ERRNO | 1
    assert verdict(both, MKDIR) == ERRNO | 1  # the machine's own is always there
    assert verdict(both, X32_BIT | MKDIR) == KILL
    third = compile_filter(profile(rule("mkdir"), architectures=["SCMP_ARCH_X86_64", "SCMP_ARCH_X32"]))
    assert verdict(third, X32_BIT | MKDIR) == ERRNO | 1


@native
def test_calls_too_new_for_the_library() -> None:
    """EPERM would keep programs from falling back to an older call."""
    allow = rule("read", action="SCMP_ACT_ALLOW")
    program = compile_filter(profile(allow, default="SCMP_ACT_ERRNO", architectures=["SCMP_ARCH_X86"]))
    assert [verdict(program, number) for number in (READ, MKDIR, 1000, 1023)] == [
        ALLOW,
        ERRNO | 1,
        *[ERRNO | 38] * 2,
    ]
    assert verdict(program, 1000, arch=I386) == ERRNO | 38
    assert verdict(program, 3, arch=I386) == ALLOW
    assert verdict(program, 1024) == verdict(program, 200000) == ERRNO | 1
    assert verdict(program, X32_BIT | 1000) == KILL
    assert verdict(program, 1000, arch=0xC00000B7) == KILL
    with_x32 = compile_filter(profile(allow, default="SCMP_ACT_ERRNO", architectures=["SCMP_ARCH_X32"]))
    assert verdict(with_x32, X32_BIT | 1000) == ERRNO | 38
    assert verdict(with_x32, X32_BIT | MKDIR) == ERRNO | 1
    assert verdict(with_x32, X32_BIT | READ) == ALLOW


@native
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"default": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1}, ERRNO | 1), ({"default": "SCMP_ACT_KILL"}, KILL),
        ({"default": "SCMP_ACT_ALLOW"}, ALLOW),
    ],
)  # fmt: skip
def test_a_profile_is_taken_at_its_word(given: dict[str, Any], expected: int) -> None:
    assert verdict(compile_filter(profile(**given)), 1000) == expected


@native
def test_unknown_names_are_a_warning() -> None:
    warnings: list[str] = []
    given = profile(rule("no_such_call", "mkdir"), rule("getpid", "another_one"))
    program = compile_filter(given, warnings=warnings)
    assert verdict(program, MKDIR) == verdict(program, GETPID) == ERRNO | 1
    assert warnings == [
        "seccomp: unknown system calls, they get the default action: another_one no_such_call"
    ]


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        (profile(default="SCMP_ACT_NOTIFY"), "/defaultAction"),
        (profile(rule("read", "sendmsg", action="SCMP_ACT_NOTIFY")), "/syscalls/0/names/1"),
    ],
)
def test_errors_name_their_place(given: dict[str, Any], pointer: str) -> None:
    with pytest.raises(SpecError) as caught:
        pack_profile(given)
    assert caught.value.pointer == f"/linux/seccomp{pointer}"


def test_every_name_of_the_schema_has_a_number() -> None:
    assert set(seccomp.ACTIONS) == schema_table.SECCOMP_ACTION[1]
    assert set(seccomp.OPERATORS) == schema_table.SECCOMP_OPERATOR[1]


@native
def test_an_architecture_the_machine_cannot_have() -> None:
    with pytest.raises(HostError) as caught:
        compile_filter(profile(architectures=["SCMP_ARCH_X86", "SCMP_ARCH_S390X"]))
    assert caught.value.pointer == "/linux/seccomp/architectures/1"


@native
def test_contradicting_rules() -> None:
    one = argument(0, "EQ", 1)
    with pytest.raises(SpecError) as caught:
        compile_filter(
            profile(rule("read", args=[one]), rule("mkdir", "read", action="SCMP_ACT_LOG", args=[one]))
        )
    assert caught.value.pointer == "/linux/seccomp/syscalls/1/names/1"


def test_the_cache_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = tmp_path / "cache"
    program = compile_filter(profile(rule("mkdir")), str(directory))
    assert directory.stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr(seccomp, "_compile", lambda *_: b"made anew")
    assert compile_filter(profile(rule("mkdir")), str(directory)) == program
    assert compile_filter(profile(rule("rmdir")), str(directory)) == b"made anew"


@pytest.mark.parametrize("damage", ["cut", "changed", "symlink", "mode", "open directory", "empty"])
def test_a_doubtful_cache_is_not_used(damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compile_filter(profile(rule("mkdir")), str(tmp_path / "cache"))
    (entry,) = (tmp_path / "cache").iterdir()
    data = entry.read_bytes()
    if damage == "cut":
        entry.write_bytes(data[:-8])
    elif damage == "changed":
        entry.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    elif damage == "symlink":
        entry.rename(tmp_path / "elsewhere")
        entry.symlink_to(tmp_path / "elsewhere")
    elif damage == "mode":
        entry.chmod(0o666)
    elif damage == "open directory":
        (tmp_path / "cache").chmod(0o777)
    else:
        entry.write_bytes(b"")
    monkeypatch.setattr(seccomp, "_compile", lambda *_: b"made anew")
    assert compile_filter(profile(rule("mkdir")), str(tmp_path / "cache")) == b"made anew"


def test_a_new_library_makes_new_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compile_filter(profile(rule("mkdir")), str(tmp_path))
    monkeypatch.setattr(seccomp_cache, "_library", lambda: b"another")
    monkeypatch.setattr(seccomp, "_compile", lambda *_: b"made anew")
    tmp_path.chmod(0o700)
    assert compile_filter(profile(rule("mkdir")), str(tmp_path)) == b"made anew"


def test_the_cache_stays_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp_cache, "ENTRIES", 3)
    monkeypatch.setattr(seccomp, "_compile", lambda *_: b"12345678")
    for number in range(6):
        compile_filter(profile(rule(f"call{number}")), str(tmp_path / "cache"))
    assert len(list((tmp_path / "cache").iterdir())) == 3


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert compile_filter(profile(rule("mkdir")), str(tmp_path / "file" / "cache"))
