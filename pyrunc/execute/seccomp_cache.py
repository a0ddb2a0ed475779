"""Compiled seccomp programs, kept in a directory that is the caller's alone.

A file's name is the digest of everything that its program depends on, its
content begins with the digest of the program.  Whatever is doubtful is made
anew; a cache that cannot be written is no error.
"""

from __future__ import annotations

import os
import stat

from pyrunc.execute.seccomp import INSTRUCTION_SIZE, MOST_INSTRUCTIONS, library_version

FORMAT = b"1"  # another one whenever the same profile gives another program
ENTRIES = 64
DIGEST_SIZE = 16


def read(path: str, packed: bytes) -> bytes:
    """The program of this packed profile, b"" if there is none to be trusted."""
    directory = _open_directory(path)
    if directory < 0:
        return b""
    try:
        return _read_entry(directory, _name(packed))
    finally:
        os.close(directory)


def write(path: str, packed: bytes, program: bytes) -> None:
    """Keep the program, and remove the oldest ones beyond ENTRIES."""
    directory = _open_directory(path, make=True)
    if directory < 0:
        return
    try:
        _write_entry(directory, _name(packed), program)
        _prune(directory)
    except OSError:
        pass
    finally:
        os.close(directory)


def _digest(data: bytes) -> bytes:
    try:
        from _blake2 import blake2b
    except ImportError:
        from hashlib import blake2b
    return blake2b(data, digest_size=DIGEST_SIZE).digest()


def _library() -> bytes:
    """What changes when libseccomp does: the loader's cache, or else its version."""
    try:
        status = os.stat("/etc/ld.so.cache")
    except OSError:
        return b"version " + library_version().encode()
    return b"cache %d %d" % (status.st_mtime_ns, status.st_size)


def _name(packed: bytes) -> str:
    """A file name for this profile, library, kernel and machine."""
    system = os.uname()
    key = b"\0".join((FORMAT, _library(), system.release.encode(), system.machine.encode(), packed))
    return _digest(key).hex()


def _open_directory(path: str, make: bool = False) -> int:
    """The directory's descriptor; -1 if it is not ours alone, or missing and not to be made."""
    try:
        if make:
            os.makedirs(path, 0o700, exist_ok=True)
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return -1
    status = os.fstat(directory)
    if status.st_uid == os.geteuid() and not status.st_mode & 0o077:
        return directory
    os.close(directory)
    return -1


def _read_entry(directory: int, name: str) -> bytes:
    """The program of that name; b"" if there is none, or it is damaged or another's."""
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except OSError:
        return b""
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
            return b""
        data = os.read(fd, DIGEST_SIZE + MOST_INSTRUCTIONS * INSTRUCTION_SIZE + 1)
    finally:
        os.close(fd)
    program = data[DIGEST_SIZE:]
    return program if _digest(program) == data[:DIGEST_SIZE] else b""


def _write_entry(directory: int, name: str, program: bytes) -> None:
    temporary = f".{os.getpid()}"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600, dir_fd=directory)
    try:
        os.write(fd, _digest(program) + program)
    finally:
        os.close(fd)
    os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)


def _prune(directory: int) -> None:
    names = os.listdir(directory)
    if len(names) <= ENTRIES:
        return
    names.sort(key=lambda name: os.stat(name, dir_fd=directory, follow_symlinks=False).st_mtime_ns)
    for name in names[:-ENTRIES]:
        os.unlink(name, dir_fd=directory)
