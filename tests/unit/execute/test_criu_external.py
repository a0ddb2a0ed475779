"""What lies outside of a container, by its mounts and its configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pyrunc.errors import HostError
from pyrunc.execute.criu_external import external_mounts, joined_namespaces, map_mounts
from pyrunc.state.record import Record

MOUNTINFO = """\
1 0 254:0 /b/rootfs / ro - ext4 /dev/vda rw
2 1 0:41 / /proc rw - proc proc rw
3 2 0:41 /bus /proc/bus ro - proc proc rw
4 1 0:42 / /dev rw - tmpfs tmpfs rw
5 2 0:42 /null /proc/keys rw - tmpfs tmpfs rw
6 1 254:0 /data /data rw - ext4 /dev/vda rw
7 6 254:9 / /data/more rw - ext4 /dev/vdb rw
8 1 0:99 / /run/host rw - tmpfs tmpfs rw
9 1 0:35 /c /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids
"""
CONFIG: dict[str, Any] = {
    "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/data/", "source": "data", "options": ["rbind"]},
        {"destination": "/run/host", "type": "bind", "source": "/run"},
    ],
    "linux": {
        "namespaces": [
            {"type": "mount"},
            {"type": "network", "path": "/run/n"},
            {"type": "ipc", "path": "/run/i"},
            {"type": "pid"},
        ]
    },
}


def test_mounts_that_show_the_host() -> None:
    assert external_mounts(MOUNTINFO, CONFIG) == ["/data", "/data/more", "/run/host", "/sys/fs/cgroup/pids"]


def make_record(bundle: Path, **paths: str) -> Record:
    record = Record("x", str(bundle))
    record.rootfs = str(bundle / "rootfs")
    record.cgroup = {"paths": {name.removeprefix("unified"): path for name, path in paths.items()}}
    record.notify = True
    return record


def test_where_they_come_from_at_a_restore(tmp_path: Path) -> None:
    restrictions = {"maskedPaths": ["/proc/keys"], "readonlyPaths": ["/etc"], "devices": [{"path": "/dev/x"}]}
    config = {**CONFIG, "linux": {**CONFIG["linux"], **restrictions}}
    named = ["/data", "/data/sub", "/sys/fs/cgroup/pids", "/dev/null", "/dev/x", "/proc/keys", "/etc"]
    record = make_record(tmp_path, pids="/sys/fs/cgroup/pids/new")
    assert map_mounts([*named, "/run/notify"], config, record, "/state") == {
        "/data": f"{tmp_path}/data",
        "/run/host": "/run",
        "/data/sub": f"{tmp_path}/data/sub",
        "/sys/fs/cgroup/pids": "/sys/fs/cgroup/pids/new",
        "/dev/null": "/dev/null",
        "/dev/x": "/dev/x",
        "/proc/keys": "/dev/null",
        "/etc": f"{tmp_path}/rootfs/etc",
        "/run/notify": "/state/notify",
    }
    unified = make_record(tmp_path, unified="/sys/fs/cgroup/new")
    assert map_mounts(["/sys/fs/cgroup"], {}, unified, "/state") == {"/sys/fs/cgroup": "/sys/fs/cgroup/new"}


@pytest.mark.parametrize("target", ["/root", "/sys/fs/cgroup", "/proc/keys", "/dev/sda", "/"])
def test_a_container_chooses_no_path_of_the_host(tmp_path: Path, target: str) -> None:
    """Wherever it mounts a file system of its own, a restore does not show the host's there."""
    with pytest.raises(HostError, match="none that the configuration explains"):
        map_mounts([target], CONFIG, make_record(tmp_path, pids="/x"), "/state")


def test_nor_by_a_symlink_in_a_volume(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/sub").symlink_to("/root")
    for target in ("/data/sub", "/data/sub/below"):
        with pytest.raises(HostError, match="symbolic link"):
            map_mounts([target], CONFIG, make_record(tmp_path), "/state")


def test_namespaces_of_others() -> None:
    assert joined_namespaces(CONFIG) == {"network": "/run/n"}
