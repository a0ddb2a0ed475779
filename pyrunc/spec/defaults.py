"""The configuration that `pyrunc spec` writes: a shell on a terminal, with little privilege.

Pure: what depends on the host comes as arguments.  What runc's users expect is
kept; the lists of masked and read-only paths are the complete ones of today's
engines, and no capability is inheritable or ambient.
"""

from __future__ import annotations

from typing import Any

from pyrunc.spec import NEWEST

CAPABILITIES = ("CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE")
MASKED_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
SAFE = ("nosuid", "noexec", "nodev")
DEVPTS = ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5")
MOUNTS = (
    ("/proc", "proc", "proc", ()),
    ("/dev", "tmpfs", "tmpfs", ("nosuid", "strictatime", "mode=755", "size=65536k")),
    ("/dev/pts", "devpts", "devpts", DEVPTS),
    ("/dev/shm", "tmpfs", "shm", (*SAFE, "mode=1777", "size=65536k")),
    ("/dev/mqueue", "mqueue", "mqueue", SAFE),
    ("/sys", "sysfs", "sysfs", (*SAFE, "ro")),
    ("/sys/fs/cgroup", "cgroup", "cgroup", (*SAFE, "relatime", "ro")),
)


def default_config(
    rootless: bool = False, *, uid: int = 0, gid: int = 0, cpu_count: int = 0, unified: bool = False
) -> dict[str, Any]:
    """A new default configuration.

    rootless: with a user namespace that maps root to `uid` and `gid` of the
    host, and without what an ordinary user cannot set up.  cpu_count: CPUs
    whose throttling counters are masked.  unified: the host has cgroup v2
    alone, so the container gets a cgroup namespace.
    """
    config = {
        "ociVersion": NEWEST,
        "process": _process(),
        "root": {"path": "rootfs", "readonly": True},
        "hostname": "pyrunc",
        "mounts": [_mount(*mount) for mount in MOUNTS],
        "linux": _linux(cpu_count, unified),
    }
    if rootless:
        _make_rootless(config, uid, gid)
    return config


def _process() -> dict[str, Any]:
    return {
        "terminal": True,
        "user": {"uid": 0, "gid": 0},
        "args": ["sh"],
        "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
        "cwd": "/",
        "capabilities": {name: list(CAPABILITIES) for name in ("bounding", "effective", "permitted")},
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}],
        "noNewPrivileges": True,
    }


def _mount(destination: str, kind: str, source: str, options: tuple[str, ...]) -> dict[str, Any]:
    mount: dict[str, Any] = {"destination": destination, "type": kind, "source": source}
    if options:
        mount["options"] = list(options)
    return mount


def _linux(cpu_count: int, unified: bool) -> dict[str, Any]:
    throttles = [f"/sys/devices/system/cpu/cpu{number}/thermal_throttle" for number in range(cpu_count)]
    kinds = ["pid", "network", "ipc", "uts", "mount"] + ["cgroup"] * unified
    return {
        "resources": {"devices": [{"allow": False, "access": "rwm"}]},
        "namespaces": [{"type": kind} for kind in kinds],
        "maskedPaths": [*MASKED_PATHS, *throttles],
        "readonlyPaths": list(READONLY_PATHS),
    }


def _make_rootless(config: dict[str, Any], uid: int, gid: int) -> None:
    """A user namespace; the host's network and /sys; no ids in mount options; no limits."""
    linux = config["linux"]
    linux["namespaces"] = [entry for entry in linux["namespaces"] if entry["type"] != "network"]
    linux["namespaces"].append({"type": "user"})
    linux["uidMappings"] = [{"containerID": 0, "hostID": uid, "size": 1}]
    linux["gidMappings"] = [{"containerID": 0, "hostID": gid, "size": 1}]
    del linux["resources"]
    for mount in config["mounts"]:
        if mount["destination"] == "/sys":
            mount.update(type="none", source="/sys", options=["rbind", *SAFE, "ro"])
        elif "options" in mount:
            options = mount["options"]
            mount["options"] = [option for option in options if not option.startswith(("uid=", "gid="))]
