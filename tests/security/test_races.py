"""Paths that are swapped while the runtime works: every round must leave the host untouched."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness import Box, only_ours
from tests.security.attack import ROUNDS, mounts, swapping
from tests.terminals import ConsoleSocket


@pytest.mark.parametrize("kind", ["destination", "parent"])
def test_cve_2021_30465_2024_45310_target_swapped_while_mounting(box: Box, decoy: Path, kind: str) -> None:
    """A shared volume whose folder turns into a symlink to the host between check and use."""
    if kind == "parent":
        only_ours(box, "runc 1.1.5 makes folders on the host")
    bundle = box.bundle("/bin/true")
    volume = box.directory / "volume"
    (volume / "a").mkdir(parents=True)
    (volume / "b").symlink_to(f"{'../' * 14}{decoy}")
    source = box.directory / "source"
    source.mkdir()
    bundle.mount("/volume", "bind", str(volume), "bind")
    target = "/volume/a" if kind == "destination" else "/volume/a/deep/er"
    bundle.mount(target, "bind", str(source), "bind")
    before = mounts(box)
    with swapping(volume / "a", volume / "b"):
        for _ in range(ROUNDS):
            box.run(bundle)
            assert mounts(box) == before


def test_cve_2019_19921_proc_swapped_while_mounting(box: Box, decoy: Path) -> None:
    bundle = box.bundle("/bin/true")
    (bundle.rootfs / "link").symlink_to(f"{'../' * 14}{decoy}")
    before = mounts(box)
    with swapping(bundle.rootfs / "proc", bundle.rootfs / "link"):
        for _ in range(ROUNDS):
            box.run(bundle)
            assert mounts(box) == before


def test_cve_2025_52565_console_swapped(box: Box, decoy: Path) -> None:
    """/dev in a volume that another container changes meanwhile."""
    bundle = box.bundle("/bin/true")
    bundle.process["terminal"] = True
    volume = box.directory / "dev"
    volume.mkdir()
    (volume / "console").touch()
    (volume / "link").symlink_to(f"{'../' * 14}{decoy}/console")
    (volume / "pts").mkdir()
    bundle.mount("/dev", "bind", str(volume), "bind")
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["destination"] != "/dev/shm"]
    bundle.config["mounts"].sort(key=lambda m: m["destination"])
    before = mounts(box)
    with swapping(volume / "console", volume / "link"):
        for _ in range(ROUNDS // 3):
            console = ConsoleSocket(box.directory)
            name = box.name()
            box.try_create(bundle, "--console-socket", console.path, name=name)
            box.call("delete", "--force", name)
            console.close()
            assert mounts(box) == before
