"""Values that mean something together: what rules and hosts would nearly always refuse if it came by chance."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from pyrunc.linux import CAPABILITIES
from pyrunc.plan.mount_options import known_options
from pyrunc.plan.namespaces import FLAGS

Strategy = st.SearchStrategy[Any]

NAMESPACES = tuple(sorted(FLAGS))
MAPPINGS = (
    [{"containerID": 0, "hostID": 1000, "size": 1}],
    [{"containerID": 0, "hostID": 100000, "size": 1000}, {"containerID": 5000, "hostID": 1, "size": 1}],
    [{"containerID": 7, "hostID": 7, "size": 1}],
)
LIMITS = st.sampled_from([-1, 0, 1 << 20, 1 << 30])
TIMES = st.sampled_from([0, 1000, 50000])
ERRNO = {"action": "SCMP_ACT_ERRNO", "errnoRet": 38}
NOTIFY = {"names": ["mknod"], "action": "SCMP_ACT_NOTIFY"}


def some(**optional: Strategy) -> Strategy:
    """An object with any of these properties."""
    return st.fixed_dictionaries({}, optional=optional)


def one_of(*values: Any) -> Strategy:
    return st.sampled_from(values)


def _mapped(mount: tuple[dict[str, Any], list[dict[str, int]]]) -> dict[str, Any]:
    return {**mount[0], "uidMappings": mount[1], "gidMappings": mount[1][:1]} if mount[1] else mount[0]


WORDS = one_of(*known_options()) | one_of("size=1m", "mode=700", "gid=5", "bind", "rbind", "remount", "idmap", "ro", "rro")
MOUNT = st.tuples(
    st.fixed_dictionaries(
        {
            "destination": one_of(
                "/data", "data/../x", "/", "/proc", "/proc/meminfo", "/proc/self", "/sys", "/sys/fs/cgroup",
                "/dev", "/dev/", "/dev/pts", "/dev/shm",
            ),
            "type": one_of("bind", "none", "tmpfs", "proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2", "ext4"),
            "source": one_of("/src", "src", "cgroup", ""),
        },
        optional={"options": st.lists(WORDS, max_size=4)},
    ),
    st.just([]) | one_of(*MAPPINGS),
).map(_mapped)  # fmt: skip
DEVICE = st.fixed_dictionaries(
    {"path": one_of("/dev/null", "/dev/fuse", "/dev/deep/x", "/thing"), "type": one_of(*"cubp")},
    optional={"fileMode": one_of(0o600, 0o7777), "uid": one_of(0, 5), "gid": one_of(0, 5)},
).map(lambda device: device if device["type"] == "p" else {**device, "major": 10, "minor": 229})
NUMBERS = one_of(-1, 0, 1, 10)
RULE = st.fixed_dictionaries(
    {"allow": st.booleans()},
    optional={"type": one_of(*"abc"), "major": NUMBERS, "minor": NUMBERS, "access": one_of("", "r", "rw", "rwm")},
)
SECCOMP = one_of(
    {"defaultAction": "SCMP_ACT_ALLOW"},
    {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 38, "flags": []},
    {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir"], **ERRNO}]},
    {
        "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [NOTIFY], "listenerPath": "/l", "listenerMetadata": "m",
        "flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],
    },
)  # fmt: skip
BELOW_RESOURCES: dict[tuple[str, ...], Strategy] = {
    ("devices",): st.lists(RULE, max_size=4),
    ("memory",): some(
        limit=LIMITS, swap=LIMITS, reservation=LIMITS, kernel=LIMITS, kernelTCP=LIMITS, swappiness=one_of(0, 100),
        disableOOMKiller=st.booleans(), useHierarchy=st.booleans(), checkBeforeUpdate=st.booleans(),
    ),
    ("cpu",): some(
        shares=one_of(0, 1, 2, 1024, 262144, 262145), quota=one_of(-1, 0, 1000, 50000), burst=TIMES, period=TIMES,
        realtimeRuntime=TIMES, realtimePeriod=TIMES, cpus=one_of("", "0", "0-1"), mems=one_of("", "0"),
        idle=one_of(0, 1),
    ),
    ("blockIO", "weight"): one_of(0, 9, 10, 1000),
    ("blockIO", "leafWeight"): one_of(0, 0, 10),
    ("hugepageLimits", "*", "pageSize"): one_of("64KB", "2MB", "1GB"),
    ("unified",): st.dictionaries(
        one_of("memory.high", "pids.max", "cgroup.max.depth", "cgroup.procs", "misc"), one_of("5", "max", "1\n2"),
        max_size=2,
    ),
}  # fmt: skip
LIKELY: dict[tuple[str, ...], Strategy] = {
    ("ociVersion",): one_of("1.0.2", "1.3.0", "1.4.0"),
    ("hostname",): one_of("", "box"),
    ("process", "env", "*"): one_of("A=1", "A=2", "HOME=", "HOME=/h", "PATH=/bin", "PATH="),
    ("process", "capabilities"): some(
        **{
            kind: st.lists(one_of(*CAPABILITIES, "CAP_OF_TOMORROW"), max_size=3)
            for kind in ("bounding", "effective", "permitted", "inheritable", "ambient")
        }
    ),
    ("process", "apparmorProfile"): one_of("", "unconfined", "profile"),
    ("process", "selinuxLabel"): one_of("", "label"),
    ("process", "scheduler"): one_of(
        {"policy": "SCHED_BATCH", "nice": 5},
        {"policy": "SCHED_FIFO", "priority": 9, "flags": ["SCHED_FLAG_RESET_ON_FORK"]},
        {"policy": "SCHED_DEADLINE", "runtime": 1, "deadline": 2, "period": 3},
        {"policy": "SCHED_DEADLINE", "runtime": 1, "deadline": 2, "period": 0},
    ),
    ("process", "execCPUAffinity"): one_of({"initial": "0", "final": "0-1"}, {"final": ""}, {"initial": "1"}),
    ("mounts",): st.lists(MOUNT, max_size=4),
    ("linux", "namespaces"): st.lists(st.tuples(one_of(*NAMESPACES), st.booleans()), unique_by=lambda n: n[0]).map(
        lambda chosen: [{"type": kind, "path": f"/ns/{kind}"} if joined else {"type": kind} for kind, joined in chosen]
    ),
    ("linux", "timeOffsets"): one_of({}, {"monotonic": {"secs": -1}, "boottime": {"secs": 1, "nanosecs": 2}}, {"boottime": {}}),
    ("linux", "devices"): st.lists(DEVICE, max_size=3),
    ("linux", "netDevices"): st.dictionaries(one_of("eth0", "eth1"), one_of({}, {"name": "in0"}, {"name": "in%d"}), max_size=2),
    ("linux", "cgroupsPath"): one_of("", "/a/b", "a/./b", ".", "/", "a:b:c", "-.slice:p:n", "a-b.slice::n", "slice:p:n"),
    ("linux", "intelRdt"): one_of(
        {}, {"closID": "c"}, {"closID": "/", "enableMonitoring": True},
        {"closID": "c", "l3CacheSchema": "L3:0=1\nL2:0=1", "memBwSchema": "MB:0=1", "schemata": ["L3:1=1", ""]},
        {"schemata": ["MB:0=1"], "enableMonitoring": False},
    ),
    ("linux", "memoryPolicy"): one_of(
        {"mode": "MPOL_BIND", "nodes": "0-1", "flags": ["MPOL_F_STATIC_NODES"]}, {"mode": "MPOL_DEFAULT"},
        {"mode": "MPOL_PREFERRED", "nodes": " "},
    ),
    ("linux", "sysctl"): st.dictionaries(
        one_of("kernel.sem", "kernel.domainname", "net.ipv4.ip_forward", "net/core/somaxconn", "fs.mqueue.msg_max",
               "user.max_net_namespaces"),
        one_of("0", "1", ""), max_size=3,
    ),
    ("linux", "seccomp"): SECCOMP,
    **{("linux", "resources", *path): values for path, values in BELOW_RESOURCES.items()},
    **{("linux", "resources", "blockIO", "weightDevice", "*", *path[1:]): values
       for path, values in BELOW_RESOURCES.items() if path[0] == "blockIO"},
}  # fmt: skip
