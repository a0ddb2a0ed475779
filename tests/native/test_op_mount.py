"""Operations on mounts (csrc/op_mount.c, op_copy_up.c)."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from pyrunc.plan import ops
from pyrunc.plan.ops import Op, Slot
from tests.native.init_process import (
    CLONE_NEWPID,
    MS_PRIVATE,
    MS_SHARED,
    NODEV,
    NOEXEC,
    NOSUID,
    RDONLY,
    error_of,
    in_root,
    looking_at,
)

M = Slot("mount")


def tmpfs(target: str, *options: str, attributes: int = 0) -> list[Op]:
    return [ops.new_mount(M, "tmpfs", "tmpfs", list(options), attributes), ops.move_mount(M, target, 0, 0)]


def test_new_mount(root: Path) -> None:
    with looking_at(
        in_root(root, *tmpfs("/tmp", "size=64k", "mode=1750", attributes=NOSUID | NODEV))
    ) as init:
        mount = init.mounts()["/tmp"]
        assert (mount.kind, mount.source) == ("tmpfs", "tmpfs")
        assert mount.flags == {"rw", "nosuid", "nodev", "relatime"}
        assert {"size=64k", "mode=1750"} <= mount.options


@pytest.mark.parametrize(
    ("kind", "options", "number", "text"),
    [
        ("nosuchfs", [], errno.ENODEV, "nosuchfs"),
        ("tmpfs", ["colour=red"], errno.EINVAL, "colour"),
        ("tmpfs", ["size=" + "1" * 300], errno.EINVAL, "255"),
    ],
)
def test_new_mount_says_what_is_wrong(
    root: Path, kind: str, options: list[str], number: int, text: str
) -> None:
    error = error_of(in_root(root, ops.new_mount(M, kind, "x", options, 0)))
    assert (error.op, error.errno) == ("new_mount", number)
    assert text in error.text


def test_mount_points_are_created(root: Path, tmp_path: Path) -> None:
    source = tmp_path / "file"
    source.write_text("content")
    plan = in_root(
        root,
        *tmpfs("/new/deep/dir"),
        ops.open_tree(M, str(source), 0),
        ops.move_mount(M, "/other/file", 0, 0),
    )
    with looking_at(plan) as init:
        assert init.path("/other/file").read_text() == "content"
        assert "/new/deep/dir" in init.mounts()
    assert (root / "other/file").is_file() and (root / "other/file").read_text() == ""
    assert stat.S_IMODE((root / "new/deep").stat().st_mode) == 0o755


@pytest.mark.parametrize("link", ["/outside", "../../../../../../../outside", "loop/../outside"])
def test_links_stay_inside(root: Path, tmp_path: Path, link: str) -> None:
    decoy = tmp_path / "outside"
    decoy.mkdir()
    (root / "loop").mkdir()
    (root / "data").symlink_to(link)
    with looking_at(in_root(root, *tmpfs("/data/sub/mount"))) as init:
        assert "/outside/sub/mount" in init.mounts()
    assert (root / "outside/sub/mount").is_dir()
    assert not list(decoy.iterdir())


def test_dangling_file_link_stays_inside(root: Path, tmp_path: Path) -> None:
    (root / "etc/resolv.conf").symlink_to("../run/resolve/stub.conf")
    source = tmp_path / "file"
    source.write_text("content")
    with looking_at(
        in_root(root, ops.open_tree(M, str(source), 0), ops.move_mount(M, "/etc/resolv.conf", 0, 0))
    ) as init:
        assert "/run/resolve/stub.conf" in init.mounts()


@pytest.mark.parametrize(("content", "number"), [("self", errno.ELOOP), ("/self2", errno.ELOOP)])
def test_link_loops_end(root: Path, content: str, number: int) -> None:
    (root / "self").symlink_to(content)
    (root / "self2").symlink_to("/self")
    assert error_of(in_root(root, *tmpfs("/self/x"))).errno == number


def test_long_dangling_chains_end(root: Path) -> None:
    for number in range(60):
        (root / f"l{number}").symlink_to(f"gone{number}/../l{number + 1}")
    assert error_of(in_root(root, *tmpfs("/l0/x"))).errno == errno.ELOOP


def test_no_symlinks(root: Path) -> None:
    (root / "proc").rmdir()
    (root / "proc").symlink_to("/tmp")
    plan = in_root(root, ops.new_mount(M, "tmpfs", "x", [], 0), ops.move_mount(M, "/proc", 1, 0))
    assert error_of(plan).errno == errno.ELOOP


def test_no_symlinks_dangling(root: Path) -> None:
    (root / "proc").rmdir()
    (root / "proc").symlink_to("/nowhere")
    plan = in_root(root, ops.new_mount(M, "tmpfs", "x", [], 0), ops.move_mount(M, "/proc", 1, 0))
    assert error_of(plan).errno == errno.ELOOP
    assert not (root / "nowhere").exists()


@pytest.mark.parametrize("target", ["/", "", "/.", "/tmp/..", "/../.."])
def test_root_is_refused(root: Path, target: str) -> None:
    error = error_of(in_root(root, *tmpfs(target)))
    assert (error.op, error.errno) == ("move_mount", errno.EBUSY)


def test_type_mismatch(root: Path) -> None:
    assert error_of(in_root(root, *tmpfs("/etc/passwd"))).errno == errno.ENOTDIR
    plan = in_root(root, ops.open_tree(M, str(root / "etc/passwd"), 0), ops.move_mount(M, "/tmp", 0, 0))
    assert error_of(plan).errno == errno.ENOTDIR


def proc(target: str = "/proc") -> list[Op]:
    return [ops.new_mount(M, "proc", "proc", [], NOSUID | NODEV | NOEXEC), ops.move_mount(M, target, 1, 0)]


def test_mount_on_procfs_is_refused(root: Path) -> None:
    error = error_of(in_root(root, *proc(), *tmpfs("/proc/sys")))
    assert (error.op, error.errno) == ("move_mount", errno.EPERM)
    assert error.text == '"/proc/sys" cannot be mounted because it is inside /proc'
    assert error_of(in_root(root, *proc(), *tmpfs("/proc"))).errno == errno.EPERM


def test_mount_on_procfs_where_allowed(root: Path) -> None:
    plan = in_root(root, *proc(), ops.new_mount(M, "tmpfs", "x", [], 0), ops.move_mount(M, "/proc/sys", 0, 1))
    with looking_at(plan) as init:
        assert init.mounts()["/proc/sys"].kind == "tmpfs"


def test_mount_on_a_procfs_that_is_not_in_proc(root: Path) -> None:
    (root / "host/proc").mkdir(parents=True)
    for order in ([*proc(), *proc("/host/proc")], proc("/host/proc")):
        with looking_at(in_root(root, *order, *tmpfs("/host/proc"))) as init:
            assert init.mounts()["/host/proc"].kind == "tmpfs"


def test_mount_on_procfs_through_a_symlink(root: Path) -> None:
    (root / "link").symlink_to("/proc/sys")
    assert error_of(in_root(root, *proc(), *tmpfs("/link"))).errno == errno.EPERM


def test_require_proc(root: Path) -> None:
    error = error_of(in_root(root, ops.new_mount(M, "tmpfs", "x", [], 0), ops.require_proc(M)))
    assert (error.op, error.errno) == ("require_proc", errno.EPERM)
    with looking_at(in_root(root, ops.open_tree(M, "/proc", 0), ops.require_proc(M))):
        pass
    assert error_of(in_root(root, ops.require_proc(M))).errno == errno.EBADF


def test_mount_setattr_detached_and_attached(root: Path) -> None:
    plan = in_root(
        root,
        ops.new_mount(M, "tmpfs", "x", [], 0),
        ops.mount_setattr(M, NODEV, 0, 0, 0),
        ops.move_mount(M, "/tmp", 0, 0),
        ops.mount_setattr(M, RDONLY | NOSUID, NODEV, MS_SHARED, 1),
    )
    with looking_at(plan) as init:
        mount = init.mounts()["/tmp"]
        assert {"ro", "nosuid"} <= mount.flags and "nodev" not in mount.flags
        assert "shared" in mount.propagation


def test_bind_recursive_and_not(root: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "inner").mkdir(parents=True)
    inner = ops.new_mount(M, "tmpfs", "inner", [], 0)

    def plan(recursive: int) -> list[Op]:
        bind = [ops.open_tree(M, "/source", recursive), ops.move_mount(M, "/bound", 0, 0)]
        swap = [ops.pivot_root(), *bind]
        return in_root(tmp_path, inner, ops.move_mount(M, "/source/inner", 0, 0), *swap, swap=False)

    with looking_at(plan(1)) as init:
        assert init.mounts()["/bound/inner"].source == "inner"
    with looking_at(plan(0)) as init:
        assert "/bound" in init.mounts() and "/bound/inner" not in init.mounts()


@pytest.mark.parametrize(
    "op",
    [
        ops.open_tree(M, "/nowhere", 0),
        ops.open_source(M, "/nowhere"),
        ops.open_device(M, "/nowhere", stat.S_IFCHR, 1, 3),
    ],
)
def test_a_missing_source_is_not_named_twice(root: Path, op: Op) -> None:
    error = error_of(in_root(root, op))
    assert (error.op, error.errno, error.text) == (op.name, errno.ENOENT, "")


def test_open_device(root: Path) -> None:
    plan = in_root(root, ops.open_device(M, "/dev/null", stat.S_IFCHR, 1, 3), ops.move_mount(M, "/dev/null", 0, 0))
    with looking_at(plan) as init:
        assert os.stat(init.path("/dev/null")).st_rdev == os.makedev(1, 3)
    for source, kind, minor in (("/dev/null", stat.S_IFCHR, 5), ("/dev/null", stat.S_IFBLK, 3), ("/etc/passwd", stat.S_IFCHR, 3)):
        error = error_of(in_root(root, ops.open_device(M, source, kind, 1, minor)))
        assert (error.op, error.errno) == ("open_device", errno.ENODEV)


def test_remount_attributes_and_options(root: Path) -> None:
    plan = in_root(root, *tmpfs("/tmp", "size=64k"), ops.remount("/tmp", RDONLY, 0, ["size=128k"]))
    with looking_at(plan) as init:
        mount = init.mounts()["/tmp"]
        assert "ro" in mount.flags and "size=128k" in mount.options


def test_remount_of_no_mount(root: Path) -> None:
    assert error_of(in_root(root, ops.remount("/tmp", RDONLY, 0, []))).errno == errno.EINVAL
    error = error_of(in_root(root, *tmpfs("/tmp"), ops.remount("/tmp", 0, 0, ["colour=red"])))
    assert error.op == "remount" and "colour" in error.text


def test_idmapped_mount(root: Path, tmp_path: Path) -> None:
    from pyrunc import native

    source = tmp_path / "owned"
    source.mkdir()
    namespace = native.make_user_namespace(b"0 5000 10\n", b"0 5000 10\n")
    plan = in_root(
        root,
        ops.open_tree(M, str(source), 0),
        ops.idmap_mount(M, Slot("userns"), 0),
        ops.move_mount(M, "/mapped", 0, 0),
    )
    try:
        with looking_at(plan, {"userns": namespace}) as init:
            assert os.stat(init.path("/mapped")).st_uid == 5000
    finally:
        os.close(namespace)


def test_idmap_with_an_empty_slot(root: Path) -> None:
    plan = in_root(root, ops.open_tree(M, "/tmp", 0), ops.idmap_mount(M, Slot("none"), 0))
    assert error_of(plan).errno == errno.EBADF


def test_copy_mode(root: Path) -> None:
    """A missing directory has none to give: the kernel's own stays."""
    (root / "private").mkdir()
    os.chmod(root / "private", 0o2710)
    steps = [
        step
        for target in ("/private", "/missing")
        for step in (
            ops.new_mount(M, "tmpfs", "x", [], 0),
            ops.copy_mode(M, target),
            ops.move_mount(M, target, 0, 0),
        )
    ]
    with looking_at(in_root(root, *steps)) as init:
        modes = [stat.S_IMODE(init.path(target).stat().st_mode) for target in ("/private", "/missing")]
        assert modes == [0o2710, 0o1777]


def test_copy_up(root: Path) -> None:
    top = root / "data"
    (top / "sub").mkdir(parents=True)
    (top / "sub/file").write_bytes(b"x" * 100_000)
    for number in range(100):
        (top / f"many-{number:03}-{'n' * 40}").write_text(str(number))
    (top / "link").symlink_to("/etc/passwd")
    os.mkfifo(top / "fifo")
    os.chown(top / "sub/file", 11, 12)
    os.chown(top / "link", 13, 14, follow_symlinks=False)
    os.chmod(top / "sub/file", 0o4711)
    os.chmod(top / "sub", 0o1770)
    os.chown(top, 7, 8)
    os.chmod(top, 0o2751)
    os.utime(top / "sub", (1000, 2000))
    plan = in_root(
        root, ops.new_mount(M, "tmpfs", "x", [], 0), ops.copy_up(M, "/data"), ops.move_mount(M, "/data", 0, 0)
    )
    with looking_at(plan) as init:
        copy = init.path("/data")
        assert init.mounts()["/data"].kind == "tmpfs"
        for name in ("", "sub", "sub/file", "many-042-" + "n" * 40):
            was, now = (top / name).stat(), (copy / name).stat()
            assert (now.st_mode, now.st_uid, now.st_gid) == (was.st_mode, was.st_uid, was.st_gid), name
            assert now.st_mtime_ns == was.st_mtime_ns, name
        assert (copy / "sub/file").read_bytes() == b"x" * 100_000
        assert len(list(copy.glob("many-*"))) == 100
        assert os.readlink(copy / "link") == "/etc/passwd" and (copy / "link").lstat().st_uid == 13
        assert not (copy / "fifo").exists()


def test_copy_up_of_nothing(root: Path) -> None:
    plan = in_root(root, ops.new_mount(M, "tmpfs", "x", [], 0), ops.copy_up(M, "/nothing/here"))
    with looking_at(plan):
        pass


def test_copy_up_ends_in_depth(root: Path) -> None:
    deep = root / "data"
    for _ in range(80):
        deep = deep / "d"
    deep.mkdir(parents=True)
    plan = in_root(root, ops.new_mount(M, "tmpfs", "x", [], 0), ops.copy_up(M, "/data"))
    assert error_of(plan).errno == errno.ELOOP


def test_nothing_reaches_the_host(root: Path) -> None:
    def seen() -> list[str]:  # other processes of the host may mount elsewhere meanwhile
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        return [line for line in lines if line.split()[4] in ("/", "/tmp") or str(root) in line]

    before = seen()
    with looking_at(
        in_root(root, *tmpfs("/tmp"), ops.mount_setattr(M, 0, 0, MS_PRIVATE, 0), flags=CLONE_NEWPID)
    ):
        assert seen() == before
    assert seen() == before
