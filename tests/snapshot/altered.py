"""Programs started in ways that a caller cannot arrange otherwise: another auxiliary vector, refused system calls."""

from __future__ import annotations

import ctypes
import os
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

from tests.snapshot.world import CLEAN, Outcome

PTRACE_TRACEME, PTRACE_DETACH = 0, 17
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
SECCOMP_RET_ERRNO, SECCOMP_RET_ALLOW = 0x00050000, 0x7FFF0000
_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def stopped_first(command: list[str], act: Callable[[Path, int, int], None]) -> Outcome:
    """Run it after `act`, before its first instruction; act: takes /proc/PID, and where its stack begins and ends."""
    process = subprocess.Popen(
        command, env=CLEAN, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: _libc.ptrace(PTRACE_TRACEME, 0, None, None),
    )  # fmt: skip
    _, status = os.waitpid(process.pid, 0)
    assert os.WIFSTOPPED(status), status
    proc = Path(f"/proc/{process.pid}")
    (stack,) = (line for line in (proc / "maps").read_text().splitlines() if line.endswith("[stack]"))
    begin, end = (int(part, 16) for part in stack.split()[0].split("-"))
    act(proc, begin, end)
    assert _libc.ptrace(PTRACE_DETACH, process.pid, None, None) == 0
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def with_vector(command: list[str], change: Callable[[int, int], tuple[int, int]]) -> Outcome:
    """Run it with its auxiliary vector changed, entry (type, value) by entry."""

    def write(proc: Path, begin: int, end: int) -> None:
        vector = (proc / "auxv").read_bytes()
        changed = b"".join(struct.pack("<QQ", *change(*entry)) for entry in struct.iter_unpack("<QQ", vector))
        assert changed != vector
        with open(proc / "mem", "r+b", buffering=0) as memory:
            memory.seek(begin)
            place = begin + memory.read(end - begin).rindex(vector)
            memory.seek(place)
            memory.write(changed)

    return stopped_first(command, write)


def without_call(command: list[str], number: int, errno: int) -> Outcome:
    """Run it under a seccomp filter that answers the system call `number` (of x86_64) with `errno`."""
    steps = [
        (0x20, 0, 0, 0),
        (0x15, 0, 1, number),
        (0x06, 0, 0, SECCOMP_RET_ERRNO | errno),
        (0x06, 0, 0, SECCOMP_RET_ALLOW),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *step) for step in steps))
    program = struct.pack("<HxxxxxxQ", len(steps), ctypes.addressof(code))

    def install() -> None:
        assert _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
        assert _libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0) == 0

    result = subprocess.run(
        command, env=CLEAN, stdin=subprocess.DEVNULL, capture_output=True, timeout=60, preexec_fn=install
    )
    return result.returncode, result.stdout, result.stderr
