"""Guards that only a strange start trips: another auxiliary vector, places that are taken, refused system calls."""

from __future__ import annotations

import errno
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.snapshot.altered import stopped_first, with_vector, without_call
from tests.snapshot.header import PIECES, SEGMENT_COUNT, VDSO, patch
from tests.snapshot.world import IN_USE, NOT_IN_USE, World, assert_normal, run

NOT_THIS_PROCESS = "in use: not by this process"
# entries of the auxiliary vector
IGNORE, UID, EUID, GID, EGID, HWCAP, SECURE, RANDOM, HWCAP2, SYSINFO_EHDR = (
    1,
    11,
    12,
    13,
    14,
    16,
    23,
    25,
    26,
    33,
)
LAUNCHER_ADDRESS = 0x1000_0000_0000
STATX, MREMAP, MADVISE, SET_ROBUST_LIST, SIGALTSTACK = 332, 25, 28, 273, 131

Start = Callable[[list[str]], tuple[int, bytes, bytes]]


def status_line(world: World, start: Start = run) -> str:
    status, out, err = start([str(world.launcher), "snapshot", "status", "--directory", str(world.directory)])
    assert status == 0, err
    return out.decode().splitlines()[1]


def assert_started_normally(world: World, start: Start, refused: str, words: str = "check") -> None:
    """The tool names the reason; the launcher works, out of no image and without a marker."""
    status, out, _ = start([str(world.tool), words, str(world.image), "--version"])
    assert (status, out.decode().split(":")[0].strip()) == (1, refused)
    assert start([str(world.launcher), "--version"]) == world.normal("--version")
    assert status_line(world, start).startswith((NOT_THIS_PROCESS, NOT_IN_USE))
    assert not Path(str(world.image) + ".crashed").exists()


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (SECURE, "the program was started with another's privileges"), (UID, "only root uses it"), (EUID, "only root uses it"),
        (GID, "only root uses it"), (EGID, "only root uses it"), (HWCAP, "the processor's capabilities (hwcap) are others"),
        (HWCAP2, "the processor's capabilities (hwcap) are others"),
    ],
)  # fmt: skip
def test_what_the_kernel_says(world: World, kind: int, reason: str) -> None:
    def changed(command: list[str]) -> tuple[int, bytes, bytes]:
        return with_vector(command, lambda type, value: (type, value ^ 1 if type == kind else value))

    assert_started_normally(world, changed, reason)


def leave_out(kind: int) -> Start:
    return lambda command: with_vector(command, lambda type, value: (IGNORE if type == kind else type, value))


def test_no_vdso(world: World) -> None:
    assert_started_normally(world, leave_out(SYSINFO_EHDR), "the kernel's vdso is another")


def test_no_random_bytes(world: World) -> None:
    """The canary stays the image's; the rest goes on."""
    assert status_line(world, leave_out(RANDOM)).startswith(IN_USE)


def test_place_of_a_segment_is_taken(world: World) -> None:
    """Here by the launcher itself; in life by whatever the kernel put there.  First and last segment."""
    kept = world.image.read_bytes()
    (count,) = struct.unpack_from("<Q", kept, SEGMENT_COUNT)
    from pyrunc.snapshot.keys import FIXED_SIZE

    for index in (0, count - 1):
        world.image.write_bytes(kept)
        patch(world.image, FIXED_SIZE + 32 * index, lambda old: struct.pack("<Q", LAUNCHER_ADDRESS), 8)
        assert_started_normally(world, run, "the memory has no room for the image", "run")


def test_second_try(world: World) -> None:
    """The place is free in the next process: a guard page of the image is put where the first has its stack."""
    from pyrunc.snapshot.keys import FIXED_SIZE

    (count,) = struct.unpack_from("<Q", world.image.read_bytes(), SEGMENT_COUNT)
    table = struct.iter_unpack("<QQQQ", world.image.read_bytes()[FIXED_SIZE:][: 32 * count])
    guard = next(index for index, (_, _, _, protection) in enumerate(table) if protection == 0)

    def move(proc: Path, begin: int, end: int) -> None:
        patch(world.image, FIXED_SIZE + 32 * guard, lambda old: struct.pack("<Q", begin), 8)

    assert status_line(world, lambda command: stopped_first(command, move)).startswith(IN_USE)
    command = [str(world.launcher), "--version"]
    assert stopped_first(command, move) == world.normal("--version")


def test_proc_of_somebody_else(world: World, tmp_path: Path) -> None:
    """Where /proc is a mere directory, what lies at /proc/self/exe is not executed."""
    strange = tmp_path / "self/exe"
    strange.parent.mkdir()
    shutil.copy("/bin/false", strange)
    script = (
        'mount --bind "$0" /proc && exec prlimit --as=40000000 "$@"'  # no room for the image: tried again
    )
    command = ["unshare", "--mount", "sh", "-c", script, str(tmp_path), str(world.launcher), "--version"]
    assert run(command) == world.normal("--version")


def test_place_of_the_vdso_is_taken(world: World) -> None:
    (first,) = struct.unpack_from("<q", world.image.read_bytes(), PIECES)
    patch(world.image, VDSO, lambda old: struct.pack("<Q", LAUNCHER_ADDRESS - first), 8)
    assert_started_normally(world, run, "the vdso's place is taken", "run")


def test_vdso_that_cannot_be_moved(world: World) -> None:
    patch(world.image, PIECES, lambda old: struct.pack("<q", struct.unpack("<q", old)[0] - (1 << 30)), 8)
    assert_started_normally(world, run, "the vdso cannot be moved", "run")


@pytest.mark.parametrize(
    ("number", "error", "words", "reason"),
    [
        (STATX, errno.ENOSYS, "check", "there is no image"),
        (MREMAP, errno.EPERM, "run", "the vdso cannot be moved"),
    ],
)
def test_refused_system_calls(world: World, number: int, error: int, words: str, reason: str) -> None:
    assert_started_normally(world, lambda command: without_call(command, number, error), reason, words)


@pytest.mark.parametrize("number", [MADVISE, SET_ROBUST_LIST, SIGALTSTACK])
def test_system_calls_that_are_not_missed(world: World, number: int) -> None:
    def start(command: list[str]) -> tuple[int, bytes, bytes]:
        return without_call(command, number, errno.ENOSYS)

    assert status_line(world, start).startswith(IN_USE)
    assert start([str(world.launcher), "--version"]) == world.normal("--version")


@pytest.mark.needs("strace")
def test_traced(world: World) -> None:
    """A debugger sees a process like any other."""
    before = ["strace", "-f", "-o", "/dev/null"]
    assert world.status_line(*before).startswith(IN_USE)
    assert run([*before, str(world.launcher), "--help"]) == world.normal("--help")


def test_file_system_without_execution(world: World) -> None:
    script = 'mount --bind "$0" "$0" && mount -o remount,bind,noexec "$0" && exec "$@"'
    assert_normal(world, "mounted noexec", "unshare", "--mount", "sh", "-c", script, str(world.directory))


def test_path_that_is_too_long(world: World) -> None:
    status, out, _ = run([str(world.tool), "check", "/" + "x" * 5000])
    assert (status, out[:30]) == (1, b"the image's path is too long: ")


def test_directory_that_is_missing(world: World) -> None:
    moved = world.directory.with_name("moved")
    world.directory.rename(moved)
    try:
        assert_normal(world, "there is no image")
    finally:
        moved.rename(world.directory)


def test_directory_that_is_a_link(world: World) -> None:
    moved = world.directory.with_name("moved")
    world.directory.rename(moved)
    world.directory.symlink_to(moved)
    try:
        assert_normal(world, "the image's directory is not root's alone")
    finally:
        world.directory.unlink()
        moved.rename(world.directory)


def test_file_that_is_gone(world: World) -> None:
    """A directory of modules, here; named as it was."""
    file = world.library / "pyrunc.modules"
    moved = file.with_name("moved")
    file.rename(moved)
    try:
        status, out, _ = run([str(world.tool), "check", str(world.image)])
    finally:
        moved.rename(file)
    assert (status, out.decode()) == (1, f"a file is gone: {file}\n")


def test_image_of_another_layout(world: World) -> None:
    """Whatever a header of another version holds, nothing of it is read."""
    patch(world.image, 0, lambda old: bytes([old[0] ^ 1]) + old[1:], 8)
    assert_normal(world, "the image is of another version of pyrunc")
