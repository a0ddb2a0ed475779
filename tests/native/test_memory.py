"""What pyrunc-init costs the container's cgroup."""

from __future__ import annotations

import re
from pathlib import Path

from pyrunc.plan import ops
from pyrunc.plan.ops import Op, Slot
from tests.native.init_process import in_root, looking_at

M = Slot("mount")


def private_bytes(pid: int) -> int:
    """Anonymous memory: what was written to, page for page."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = re.search(r"^Anonymous:\s+(\d+) kB", text, re.MULTILINE)
    assert found
    return int(found[1]) * 1024


def test_few_pages_are_written(root: Path) -> None:
    mounts: list[Op] = []
    for number in range(10):
        mounts += [ops.new_mount(M, "tmpfs", "x", ["size=4k"], 0), ops.move_mount(M, f"/new/{number}", 0, 0)]
    plan = in_root(
        root, *mounts, ops.pivot_root(), ops.mask_path("/etc"), ops.readonly_path("/tmp"), swap=False
    )
    with looking_at(plan) as init:
        assert private_bytes(init.pid) <= 48 * 1024
