"""config-linux.md#cgroups: path and limits, read back from the cgroup of the created container."""

from __future__ import annotations

from typing import Any

from tests.harness import CGROUP_PARENT

from . import Case, both, drop, mount, put
from .mounts import CGROUP_TREE


def resources(**sections: Any):  # type: ignore[no-untyped-def]
    return put("/linux/resources", {"devices": [{"allow": False, "access": "rwm"}], **sections})


def files(*names: str) -> tuple[tuple[str, str], ...]:
    """Files by name, with the controller they begin with; a host has those of one version of cgroups."""
    begins = [(name.partition(".")[0], name) for name in names]
    return tuple(("blkio" if controller == "io" else controller, name) for controller, name in begins)


MEMORY = files("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
CPU = files("cpu.shares", "cpu.cfs_quota_us", "cpu.cfs_period_us")
MEGA = 1 << 20
ZERO_PIDS = (
    "0 is a limit from version 1.3 on, in this document of 1.0.2 it is none; runc 1.4 takes it for one in any"
)
UNCONVERTIBLE = {
    "v2:create": "config-linux.md#unified: if the conversion is not possible the runtime MUST generate an error; runc 1.1 ignores it"
}
RESCTRL = "config-linux.md#intel-rdt: without a mounted resctrl the runtime MUST generate an error"
UNSUPPORTED = "config.md#valid-values: invalid or unsupported values MUST generate an error"
OWN_PLACE = (
    "config-linux.md#cgroups-path: the runtime determines where; ours is beside its own cgroup, as runc's"
)
RESCTRL_OF_CRUN = {
    "create": RESCTRL,
    "newer:error": "an error either way; ours says what the mount lacks, crun which file it looked for",
}
ABSENT = "an error either way; ours names the missing controller, theirs the missing folder"
CASES = [
    *[
        Case(name, resources(memory=limits), files=MEMORY, needs="memory")
        for name, limits in (
            ("memory-limit", {"limit": 64 * MEGA}),
            ("memory-and-swap", {"limit": 32 * MEGA, "swap": 48 * MEGA}),
            ("memory-swap-equal", {"limit": 32 * MEGA, "swap": 32 * MEGA}),
            ("memory-unlimited", {"limit": -1, "swap": -1}),
        )
    ],
    Case(
        "memory-swap-below-limit", resources(memory={"limit": 32 * MEGA, "swap": 16 * MEGA}), needs="memory"
    ),
    Case(
        "memory-zero",
        resources(memory={"limit": 0, "swap": 0, "reservation": 0, "kernel": 0}),
        files=MEMORY,
        needs="memory",
        crun={
            "create": "engines send zero for what is unset, which runc and this take it for; crun takes it for a limit"
        },
    ),
    Case(
        "memory-reservation",
        resources(memory={"limit": 64 * MEGA, "reservation": 32 * MEGA}),
        files=files("memory.soft_limit_in_bytes"),
        needs="memory",
    ),
    Case(
        "memory-swappiness",
        resources(memory={"swappiness": 30}),
        files=files("memory.swappiness"),
        needs="memory",
        runc=UNCONVERTIBLE,
    ),
    Case(
        "memory-swappiness-bad",
        resources(memory={"swappiness": 300}),
        needs="memory",
        runc={
            "v2:create": "config-linux.md#memory: the values are from 0 to 100; runc 1.1 does not look on v2"
        },
    ),
    Case(
        "memory-no-oom-killer",
        resources(memory={"disableOOMKiller": True}),
        files=files("memory.oom_control"),
        needs="memory",
        runc=UNCONVERTIBLE,
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
            "v2:files/cpu.weight": "1024 shares, v1's default, become 100, v2's default, as in newer runc and crun; with runc 1.1 and crun 1.8 they are 39"
        },
    ),
    Case("cpu-quota", resources(cpu={"quota": 20000, "period": 50000}), files=CPU, needs="cpu"),
    Case("cpu-quota-alone", resources(cpu={"quota": 30000}), files=CPU, needs="cpu"),
    Case("cpu-quota-bad", resources(cpu={"quota": 10, "period": 50000}), needs="cpu"),
    Case("cpu-zero", resources(cpu={"shares": 0, "quota": 0, "period": 0}), files=CPU, needs="cpu"),
    Case(
        "cpu-unlimited",
        resources(cpu={"quota": -1, "period": 100000}),
        files=CPU,
        needs="cpu",
        crun={"v1:create": "-1 is no limit, as for memory; crun 1.8 writes 18446744073709551615"},
    ),
    Case(
        "cpuset",
        resources(cpu={"cpus": "0", "mems": "0"}),
        files=files("cpuset.cpus", "cpuset.mems"),
        needs="cpuset",
    ),
    Case(
        "cpuset-absent",
        resources(),
        files=files("cpuset.cpus", "cpuset.mems"),
        needs="cpuset",
    ),
    Case("cpuset-impossible", resources(cpu={"cpus": "900"}), needs="cpuset"),
    Case("pids", resources(pids={"limit": 20}), "fork:30", files=files("pids.max"), needs="pids"),
    Case(
        "pids-unlimited",
        resources(pids={"limit": -1}),
        files=files("pids.max"),
        needs="pids",
        crun={
            "v1:create": "config-linux.md#pids: the limit is an int64; as runc, below zero is none; crun writes -1"
        },
    ),
    Case(
        "pids-zero",
        resources(pids={"limit": 0}),
        files=files("pids.max"),
        needs="pids",
        runc={"newer:files/": ZERO_PIDS},
    ),
    Case(
        "cpu-burst",
        resources(cpu={"quota": 20000, "period": 50000, "burst": 10000}),
        files=CPU,
        needs="v1 cpu",
    ),
    Case(
        "cpu-idle",
        resources(cpu={"idle": 1}),
        files=CPU,
        needs="v1 cpu",
        runc={
            "v1:files/cpu/cpu.shares": "config-linux.md#cpu: idle configures cgroups with minimum share; runc knows it from 1.2 on"
        },
    ),
    Case(
        "cpu-realtime",
        both(resources(cpu={"realtimePeriod": MEGA, "realtimeRuntime": 9000}), drop("/linux/cgroupsPath")),
        files=files("cpu.rt_period_us", "cpu.rt_runtime_us"),
        needs="v1 cpu",
    ),
    Case(
        "cpu-realtime-beyond-parent",
        resources(cpu={"realtimePeriod": MEGA, "realtimeRuntime": 9000}),
        needs="v1 cpu",
    ),
    Case(
        "memory-kernel",
        resources(memory={"kernel": 32 * MEGA}),
        files=files("memory.kmem.limit_in_bytes"),
        needs="v1 memory",
    ),
    Case(
        "memory-kernel-tcp",
        resources(memory={"kernelTCP": 8 * MEGA}),
        files=files("memory.kmem.tcp.limit_in_bytes"),
        runc={
            "v1:files/memory/memory.kmem": "config-linux.md#memory: kernelTCP sets a hard limit for TCP buffers; runc has given it up"
        },
        needs="v1 memory",
    ),
    Case(
        "memory-hierarchy",
        resources(memory={"useHierarchy": True}),
        files=files("memory.use_hierarchy"),
        needs="v1 memory",
    ),
    Case(
        "memory-check-before-update",
        resources(memory={"limit": 64 * MEGA, "checkBeforeUpdate": True}),
        files=MEMORY,
        needs="v1 memory",
    ),
    Case(
        "network-priorities",
        resources(network={"priorities": [{"name": "lo", "priority": 5}]}),
        runc={"v2:create": UNSUPPORTED},
        crun={"v1:error": ABSENT},
    ),
    Case(
        "rdma-absent-controller",
        resources(rdma={"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000}}),
        crun={"create": UNSUPPORTED},
    ),
    Case(
        "resctrl-absent",
        put("/linux/intelRdt", {"closID": "pyrunc-test"}),
        runc={"create": RESCTRL},
        crun=RESCTRL_OF_CRUN,
    ),
    Case(
        "resctrl-schemata-absent",
        put("/linux/intelRdt", {"closID": "pyrunc-test", "schemata": ["MB:0=50"], "enableMonitoring": True}),
        runc={"create": RESCTRL},
        crun=RESCTRL_OF_CRUN,
    ),
    Case(
        "resctrl-schemas-absent",
        put(
            "/linux/intelRdt", {"closID": "pyrunc-test", "l3CacheSchema": "L3:0=f", "memBwSchema": "MB:0=50"}
        ),
        crun=RESCTRL_OF_CRUN,
    ),
    Case(
        "hugepages-absent-controller",
        resources(hugepageLimits=[{"pageSize": "2MB", "limit": 2 * MEGA}]),
        crun={"v1:error": ABSENT},
    ),
    Case(
        "network-absent-controller",
        resources(network={"classID": 1048577}),
        runc=UNCONVERTIBLE,
        crun={"v1:error": ABSENT},
    ),
    Case("unified-on-v1", resources(unified={"memory.high": "1000000"})),
    Case("rules-only", resources()),
    Case(
        "resources-absent",
        drop("/linux/resources"),
        "node:c,10,229",
        crun={
            "report/actions/node:": "config-linux.md#allowed-device-list says nothing of a list that is absent; as runc, the default devices only"
        },
    ),
    Case(
        "path-relative",
        lambda b, lab: b.linux.update(cgroupsPath=f"{CGROUP_PARENT[1:]}/relative"),
        crun={"v2:report/cgroup/unified": OWN_PLACE},
    ),
    Case(
        "path-climbs",
        lambda b, lab: b.linux.update(cgroupsPath=f"{CGROUP_PARENT}/../../../x-pyrunc-climb"),
        runc={
            "create": "config-linux.md#cgroups-path: an invalid value is an error; runc cleans the dots away"
        },
        crun={"error": "an error either way; ours says that the path may not climb, crun fails to make it"},
    ),
    Case(
        "path-absent",
        lambda b, lab: b.linux.pop("cgroupsPath"),
        crun={"v2:report/cgroup/unified": OWN_PLACE},
    ),
    Case(
        "cgroup-mount-writable",
        mount("/sys/fs/cgroup", "cgroup", "cgroup", "rw", "nosuid", "nodev", "noexec"),
        "openw:/sys/fs/cgroup/pids/cgroup.procs",
        difference={"v2:report/mountinfo//sys/fs/cgroup": CGROUP_TREE},
        crun={
            "v1:report/mountinfo//sys/fs/cgroup": "the specification leaves open what holds the hierarchies; the tmpfs has another name and size"
        },
    ),
]
