"""Targets whose components are exchanged for symlinks while pyrunc-init works on them."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pyrunc.plan import ops
from pyrunc.plan.ops import Op, Slot
from tests.native.init_process import InitError, in_root, looking_at

M = Slot("mount")
RENAME_EXCHANGE = 2
AT_FDCWD = -100


@contextmanager
def exchanging(first: Path, second: Path) -> Iterator[None]:
    """A process that exchanges two names as fast as it can."""
    libc = ctypes.CDLL(None)
    names = os.fsencode(first), os.fsencode(second)
    child = os.fork()
    if child == 0:
        try:
            while True:
                libc.renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE)
        finally:
            os._exit(0)
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def work(number: int) -> list[Op]:
    return [
        ops.make_directory(f"/a/b/dir{number}", 0o755),
        ops.make_symlink(f"/a/b/link{number}", "/x", ""),
        ops.make_node(f"/a/b/node{number}", 0o010000, 0, 0, 0o644, 0, 0, 0),
        ops.new_mount(M, "tmpfs", "x", [], 0),
        ops.move_mount(M, f"/a/b/mount{number}", 0, 0),
    ]


@pytest.mark.parametrize("content", ["decoy", "../../../../../../..decoy"])
def test_nothing_outside_is_touched(root: Path, tmp_path: Path, content: str) -> None:
    decoy = tmp_path / "decoy"
    (decoy / "b").mkdir(parents=True)
    (root / "a/b").mkdir(parents=True)
    (root / "swap").symlink_to(content.replace("decoy", str(decoy)))
    plan = in_root(root, *[op for number in range(40) for op in work(number)])
    done = 0
    with exchanging(root / "a", root / "swap"):
        for _ in range(15):
            try:
                with looking_at(plan):
                    done += 1
            except InitError:
                pass
    assert [path.name for path in decoy.rglob("*")] == ["b"]
