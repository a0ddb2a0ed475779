"""Operations on files and procfs (csrc/op_file.c)."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
from pathlib import Path

import pytest

from pyrunc.plan import ops
from pyrunc.plan.ops import Op, Slot
from tests.native.init_process import (
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWPID,
    InitError,
    InitProcess,
    error_of,
    in_root,
    in_user_namespace,
    looking_at,
    mapped,
)

P, M = Slot("proc"), Slot("mount")
CHR, FIFO = stat.S_IFCHR, stat.S_IFIFO


def run(root: Path, *operations: Op) -> None:
    with looking_at(in_root(root, *operations)):
        pass


def test_make_directory(root: Path) -> None:
    run(root, ops.make_directory("/a/b/c", 0o1770), ops.make_directory("/a", 0o700))
    assert stat.S_IMODE((root / "a/b/c").stat().st_mode) == 0o1770
    assert stat.S_IMODE((root / "a").stat().st_mode) == 0o755


def test_make_directory_over_a_file(root: Path) -> None:
    assert error_of(in_root(root, ops.make_directory("/etc/passwd", 0o755))).errno == errno.ENOTDIR


def test_make_symlink(root: Path) -> None:
    (root / "dev/stale").symlink_to("/old")
    (root / "dev/kept").write_text("file")
    run(
        root,
        ops.make_symlink("/dev/fd", "/proc/self/fd", ""),
        ops.make_symlink("/dev/fd", "/proc/self/fd", ""),
        ops.make_symlink("/dev/stale", "/new", ""),
        ops.make_symlink("/dev/kept", "/new", ""),
        ops.make_symlink("/dev/core", "/proc/kcore", "/proc/kcore"),
        ops.make_symlink("/dev/yes", "/x", "/etc/passwd"),
        ops.make_symlink("/missing/parent/link", "/x", ""),
    )
    assert os.readlink(root / "dev/fd") == "/proc/self/fd"
    assert os.readlink(root / "dev/stale") == "/new"
    assert (root / "dev/kept").read_text() == "file"
    assert not (root / "dev/core").is_symlink()
    assert (root / "dev/yes").is_symlink() and (root / "missing/parent/link").is_symlink()


def test_symlink_through_a_linked_parent_stays_inside(root: Path, tmp_path: Path) -> None:
    decoy = tmp_path / "decoy"
    decoy.mkdir()
    (root / "dev").rmdir()
    (root / "dev").symlink_to(decoy)
    run(
        root,
        ops.make_symlink("/dev/fd", "/proc/self/fd", ""),
        ops.make_node("/dev/null", CHR, 1, 3, 0o666, 0, 0, 1),
    )
    assert not list(decoy.iterdir())
    assert (root / str(decoy).lstrip("/") / "fd").is_symlink()


@pytest.mark.parametrize("target", ["/", "/dev/", "/dev/..", "."])
def test_links_and_nodes_need_a_name(root: Path, target: str) -> None:
    assert error_of(in_root(root, ops.make_symlink(target, "/x", ""))).errno == errno.EINVAL
    assert error_of(in_root(root, ops.make_node(target, FIFO, 0, 0, 0o666, 0, 0, 1))).errno == errno.EINVAL


def test_make_node(root: Path) -> None:
    run(
        root,
        ops.make_node("/dev/null", CHR, 1, 3, 0o666, 3, 4, 1),
        ops.make_node("/dev/deep/pipe", FIFO, 0, 0, 0o640, 0, 0, 1),
    )
    null, pipe = (root / "dev/null").stat(), (root / "dev/deep/pipe").stat()
    assert (null.st_mode, null.st_rdev, null.st_uid, null.st_gid) == (CHR | 0o666, os.makedev(1, 3), 3, 4)
    assert pipe.st_mode == FIFO | 0o640


def test_existing_nodes(root: Path, tmp_path: Path) -> None:
    os.mknod(root / "dev/null", CHR | 0o600, os.makedev(1, 3))
    (root / "dev/nil").symlink_to("/dev/null")
    decoy = tmp_path / "decoy"
    os.mknod(decoy, CHR | 0o600, os.makedev(1, 5))
    (root / "dev/zero").symlink_to(decoy)
    (root / "dev/full").write_text("")
    run(
        root,
        ops.make_node("/dev/null", CHR, 1, 3, 0o666, 9, 9, 1),
        ops.make_node("/dev/nil", CHR, 1, 3, 0o666, 9, 9, 0),
    )
    assert (root / "dev/null").stat().st_mode == CHR | 0o600 and (root / "dev/null").stat().st_uid == 0
    for name, minor, strict in (("null", 7, 1), ("null", 7, 0), ("nil", 3, 1), ("zero", 5, 0), ("full", 7, 0)):
        error = error_of(in_root(root, ops.make_node(f"/dev/{name}", CHR, 1, minor, 0o666, 0, 0, strict)))
        assert (error.op, error.errno, error.text) == ("make_node", errno.EEXIST, "another file is there"), name
    assert decoy.stat().st_mode == CHR | 0o600


def with_proc(
    root: Path, *operations: Op, flags: int = CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWPID
) -> InitProcess:
    return looking_at(in_root(root, ops.clone_init(flags), ops.open_proc(P), *operations))


def test_write_sysctl(root: Path) -> None:
    mount = [ops.new_mount(M, "proc", "proc", [], 0), ops.move_mount(M, "/proc", 1, 0)]
    writes = [
        ops.write_proc(P, "sys/kernel/msgmax", "9000", 0),
        ops.write_proc(P, "sys/net/ipv4/ip_forward", "1", 0),
    ]
    with with_proc(root, *mount, *writes) as init:
        command = "cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_forward"
        seen = subprocess.check_output(
            ["nsenter", "-t", str(init.pid), "-i", "-n", "sh", "-c", command], text=True
        )
        assert seen.split() == ["9000", "1"]
        assert set(init.mounts()) == {"/", "/proc"}


def test_write_self(root: Path) -> None:
    with with_proc(root, ops.write_proc(P, "self/oom_score_adj", "321", 0)) as init:
        assert Path(f"/proc/{init.pid}/oom_score_adj").read_text().strip() == "321"


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("../etc/passwd", errno.EXDEV),
        ("self/root/etc/passwd", errno.ELOOP),
        ("thread-self/oom_score_adj", errno.ELOOP),
        ("mounts", errno.ELOOP),
        ("sys/nothing/here", errno.ENOENT),
        ("sys/kernel/ostype", errno.EACCES),
    ],
)
def test_refused_writes(root: Path, name: str, number: int) -> None:
    plan = in_root(root, ops.clone_init(CLONE_NEWPID), ops.open_proc(P), ops.write_proc(P, name, "1", 0))
    error = error_of(plan)
    assert error.op == "write_proc"
    assert error.errno in (number, errno.EPERM if number == errno.EACCES else number)


@pytest.mark.parametrize("fake", ["filesystem", "directory"])
def test_where_no_procfs_can_be_had_the_containers_is_not_believed(root: Path, fake: str) -> None:
    """The kernel gives a new one only to who sees a whole one; the container's /proc may be anybody's."""
    if fake == "filesystem":
        mounts = [ops.new_mount(M, "tmpfs", "tmpfs", [], 0), ops.move_mount(M, "/proc", 0, 0)]
    else:  # a part of a procfs whose root is hidden
        mounts = [ops.open_tree(M, "/proc/sys", 0), ops.move_mount(M, "/proc", 0, 0)]
    plan = in_user_namespace(root, *mounts, ops.pivot_root(), ops.open_proc(P))
    plan.remove(next(op for op in reversed(plan) if op.name == "pivot_root"))
    with pytest.raises(InitError) as caught:
        mapped(plan)
    assert (caught.value.op, caught.value.errno) == ("open_proc", errno.EPERM)
    assert "not the root of a procfs" in caught.value.text


def test_missing_name_may_be_a_warning(root: Path) -> None:
    with with_proc(root, ops.write_proc(P, "sys/nothing/here", "1", 1)) as init:
        assert [(warning.error, warning.text) for warning in init.warnings] == [
            (errno.ENOENT, "sys/nothing/here")
        ]


def test_all_of_it_in_a_user_namespace(root: Path) -> None:
    mounts: list[Op] = []
    for kind, target in (("proc", "/proc"), ("tmpfs", "/tmp")):
        mounts += [ops.new_mount(M, kind, kind, [], 0), ops.move_mount(M, target, 1, 0)]
    plan = in_user_namespace(
        root, *mounts, ops.open_proc(P), ops.write_proc(P, "self/oom_score_adj", "900", 0), ops.open_device(M, "/dev/null", CHR, 1, 3),
        ops.move_mount(M, "/dev/null", 0, 0), ops.pivot_root(), ops.mask_path("/etc/passwd"), ops.mask_path("/sys"),
        ops.readonly_path("/proc/sys"), ops.readonly_root(),
    )  # fmt: skip
    plan.remove(next(op for op in reversed(plan) if op.name == "pivot_root"))
    with mapped(plan) as init:
        assert {"/", "/proc", "/tmp", "/dev/null", "/etc/passwd", "/sys", "/proc/sys"} == set(init.mounts())
        assert init.status("NSpid").split()[-1] == "1"
