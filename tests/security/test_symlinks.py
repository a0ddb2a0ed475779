"""Symlinks that an attacker put into the root lead nowhere outside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness import Box, only_ours, peer_differs
from tests.security.attack import mounts, snapshot, without_dev
from tests.terminals import ConsoleSocket


@pytest.mark.parametrize("shape", ["absolute", "relative", "parent", "chain"])
@pytest.mark.parametrize("kind", ["tmpfs", "bind", "file"])
def test_cve_2019_18837_mount_target_is_a_symlink(box: Box, decoy: Path, shape: str, kind: str) -> None:
    bundle = box.bundle()
    climb = "../" * 12
    link = {
        "absolute": str(decoy),
        "relative": f"{climb}{decoy}",
        "parent": str(decoy.parent),
        "chain": "/step",
    }[shape]
    (bundle.rootfs / "link").symlink_to(link)
    (bundle.rootfs / "step").symlink_to(f"{climb}{decoy}")
    target = "/link/decoy/file" if shape == "parent" else "/link/file"
    source = box.directory / "source"
    if kind == "file":
        source.write_text("replaced")
    else:
        source.mkdir()
        target = target.replace("/file", "/folder")
    before = mounts(box)
    if kind == "tmpfs":
        bundle.mount(target, "tmpfs", "tmpfs")
    else:
        bundle.mount(target, "bind", str(source), "bind")
    box.run(bundle)
    assert mounts(box) == before


@pytest.mark.parametrize("shape", ["absolute", "relative", "folder"])
@pytest.mark.parametrize("name", ["proc", "sys"])
def test_cve_2019_19921_2023_27561_2023_28642_proc_is_a_symlink(
    box: Box, decoy: Path, name: str, shape: str
) -> None:
    bundle = box.bundle().probe("list:/")
    place = bundle.rootfs / name
    place.rmdir()
    (bundle.rootfs / "elsewhere").mkdir()
    place.symlink_to(
        {"absolute": str(decoy), "relative": f"{'../' * 12}{decoy}", "folder": "elsewhere"}[shape]
    )
    before = mounts(box)
    result = box.run(bundle)
    assert mounts(box) == before
    result.failed()


@pytest.mark.parametrize("place", ["volume", "root"])
def test_cve_2019_16884_2025_52881_fake_proc(box: Box, decoy: Path, place: str) -> None:
    """A volume or folder at /proc must not receive what is meant for the kernel."""
    bundle = box.bundle().probe("read:/proc/sys/net/ipv4/ip_forward")
    fake = box.directory / "fake" if place == "volume" else bundle.rootfs / "proc"
    for name in ("self/attr/apparmor", "sys/net/ipv4", "1"):
        (fake / name).mkdir(parents=True)
    for name in (
        "self/attr/exec",
        "self/attr/apparmor/exec",
        "sys/net/ipv4/ip_forward",
        "self/oom_score_adj",
    ):
        (fake / name).write_text("fake")
    before = snapshot(fake)
    if place == "volume":
        bundle.mount("/proc", "bind", str(fake), "bind")
    else:
        bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["destination"] != "/proc"]
    bundle.linux["sysctl"] = {"net.ipv4.ip_forward": "1"}
    bundle.linux["maskedPaths"] = bundle.linux["readonlyPaths"] = []
    result = box.run(bundle)
    if place == "root":
        peer_differs(box, runc="1.1.5 is older than the fix", crun="1.8 is older than the fix")
    assert snapshot(fake) == before, "a fake procfs was written to"
    if place == "volume":
        peer_differs(box, crun="mounts anything on /proc")
        result.failed("cannot be mounted because it is not of type proc")


@pytest.mark.parametrize("target", ["/proc/sys", "/proc/1/attr", "/link", "/link/kernel"])
def test_mounts_inside_proc(box: Box, target: str) -> None:
    """What the container's programs read there is the kernel's, even where a symlink of the root leads there."""
    bundle = box.bundle()
    (bundle.rootfs / "link").symlink_to("/proc/sys")
    source = box.directory / "source"
    source.mkdir()
    bundle.mount(target, "bind", str(source), "bind")
    result = box.run(bundle)
    peer_differs(box, crun="mounts anything below /proc")
    result.failed("cannot be mounted because it is inside /proc")


def test_cve_2025_52881_sysctl_on_a_swapped_proc(box: Box) -> None:
    """A mount below /proc that hides the sysctl tree."""
    fake = box.directory / "fake"
    (fake / "net/ipv4").mkdir(parents=True)
    (fake / "net/ipv4/ip_forward").write_text("fake")
    bundle = box.bundle()
    bundle.mount("/proc/sys", "bind", str(fake), "bind")
    bundle.linux["sysctl"] = {"net.ipv4.ip_forward": "1"}
    box.run(bundle)
    assert (fake / "net/ipv4/ip_forward").read_text() == "fake"


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("shape", ["absolute", "relative"])
def test_cve_2026_41579_2026_47766_dev_is_a_symlink(
    box: Box, decoy: Path, shape: str, terminal: bool
) -> None:
    """Devices and links must not be made, or replaced, where /dev points to on the host."""
    bundle = without_dev(box.bundle())
    (bundle.rootfs / "dev").rmdir()
    (bundle.rootfs / "dev").symlink_to(str(decoy) if shape == "absolute" else f"{'../' * 12}{decoy}")
    only_ours(box, "runc 1.1.5 and crun 1.8 are older than the fix and harm the host here")
    bundle.process["terminal"] = terminal
    flags = []
    console = ConsoleSocket(box.directory)
    if terminal:
        flags = ["--console-socket", console.path]
    box.try_create(bundle, *flags)
    console.close()


@pytest.mark.parametrize("name", ["console", "ptmx", "pts", "null", "fd"])
def test_cve_2026_88264_2026_88265_2025_52565_entries_of_dev_are_symlinks(
    box: Box, decoy: Path, name: str
) -> None:
    """Without a fresh /dev, what lies there is the attacker's."""
    bundle = without_dev(box.bundle())
    target = decoy if name in ("pts", "fd") else decoy / ("null" if name == "null" else "console")
    (bundle.rootfs / "dev" / name).symlink_to(f"{'../' * 14}{target}")
    bundle.process["terminal"] = True
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    bundle.config["root"]["readonly"] = True
    before = mounts(box)
    console = ConsoleSocket(box.directory)
    box.try_create(bundle, "--console-socket", console.path)
    console.close()
    assert mounts(box) == before


@pytest.mark.parametrize("target", ["/proc/sysrq-trigger", "/etc/passwd", "/proc/sys/kernel/core_pattern"])
def test_cve_2025_31133_dev_null_is_a_symlink(box: Box, target: str) -> None:
    """A masked path must not become a writable bind of what /dev/null points to."""
    bundle = without_dev(box.bundle()).probe("openw:/proc/keys", "read:/proc/keys", "stat:/proc/keys")
    (bundle.rootfs / "dev/null").symlink_to(target)
    bundle.linux["maskedPaths"] = ["/proc/keys"]
    result = box.run(bundle)
    peer_differs(box, runc="1.1.5 is older than the fix", crun="1.8 is older than the fix")
    if result.rc == 0:
        found = result.json()["actions"]
        node = found["stat:/proc/keys"]
        assert found["read:/proc/keys"] == ""
        assert found["openw:/proc/keys"] == "EROFS" or (node["type"], node["major"], node["minor"]) == (
            "char",
            1,
            3,
        )


def test_cve_2025_24965_files_of_the_runtime_in_the_root(box: Box, decoy: Path) -> None:
    """Everything written into the root is made safely: here the mount points of file binds."""
    bundle = box.bundle()
    (bundle.rootfs / "etc/hosts").symlink_to(f"{'../' * 12}{decoy}/file")
    given = box.directory / "hosts"
    given.write_text("hosts")
    bundle.mount("/etc/hosts", "bind", str(given), "bind")
    before = mounts(box)
    box.run(bundle)
    assert mounts(box) == before
