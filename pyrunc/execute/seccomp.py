"""linux.seccomp as a BPF program, made by libseccomp and kept for the next time.

Here: the profile, packed for one call of the cffi module pyrunc._seccomp
(csrc/seccomp_filter.c), and the errors that are known only here.  A profile is
part of a valid document: names of actions, architectures and comparisons and
the ranges of numbers were judged by `pyrunc.spec`.  The cache of programs is
pyrunc.execute.seccomp_cache; the flags and the listener are the plan's affair.
Spec: config-linux.md, "Seccomp".
"""

from __future__ import annotations

import errno
import os

from pyrunc.cores import pack
from pyrunc.errors import HostError, SpecError
from pyrunc.linux import (
    SECCOMP_RET_ALLOW,
    SECCOMP_RET_ERRNO,
    SECCOMP_RET_KILL_PROCESS,
    SECCOMP_RET_KILL_THREAD,
    SECCOMP_RET_LOG,
    SECCOMP_RET_TRACE,
    SECCOMP_RET_TRAP,
    SECCOMP_RET_USER_NOTIF,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

POINTER = "/linux/seccomp"
ACTIONS = {
    "SCMP_ACT_KILL": SECCOMP_RET_KILL_THREAD,
    "SCMP_ACT_KILL_THREAD": SECCOMP_RET_KILL_THREAD,
    "SCMP_ACT_KILL_PROCESS": SECCOMP_RET_KILL_PROCESS,
    "SCMP_ACT_TRAP": SECCOMP_RET_TRAP,
    "SCMP_ACT_ERRNO": SECCOMP_RET_ERRNO,
    "SCMP_ACT_TRACE": SECCOMP_RET_TRACE,
    "SCMP_ACT_ALLOW": SECCOMP_RET_ALLOW,
    "SCMP_ACT_LOG": SECCOMP_RET_LOG,
    "SCMP_ACT_NOTIFY": SECCOMP_RET_USER_NOTIF,
}
WITH_DATA = ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE")  # what the program or its tracer is told
OPERATORS = {
    "SCMP_CMP_NE": 1,
    "SCMP_CMP_LT": 2,
    "SCMP_CMP_LE": 3,
    "SCMP_CMP_EQ": 4,
    "SCMP_CMP_GE": 5,
    "SCMP_CMP_GT": 6,
    "SCMP_CMP_MASKED_EQ": 7,
}
# pyrunc-init makes these calls after the filter is loaded and before anybody could answer for them.
NEVER_NOTIFIED = ("write", "writev", "sendmsg", "recvfrom", "close")

INSTRUCTION_SIZE = 8
MOST_INSTRUCTIONS = 4096


def compile_filter(
    seccomp: Mapping[str, Any], cache_dir: str | None = None, warnings: list[str] | None = None
) -> bytes:
    """The profile as struct sock_filter[].

    cache_dir: where programs are kept, made if missing; it is used only if it
    is the caller's own and nobody else can enter it.  warnings: gets a text
    about names that libseccomp does not know, when the program is made anew.
    Calls too new for libseccomp get ENOSYS, not the default EPERM (see
    csrc/seccomp_unknown.c), unless the profile has a defaultErrnoRet.
    """
    packed = pack_profile(seccomp)
    if cache_dir is None:
        return _compile(packed, seccomp, warnings)
    from pyrunc.execute import seccomp_cache

    program = seccomp_cache.read(cache_dir, packed)
    if not program:
        program = _compile(packed, seccomp, warnings)
        seccomp_cache.write(cache_dir, packed, program)
    return program


# --- the profile's rules ----------------------------------------------------------


def pack_profile(seccomp: Mapping[str, Any]) -> bytes:
    """The profile as csrc/seccomp_filter.c reads it; SpecError for what would never get to its agent."""
    default = _action(seccomp, "defaultAction", "defaultErrnoRet")
    if default == SECCOMP_RET_USER_NOTIF:
        raise SpecError("SCMP_ACT_NOTIFY cannot be the default action", pointer=f"{POINTER}/defaultAction")
    architectures = [_architecture(name) for name in seccomp.get("architectures") or ()]
    rules = seccomp.get("syscalls") or ()
    unnamed = seccomp["defaultAction"] == "SCMP_ACT_ERRNO" and seccomp.get("defaultErrnoRet") is None
    parts = [pack("=4I", default, unnamed, len(architectures), len(rules)), *architectures]
    for index, rule in enumerate(rules):
        _pack_rule(rule, f"{POINTER}/syscalls/{index}", parts)
    return b"".join(parts)


def _action(holder: Mapping[str, Any], key: str, data_key: str) -> int:
    """The SECCOMP_RET_* of `key`, with the data of `data_key` in its low bits, by default EPERM."""
    name = holder[key]
    return ACTIONS[name] | (holder.get(data_key, errno.EPERM) if name in WITH_DATA else 0)


def _architecture(name: str) -> bytes:
    """As seccomp_arch_resolve_name(3) takes it: `x86_64` for SCMP_ARCH_X86_64."""
    return name.removeprefix("SCMP_ARCH_").lower().encode() + b"\0"


def _pack_rule(rule: Mapping[str, Any], pointer: str, parts: list[bytes]) -> None:
    action = _action(rule, "action", "errnoRet")
    names, arguments = rule["names"], rule.get("args") or ()
    if action == SECCOMP_RET_USER_NOTIF:
        _check_notified(names, pointer)
    parts.append(pack("=3I", action, len(arguments), len(names)))
    for argument in arguments:
        operator, values = OPERATORS[argument["op"]], (argument["value"], argument.get("valueTwo", 0))
        parts.append(pack("=2I2Q", argument["index"], operator, *values))
    parts.append("\0".join(names).encode() + b"\0")


def _check_notified(names: list[str], pointer: str) -> None:
    for number, name in enumerate(names):
        if name in NEVER_NOTIFIED:
            text = f"SCMP_ACT_NOTIFY cannot be used for {name}, which hands the listener over"
            raise SpecError(text, pointer=f"{pointer}/names/{number}")


# --- libseccomp -------------------------------------------------------------------


def _compile(packed: bytes, seccomp: Mapping[str, Any], warnings: list[str] | None) -> bytes:
    try:
        from pyrunc._seccomp import ffi, lib
    except ImportError as error:
        raise HostError(f"libseccomp cannot be used: {error}", pointer=POINTER) from error

    names = [name for rule in seccomp.get("syscalls") or () for name in rule["names"]]
    capacity = MOST_INSTRUCTIONS * INSTRUCTION_SIZE
    program = ffi.new("char[]", capacity)
    unknown = ffi.new("uint32_t[]", max(len(names), 1))
    report = ffi.new("uint32_t[4]")
    size = lib.filter_compile(packed, len(packed), program, capacity, unknown, report)
    if size < 0:
        raise _failure(-size, report[0], report[1], report[2], seccomp)
    if warnings is not None and report[3]:
        missing = sorted({names[unknown[index]] for index in range(report[3])})
        warnings.append(f"seccomp: unknown system calls, they get the default action: {' '.join(missing)}")
    return bytes(ffi.buffer(program, size))


def _failure(number: int, stage: int, rule: int, name: int, seccomp: Mapping[str, Any]) -> Exception:
    """The error for what csrc/seccomp_filter.c reports."""
    reason = os.strerror(number)
    if stage == 1:
        architecture = seccomp["architectures"][rule]
        text = f"libseccomp cannot filter {architecture} on this machine"
        return HostError(text, pointer=f"{POINTER}/architectures/{rule}", errno=number)
    if stage == 2:
        pointer = f"{POINTER}/syscalls/{rule}/names/{name}"
        if number == errno.EEXIST:
            return SpecError("another rule gives the same call and arguments another action", pointer=pointer)
        return HostError(f"libseccomp refuses the rule: {reason}", pointer=pointer, errno=number)
    if number == errno.E2BIG:
        text = f"the profile makes more than {MOST_INSTRUCTIONS} instructions, the kernel's limit"
        return SpecError(text, pointer=POINTER)
    return HostError(f"libseccomp cannot make the filter: {reason}", pointer=POINTER, errno=number)


def library_version() -> str:
    """The version of the libseccomp that is loaded, or `none`."""
    try:
        from pyrunc._seccomp import lib
    except ImportError:
        return "none"
    number = lib.filter_library_version()
    return f"{number >> 16}.{number >> 8 & 255}.{number & 255}"
