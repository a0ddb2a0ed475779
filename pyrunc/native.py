"""System calls that os lacks, as typed functions that raise OSError.

A thin face of the cffi module pyrunc._native (csrc/native*.c).  Here is no
policy: who calls what, and what a failure means, is the callers' affair.
Paths are str or bytes, descriptors are ints, all are closed on exec.
"""

from __future__ import annotations

import os

from pyrunc._native import ffi, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Path = str | bytes

NO_LIMIT = 0xFFFF_FFFF_FFFF_FFFF
"""RLIM_INFINITY as prlimit takes it."""


def _check(value: int, path: Path | None = None) -> int:
    """`value`, or OSError if it is a negated errno."""
    if value >= 0:
        return value
    if path is None:
        raise OSError(-value, os.strerror(-value))
    raise OSError(-value, os.strerror(-value), os.fsdecode(path))


def init_memfd() -> int:
    """A sealed, executable memfd with the embedded pyrunc-init."""
    return _check(lib.native_init_memfd())


def sealed_memfd(data: bytes, name: str) -> int:
    """A memfd that holds `data` and cannot be changed any more."""
    return _check(lib.native_sealed_memfd(data, len(data), name.encode()))


def _pack(strings: Sequence[bytes]) -> bytes:
    for string in strings:
        if 0 in string:
            raise ValueError(f"NUL in argument {string!r}")
    return b"\0".join(strings) + b"\0"


def spawn(
    program: int | Path,
    argv: Sequence[bytes],
    env: Sequence[bytes],
    fds: Sequence[tuple[int, int]] = (),
    *,
    cgroup_fd: int = -1,
    directory: Path = b"",
    own_group: bool = False,
) -> tuple[int, int]:
    """Start `program` (a descriptor or a path); returns (pid, pidfd).

    fds: (source, target) pairs.  0, 1 and 2 are inherited where they are no
    target; everything else is closed.  Signals are at their defaults, none is
    blocked.  cgroup_fd: directory of a v2 cgroup to start in.  directory:
    where to chdir(2) first.  own_group: it leads a process group, whose number
    is its pid.  A failed exec raises its error, nothing is left.  A script cannot
    be started from a descriptor.
    """
    program_fd = program if isinstance(program, int) else -1
    path = b"" if isinstance(program, int) else os.fsencode(program)
    pidfd = ffi.new("int *", -1)
    pid = lib.native_spawn(
        program_fd, path, _pack(argv), len(argv), _pack(env), len(env),
        [fd for pair in fds for fd in pair], len(fds), cgroup_fd, os.fsencode(directory), own_group,
        pidfd,
    )  # fmt: skip
    return _check(pid, path or None), pidfd[0]


def open_beneath(dir_fd: int, path: Path, flags: int, mode: int = 0) -> int:
    """openat2(2) below `dir_fd`, with no symlink on the way (BENEATH, NO_SYMLINKS)."""
    return _check(lib.native_open_beneath(dir_fd, os.fsencode(path), flags, mode), path)


def write_beneath(dir_fd: int, path: Path, data: bytes) -> None:
    """Write `data` with one write(2) into an existing file below `dir_fd`."""
    _check(lib.native_write_beneath(dir_fd, os.fsencode(path), data, len(data)), path)


def prlimit(pid: int, resource: int, soft: int, hard: int) -> None:
    """Set a resource limit of another process; values are unsigned, NO_LIMIT = none."""
    _check(lib.native_prlimit(pid, resource, soft, hard))


def setns(fd: int, flags: int) -> None:
    """setns(2) with a namespace's descriptor or a pidfd."""
    _check(lib.native_setns(fd, flags))


def prctl(option: int, argument: int = 0) -> int:
    """prctl(2) with one argument; returns what the call returns."""
    return _check(lib.native_prctl(option, argument))


def set_child_subreaper() -> None:
    """Orphaned descendants become children of this process."""
    prctl(36, 1)  # PR_SET_CHILD_SUBREAPER


def bind_mount(source: Path, target: Path, readonly: bool = False) -> None:
    """Show `source` with all that is mounted below it at `target` too; shared mounts stay peers."""
    _check(lib.native_bind_mount(os.fsencode(source), os.fsencode(target), readonly), target)


def detach_mount(path: Path) -> None:
    """umount2(2) of the topmost mount at `path` with all below it; symlinks are not followed."""
    _check(lib.native_detach_mount(os.fsencode(path)), path)


def make_user_namespace(uid_map: bytes, gid_map: bytes) -> int:
    """A descriptor of a new user namespace with these maps (lines of three numbers).

    Nobody runs in it; it serves as the mapping of id-mapped mounts.
    """
    return _check(lib.native_make_user_namespace(uid_map, len(uid_map), gid_map, len(gid_map)))


def bpf_load_device_program(instructions: bytes) -> int:
    """Load struct bpf_insn[] as BPF_PROG_TYPE_CGROUP_DEVICE; returns its descriptor.

    The error's text ends with the verifier's last line, if it said anything.
    """
    size = 16384
    log = ffi.new("char[]", size)
    fd = lib.native_bpf_load_device_program(instructions, len(instructions), log, size)
    if fd < 0:
        said = ffi.string(log).decode(errors="replace").strip()
        detail = f": {said.splitlines()[-1]}" if said else ""
        raise OSError(-fd, os.strerror(-fd) + detail)
    return fd


def bpf_attach_device(cgroup_fd: int, program_fd: int, replace_fd: int = -1) -> None:
    """Attach beside others' programs (ALLOW_MULTI), atomically in place of `replace_fd` if given."""
    _check(lib.native_bpf_attach_device(cgroup_fd, program_fd, replace_fd))


def bpf_detach_device(cgroup_fd: int, program_fd: int) -> None:
    """Detach a program from the cgroup."""
    _check(lib.native_bpf_detach_device(cgroup_fd, program_fd))


def bpf_device_programs(cgroup_fd: int) -> list[int]:
    """Descriptors of the programs attached to this very cgroup; the caller closes them."""
    fds = ffi.new("int[64]")
    count = _check(lib.native_bpf_device_programs(cgroup_fd, fds, 64))
    return [fds[index] for index in range(count)]
