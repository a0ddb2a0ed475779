"""config-linux.md#cgroups: path and limits, read back from the cgroup of the created container."""

from __future__ import annotations

from typing import Any

from tests.harness import CGROUP_PARENT

from . import Case, both, drop, mount, put
from .mounts import CGROUP_TREE


def resources(**sections: Any):  # type: ignore[no-untyped-def]
    return put("/linux/resources", {"devices": [{"allow": False, "access": "rwm"}], **sections})


MEMORY = (("memory", "memory.limit_in_bytes"), ("memory", "memory.memsw.limit_in_bytes"))
CPU = (("cpu", "cpu.shares"), ("cpu", "cpu.cfs_quota_us"), ("cpu", "cpu.cfs_period_us"))
MEGA = 1 << 20
ZERO_PIDS = "0 is a real limit, absent means none; runc 1.1 skips it, newer ones write it"
UNCONVERTIBLE = {
    "v2:create": "config-linux.md#unified: if the conversion is not possible the runtime MUST generate an error; runc 1.1 ignores it"
}

CASES = [
    Case("memory-limit", resources(memory={"limit": 64 * MEGA}), files=MEMORY, needs="memory"),
    Case(
        "memory-and-swap",
        resources(memory={"limit": 32 * MEGA, "swap": 48 * MEGA}),
        files=MEMORY,
        needs="memory",
    ),
    Case(
        "memory-swap-equal",
        resources(memory={"limit": 32 * MEGA, "swap": 32 * MEGA}),
        files=MEMORY,
        needs="memory",
    ),
    Case("memory-unlimited", resources(memory={"limit": -1, "swap": -1}), files=MEMORY, needs="memory"),
    Case(
        "memory-swap-below-limit", resources(memory={"limit": 32 * MEGA, "swap": 16 * MEGA}), needs="memory"
    ),
    Case(
        "memory-zero",
        resources(memory={"limit": 0, "swap": 0, "reservation": 0, "kernel": 0}),
        files=MEMORY,
        needs="memory",
    ),
    Case(
        "memory-reservation",
        resources(memory={"limit": 64 * MEGA, "reservation": 32 * MEGA}),
        files=(("memory", "memory.soft_limit_in_bytes"),),
        needs="memory",
    ),
    Case(
        "memory-swappiness",
        resources(memory={"swappiness": 30}),
        files=(("memory", "memory.swappiness"),),
        needs="memory",
        difference=UNCONVERTIBLE,
    ),
    Case(
        "memory-swappiness-bad",
        resources(memory={"swappiness": 300}),
        needs="memory",
        difference={
            "v2:create": "config-linux.md#memory: the values are from 0 to 100; runc 1.1 does not look on v2"
        },
    ),
    Case(
        "memory-no-oom-killer",
        resources(memory={"disableOOMKiller": True}),
        files=(("memory", "memory.oom_control"),),
        needs="memory",
        difference=UNCONVERTIBLE,
    ),
    Case("memory-too-small", resources(memory={"limit": 4096}), own_args=True, needs="memory"),
    Case(
        "memory-killed",
        both(
            resources(memory={"limit": 16 * MEGA, "swap": 16 * MEGA}),
            put("/process/args", ["/bin/probe", "out:/dev/null", f"touch:{64 * MEGA}"]),
        ),
        own_args=True,
        needs="memory",
    ),
    Case(
        "cpu-shares",
        resources(cpu={"shares": 512}),
        files=CPU,
        needs="cpu",
        difference={
            "v2:files/cpu.weight": "1024 shares, v1's default, become 100, v2's default, as in newer runc and crun; with runc 1.1 they are 39"
        },
    ),
    Case("cpu-quota", resources(cpu={"quota": 20000, "period": 50000}), files=CPU, needs="cpu"),
    Case("cpu-quota-alone", resources(cpu={"quota": 30000}), files=CPU, needs="cpu"),
    Case("cpu-quota-bad", resources(cpu={"quota": 10, "period": 50000}), needs="cpu"),
    Case("cpu-zero", resources(cpu={"shares": 0, "quota": 0, "period": 0}), files=CPU, needs="cpu"),
    Case("cpu-unlimited", resources(cpu={"quota": -1, "period": 100000}), files=CPU, needs="cpu"),
    Case(
        "cpuset",
        resources(cpu={"cpus": "0", "mems": "0"}),
        files=(("cpuset", "cpuset.cpus"), ("cpuset", "cpuset.mems")),
        needs="cpuset",
    ),
    Case(
        "cpuset-absent",
        resources(),
        files=(("cpuset", "cpuset.cpus"), ("cpuset", "cpuset.mems")),
        needs="cpuset",
    ),
    Case("cpuset-impossible", resources(cpu={"cpus": "900"}), needs="cpuset"),
    Case("pids", resources(pids={"limit": 20}), "fork:30", files=(("pids", "pids.max"),), needs="pids"),
    Case("pids-unlimited", resources(pids={"limit": -1}), files=(("pids", "pids.max"),), needs="pids"),
    Case(
        "pids-zero",
        resources(pids={"limit": 0}),
        files=(("pids", "pids.max"),),
        needs="pids",
        difference={"v1:files/pids/pids.max": ZERO_PIDS, "v2:files/pids.max": ZERO_PIDS},
    ),
    Case(
        "blkio-throttle",
        resources(blockIO={"throttleReadBpsDevice": [{"major": 7, "minor": 0, "rate": 1048576}]}),
        files=(("blkio", "blkio.throttle.read_bps_device"),),
        needs="blkio",
    ),
    Case("hugepages-absent-controller", resources(hugepageLimits=[{"pageSize": "2MB", "limit": 2 * MEGA}])),
    Case("network-absent-controller", resources(network={"classID": 1048577}), difference=UNCONVERTIBLE),
    Case("unified-on-v1", resources(unified={"memory.high": "1000000"})),
    Case("rules-only", resources()),
    Case("resources-absent", drop("/linux/resources"), "node:c,10,229"),
    Case("path-relative", lambda b, lab: b.linux.update(cgroupsPath=f"{CGROUP_PARENT[1:]}/relative")),
    Case(
        "path-climbs",
        lambda b, lab: b.linux.update(cgroupsPath="/pyrunc-test/../../../x-pyrunc-climb"),
        difference={
            "create": "config-linux.md#cgroups-path: an invalid value is an error; runc cleans the dots away"
        },
    ),
    Case("path-absent", lambda b, lab: b.linux.pop("cgroupsPath")),
    Case(
        "cgroup-mount-writable",
        mount("/sys/fs/cgroup", "cgroup", "cgroup", "rw", "nosuid", "nodev", "noexec"),
        "openw:/sys/fs/cgroup/pids/cgroup.procs",
        difference={"v2:report/mountinfo//sys/fs/cgroup": CGROUP_TREE},
    ),
]
