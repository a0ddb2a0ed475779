"""What lies outside of a container, by its mounts and its configuration."""

from __future__ import annotations

from pyrunc.execute.criu_external import external_mounts, joined_namespaces, map_mounts

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
CONFIG = {
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


def test_where_they_come_from_at_a_restore() -> None:
    named = ["/data", "/data/sub", "/sys/fs/cgroup/pids", "/dev/null"]
    assert map_mounts(named, CONFIG, "/bundle", {"pids": "/sys/fs/cgroup/pids/new"}) == {
        "/data": "/bundle/data",
        "/run/host": "/run",
        "/data/sub": "/bundle/data/sub",
        "/sys/fs/cgroup/pids": "/sys/fs/cgroup/pids/new",
        "/dev/null": "/dev/null",
    }


def test_namespaces_of_others() -> None:
    assert joined_namespaces(CONFIG) == {"network": "/run/n"}
