"""The root swap and what restricts a container's files (csrc/op_root.c, op_move_root.c)."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pyrunc.plan import ops
from pyrunc.plan.ops import Op, Slot
from tests.native.init_process import (
    CHECKOUT,
    MS_PRIVATE,
    MS_REC,
    MS_SHARED,
    MS_UNBINDABLE,
    NODEV,
    NOSUID,
    InitProcess,
    Mount,
    error_of,
    in_root,
    looking_at,
)

M = Slot("mount")
NULL = ops.make_node("/dev/null", 0o020000, 1, 3, 0o666, 0, 0, 1)


def restricted(root: Path, *operations: Op, null: bool = True) -> InitProcess:
    """The operations after the root swap."""
    first = [NULL] if null else []
    return looking_at(in_root(root, *first, ops.pivot_root(), *operations, swap=False))


def proc_and_sys() -> list[Op]:
    mounts: list[Op] = []
    for kind, target in (("proc", "/proc"), ("sysfs", "/sys")):
        mounts += [ops.new_mount(M, kind, kind, [], NODEV | NOSUID), ops.move_mount(M, target, 1, 0)]
    return mounts


def test_pivot_root(root: Path) -> None:
    with looking_at(in_root(root)) as init:
        assert set(init.mounts()) == {"/"}
        assert os.path.samefile(f"/proc/{init.pid}/root", root)
        assert os.path.samefile(f"/proc/{init.pid}/cwd", root)


def test_root_slot_is_good_after_the_swap(root: Path) -> None:
    with restricted(root, ops.make_directory("/later", 0o700)):
        pass
    assert (root / "later").is_dir()


def test_move_root(root: Path) -> None:
    with looking_at(in_root(root, *proc_and_sys(), ops.move_root(), swap=False)) as init:
        assert {"/", "/proc", "/sys"} == set(init.mounts())
        assert os.path.samefile(f"/proc/{init.pid}/root", root)
        assert init.path("/proc/version").exists()


# Run in the mount namespace in which pyrunc-init works, whose old root it can still see.
LOOK_FROM_THE_OLD_ROOT = """
import sys
from pyrunc.plan import ops
from tests.native.init_process import MS_PRIVATE, MS_REC, Slot, looking_at
mountinfo = open("/proc/self/mountinfo")
plan = [ops.set_propagation(MS_PRIVATE | MS_REC), ops.open_tree(Slot("root"), sys.argv[1], 1)]
plan += [ops.attach_root_at(Slot("root"), "/"), ops.move_root(), ops.signal("look"), ops.wait("end")]
with looking_at(plan):
    print(mountinfo.read())
"""


@pytest.mark.parametrize("user_namespace", [False, True])
def test_move_root_leaves_no_procfs_outside(root: Path, user_namespace: bool) -> None:
    """It is detached, or covered where the mounts are locked because they came from above."""
    seen = subprocess.check_output(
        [
            "unshare",
            "-Urm" if user_namespace else "-m",
            sys.executable,
            "-c",
            LOOK_FROM_THE_OLD_ROOT,
            str(root),
        ],
        cwd=CHECKOUT,
        text=True,
    )
    mounts = [Mount(line) for line in seen.splitlines() if line]
    top = {mount.point: mount for mount in mounts}  # of several, the last one covers the others
    assert not [point for point, mount in top.items() if mount.kind in ("proc", "sysfs")]
    assert any(mount.kind in ("proc", "sysfs") for mount in mounts) == user_namespace


def test_open_root(root: Path) -> None:
    plan = [
        ops.open_root(),
        ops.make_directory(str(root / "made"), 0o710),
        ops.signal("look"),
        ops.wait("end"),
    ]
    with looking_at(plan):
        assert (root / "made").stat().st_mode & 0o777 == 0o710


def test_use_root(root: Path) -> None:
    plan = [
        ops.open_source(Slot("place"), str(root)),
        ops.use_root(Slot("place")),
        ops.make_directory("/made", 0o710),
        ops.change_root(),
        ops.signal("look"),
        ops.wait("end"),
    ]
    with looking_at(plan) as init:
        assert (root / "made").stat().st_mode & 0o777 == 0o710
        assert Path(f"/proc/{init.pid}/root").readlink() == root
        assert Path(f"/proc/{init.pid}/cwd").readlink() == root
    assert error_of([ops.use_root(Slot("nothing"))]).errno == errno.EBADF


def test_target_without_a_root() -> None:
    assert error_of([ops.make_directory("/x", 0o755)]).errno == errno.EBADF


def test_readonly_root(root: Path) -> None:
    with restricted(root, ops.readonly_root()) as init:
        assert "ro" in init.mounts()["/"].flags


def test_readonly_root_leaves_other_mounts(root: Path) -> None:
    plan = in_root(
        root,
        ops.new_mount(M, "tmpfs", "x", [], 0),
        ops.move_mount(M, "/tmp", 0, 0),
        ops.pivot_root(),
        ops.readonly_root(),
        swap=False,
    )
    with looking_at(plan) as init:
        assert "rw" in init.mounts()["/tmp"].flags


@pytest.mark.parametrize(
    ("flags", "expected"),
    [(MS_SHARED, {"shared"}), (MS_PRIVATE | MS_REC, set()), (MS_UNBINDABLE, {"unbindable"})],
)
def test_root_propagation(root: Path, flags: int, expected: set[str]) -> None:
    with restricted(root, ops.root_propagation(MS_SHARED), ops.root_propagation(flags)) as init:
        # a slave as well where the host shares its mounts
        assert init.mounts()["/"].propagation - {"master"} == expected


def test_mask_file_and_directories(root: Path) -> None:
    for name in ("secret", "other"):
        (root / name).mkdir()
        (root / name / "file").write_text("secret")
    masks = [
        ops.mask_path(path) for path in ("/etc/passwd", "/secret", "/other", "/missing", "/etc/passwd/below")
    ]
    with restricted(root, *masks) as init:
        mounts = init.mounts()
        assert init.path("/etc/passwd").read_bytes() == b""
        assert os.stat(init.path("/etc/passwd")).st_rdev == os.makedev(1, 3)
        for path in ("/secret", "/other"):
            assert mounts[path].kind == "tmpfs" and "ro" in mounts[path].flags
            assert not list(init.path(path).iterdir())
        assert "/missing" not in mounts


@pytest.mark.parametrize("null", ["missing", "link", "file", "zero"])
def test_mask_without_dev_null(root: Path, null: str) -> None:
    decoy = root / "decoy"
    decoy.write_text("decoy")
    place = root / "dev/null"
    if null == "link":
        place.symlink_to("/decoy")
    elif null == "file":
        place.write_text("text")
    elif null == "zero":
        os.mknod(place, 0o020666, os.makedev(1, 5))
    (root / "second").write_text("secret")
    with restricted(root, ops.mask_path("/etc/passwd"), ops.mask_path("/second"), null=False) as init:
        assert set(init.mounts()) == {"/", "/etc/passwd", "/second"}
        for path in ("/etc/passwd", "/second"):
            assert init.path(path).read_bytes() == b""
            mount = init.mounts()[path]
            assert (mount.kind, mount.root) == ("tmpfs", "/null") and "ro" in mount.flags
            with pytest.raises(OSError):
                init.path(path).write_text("x")


def test_readonly_path_keeps_flags(root: Path) -> None:
    plan = in_root(
        root,
        ops.new_mount(M, "tmpfs", "x", [], NOSUID | NODEV),
        ops.move_mount(M, "/tmp", 0, 0),
        ops.make_directory("/tmp/a/b", 0o755),
        ops.new_mount(M, "tmpfs", "inner", [], 0),
        ops.move_mount(M, "/tmp/a/b", 0, 0),
        ops.pivot_root(),
        ops.readonly_path("/tmp/a"),
        ops.readonly_path("/missing"),
        swap=False,
    )
    with looking_at(plan) as init:
        mounts = init.mounts()
        assert {"ro", "nosuid", "nodev"} <= mounts["/tmp/a"].flags
        assert "ro" in mounts["/tmp/a/b"].flags
        assert "rw" in mounts["/tmp"].flags


def test_masked_and_readonly_procfs(root: Path) -> None:
    plan = in_root(
        root, NULL, *proc_and_sys(), ops.pivot_root(), ops.mask_path("/proc/cpuinfo"), ops.mask_path("/proc/irq"),
        ops.readonly_path("/proc/sys"), swap=False,
    )  # fmt: skip
    with looking_at(plan) as init:
        mounts = init.mounts()
        assert "ro" in mounts["/proc/sys"].flags and mounts["/proc/sys"].kind == "proc"
        assert {"/proc/cpuinfo", "/proc/irq"} <= set(mounts)
