"""config-linux.md#control-groups on cgroup v2: `unified`, and limits whose files only v2 has.

After create, all files of the container's cgroup that hold a limit are compared.
"""

from __future__ import annotations

import os

from tests.harness import Bundle

from . import Case, Lab, both, mount
from .mounts import CGROUP_TREE
from .resources import MEGA, UNCONVERTIBLE, resources

KNOBS = {
    "memory.high": str(48 * MEGA),
    "memory.low": str(8 * MEGA),
    "memory.oom.group": "1",
    "pids.max": "33",
    "cpu.weight": "77",
    "cpu.max": "40000 80000",
}


def disk(bundle: Bundle, lab: Lab) -> dict[str, int]:
    """The disk that "/" is on."""
    device = os.stat("/").st_dev
    return {"major": os.major(device), "minor": os.minor(device)}


def throttled(bundle: Bundle, lab: Lab) -> None:
    section = {
        f"throttle{direction}{unit}Device": [{**disk(bundle, lab), "rate": rate}]
        for direction, unit, rate in (
            ("Read", "Bps", 1 << 20),
            ("Write", "Bps", 2 << 20),
            ("Read", "IOPS", 100),
            ("Write", "IOPS", 200),
        )
    }
    bundle.linux["resources"]["blockIO"] = section


def in_namespace(bundle: Bundle, lab: Lab) -> None:
    bundle.namespace("cgroup")


CGROUP2 = mount("/sys/fs/cgroup", "cgroup2", "cgroup", "nosuid", "noexec", "nodev")
CASES = [
    Case("unified", resources(unified=KNOBS), needs="v2 memory pids cpu"),
    Case(
        "unified-wins",
        resources(memory={"limit": 64 * MEGA}, unified={"memory.max": str(32 * MEGA)}),
        needs="v2 memory",
    ),
    Case("unified-unknown-file", resources(unified={"memory.nonsense": "1"}), needs="v2 memory"),
    Case("unified-unknown-controller", resources(unified={"nonsense.max": "1"}), needs="v2"),
    Case("unified-refused-value", resources(unified={"pids.max": "many"}), needs="v2 pids"),
    Case("unified-path", resources(unified={"../cgroup.procs": "1"}), needs="v2"),
    Case("io-throttle", both(resources(), throttled), needs="v2 io"),
    Case("io-weight", resources(blockIO={"weight": 500}), needs="v2 io"),
    Case(
        "hugepages",
        resources(hugepageLimits=[{"pageSize": "2MB", "limit": 4 * MEGA}]),
        needs="v2 hugetlb",
        difference={
            "files/hugetlb.2MB.rsvd.max": "config-linux.md#huge-page-limits: allows to limit the HugeTLB reservations (if supported) or usage; runc 1.1 and crun 1.8 limit usage alone on v2"
        },
    ),
    Case(
        "hugepages-odd-size",
        resources(hugepageLimits=[{"pageSize": "3MB", "limit": 4}]),
        needs="v2 hugetlb",
        difference={
            "error": "all refuse; runc and crun name a file of the cgroup that is missing, we the page sizes there are"
        },
    ),
    Case(
        "cpu-idle",
        resources(cpu={"idle": 1}),
        needs="v2 cpu",
        runc={
            "files/cpu.idle": "config-linux.md#cpu: `idle` 1 is SCHED_IDLE; runc 1.1 does not know it",
            "files/cpu.weight": "the kernel shows 0 for the weight of what is idle",
        },
    ),
    Case(
        "cpu-burst",
        resources(cpu={"quota": 50000, "period": 100000, "burst": 20000}),
        needs="v2 cpu",
        difference={
            "files/cpu.max.burst": "config-linux.md#cpu: `burst` is the most accumulated time for a period; runc 1.1 and crun 1.8 do not know it"
        },
    ),
    Case("cpu-realtime", resources(cpu={"realtimeRuntime": 5000}), needs="v2 cpu", runc=UNCONVERTIBLE),
    Case(
        "memory-kernel",
        resources(memory={"limit": 64 * MEGA, "kernelTCP": 8 * MEGA}),
        needs="v2 memory",
        crun={
            "create": "config-linux.md#memory: kernelTCP is NOT RECOMMENDED; runc ignores it, we warn, crun refuses"
        },
    ),
    Case(
        "memory-check-first",
        resources(memory={"limit": 64 * MEGA, "checkBeforeUpdate": True}),
        needs="v2 memory",
    ),
    Case(
        "network-priority",
        resources(network={"priorities": [{"name": "lo", "priority": 3}]}),
        needs="v2",
        runc=UNCONVERTIBLE,
    ),
    Case(
        "rdma-absent-device",
        resources(rdma={"mlx5_1": {"hcaHandles": 3}}),
        needs="v2 rdma",
        crun={"create": "config-linux.md#rdma: the limits are to be set; crun 1.8 does not know them"},
    ),
    Case(
        "mount-cgroup2",
        CGROUP2,
        "list:/sys/fs/cgroup",
        needs="v2",
        difference={
            "report/mountinfo//sys/fs/cgroup": CGROUP_TREE,
            "report/actions/list:/sys/fs/cgroup": CGROUP_TREE,
        },
    ),
    Case(
        "mount-cgroup2-in-namespace",
        both(in_namespace, CGROUP2),
        "list:/sys/fs/cgroup",
        "openw:/sys/fs/cgroup/cgroup.procs",
        needs="v2",
    ),
]
