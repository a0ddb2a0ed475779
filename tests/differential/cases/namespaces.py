"""config-linux.md: namespaces, user mappings, sysctl, personality."""

from __future__ import annotations

from tests.harness import Bundle

from . import Case, Lab, both, drop, mount, put


def inherit(*kinds: str):  # type: ignore[no-untyped-def]
    def prepare(bundle: Bundle, lab: Lab) -> None:
        bundle.without_namespace(*kinds)
        if "uts" in kinds:
            bundle.config.pop("hostname", None)

    return prepare


def join(kind: str):  # type: ignore[no-untyped-def]
    def prepare(bundle: Bundle, lab: Lab) -> None:
        bundle.namespace(kind, lab.namespace(kind))
        if kind == "uts":
            del bundle.config["hostname"]

    return prepare


def join_wrong_kind(bundle: Bundle, lab: Lab) -> None:
    bundle.namespace("network", lab.namespace("ipc"))


def twice(bundle: Bundle, lab: Lab) -> None:
    bundle.linux["namespaces"].append({"type": "ipc"})


def in_user_namespace(*more: str):  # type: ignore[no-untyped-def]
    def prepare(bundle: Bundle, lab: Lab) -> None:
        bundle.user_namespace()
        for kind in more:
            bundle.namespace(kind)

    return prepare


def two_ranges(bundle: Bundle, lab: Lab) -> None:
    bundle.user_namespace()
    bundle.linux["uidMappings"] = bundle.linux["gidMappings"] = [
        {"containerID": 0, "hostID": 100000, "size": 10},
        {"containerID": 1000, "hostID": 200000, "size": 1},
    ]


def mappings_missing(bundle: Bundle, lab: Lab) -> None:
    bundle.namespace("user")


def moved_device(*name: str):  # type: ignore[no-untyped-def]
    def prepare(bundle: Bundle, lab: Lab) -> None:
        bundle.linux["netDevices"] = {lab.device(): dict(zip(("name",), name))}

    return prepare


def mapped_mount(*options: str, kind: str = "bind"):  # type: ignore[no-untyped-def]
    """A folder of uid 0, shown with the ids of the mount's own mapping."""

    def prepare(bundle: Bundle, lab: Lab) -> None:
        lab.file("source/inside")
        mapping = [{"containerID": 0, "hostID": 5000, "size": 1000}]
        bundle.mount(
            "/data", kind, str(lab.folder("source")), *options, uidMappings=mapping, gidMappings=mapping
        )

    return prepare


def sysctl(**values: str):  # type: ignore[no-untyped-def]
    return put("/linux/sysctl", {key.replace("__", "."): value for key, value in values.items()})


TIME = "config-linux.md#namespaces lists time; runc and crun know it from 1.2 and 1.9 on"
SHM = "read:/proc/sys/kernel/shmmni"
KEYRING = "runc 1.1 misreads the permissions of a keyring that belongs to another user id"
DEVICES = "config-linux.md#network-devices: they are moved, or the runtime MUST generate an error; younger than these releases"
MAPPED = "config.md#mounts: the mount's own mappings MUST be applied; runc knows them from 1.2 on"
BOUND = "config-linux.md#default-devices: they MUST be there; whether a bound one is nosuid and noexec is left open"
# with the flags that it may have where it comes from: what becomes of those is a case of mounts
host_sys = mount("/sys", "bind", "/sys", "rbind", "ro", "nosuid", "nodev", "noexec")

IN_USER_NAMESPACE = {
    "runc": {"report/session_keyring": KEYRING},
    "crun": {"report/mountinfo//dev/": BOUND},
}
NOT_SHOWN = "not a difference of the runtimes: here crun is not shown version 2 of a hybrid host"
CASES = [
    Case(
        "pid-inherited", both(inherit("pid"), put("/linux/maskedPaths", []), put("/linux/readonlyPaths", []))
    ),
    Case(
        "network-inherited",
        both(inherit("network"), host_sys),
        crun={"v1:report/mountinfo//sys/fs/cgroup/unified": NOT_SHOWN},
    ),
    Case("ipc-inherited", inherit("ipc")),
    Case("uts-inherited", inherit("uts")),
    Case("cgroup-new", lambda b, lab: b.namespace("cgroup")),
    Case(
        "time-new",
        lambda b, lab: b.namespace("time"),
        difference={"create": TIME},
    ),
    Case(
        "time-offsets",
        both(
            lambda b, lab: b.namespace("time"),
            put("/linux/timeOffsets", {"boottime": {"secs": 1000, "nanosecs": 5}, "monotonic": {"secs": -1}}),
        ),
        "read:/proc/self/timens_offsets",
        difference={"create": TIME},
    ),
    Case("network-joined", join("network"), "list:/sys/class/net"),
    Case("ipc-joined", join("ipc")),
    Case("uts-joined", join("uts")),
    Case("pid-joined", join("pid")),
    Case("cgroup-joined", join("cgroup")),
    Case("joined-wrong-kind", join_wrong_kind),
    Case("joined-missing", lambda b, lab: b.namespace("network", "/no/such/namespace")),
    Case(
        "same-kind-twice",
        twice,
        crun={
            "create": "config-linux.md#namespaces: if the list contains duplicates the runtime MUST generate an error"
        },
    ),
    Case(
        "unknown-kind",
        lambda b, lab: b.namespace("bogus"),
        crun={"error": "an error either way; the words are those of runc, which engines know"},
    ),
    Case(
        "namespaces-only-mount",
        both(inherit("pid", "network", "ipc", "uts"), host_sys),
        crun={"v1:report/mountinfo//sys/fs/cgroup/unified": NOT_SHOWN},
    ),
    Case(
        "no-mount-namespace",
        inherit("mount"),
        runc={
            "create": "config-linux.md#namespaces: a type that is not listed is inherited; runc wants a mount namespace"
        },
        crun={
            "report/": "config-linux.md#namespaces: a type that is not listed is inherited; crun makes a mount namespace nevertheless"
        },
    ),
    Case(
        "user",
        in_user_namespace(),
        "create:/tmp",
        "tree:/dev",
        "stat:/etc/passwd",
        **IN_USER_NAMESPACE,
    ),
    Case(
        "user-and-cgroup",
        in_user_namespace("cgroup"),
        "stat:/tmp",
        **IN_USER_NAMESPACE,
    ),
    Case(
        "user-two-ranges",
        both(two_ranges, put("/process/user", {"uid": 1000, "gid": 1000})),
        "stat:/home/user",
        **IN_USER_NAMESPACE,
    ),
    Case("user-without-mappings", mappings_missing),
    Case("user-unmapped-id", both(two_ranges, put("/process/user", {"uid": 500, "gid": 0}))),
    Case("sysctl-network", sysctl(net__ipv4__ip_forward="1"), "read:/proc/sys/net/ipv4/ip_forward"),
    Case(
        "sysctl-ipc",
        sysctl(kernel__shmmni="1234", kernel__msgmax="9000"),
        SHM,
        "read:/proc/sys/kernel/msgmax",
    ),
    Case(
        "sysctl-slashes",
        put("/linux/sysctl", {"net/ipv4/ip_forward": "1"}),
        "read:/proc/sys/net/ipv4/ip_forward",
    ),
    Case("sysctl-of-host", sysctl(kernel__pid_max="40000")),
    Case("sysctl-network-of-host", both(inherit("network"), sysctl(net__ipv4__ip_forward="1"))),
    Case("sysctl-ipc-of-host", both(inherit("ipc"), sysctl(kernel__shmmni="1234"))),
    Case("sysctl-hostname", sysctl(kernel__hostname="other")),
    Case("sysctl-domainname", sysctl(kernel__domainname="other.example")),
    Case("sysctl-missing", sysctl(net__ipv4__bogus="1")),
    Case("sysctl-bad-value", sysctl(net__ipv4__ip_forward="words")),
    Case(
        "personality",
        put("/linux/personality", {"domain": "LINUX32"}),
        runc={
            "report/personality": "config-linux.md#personality: sets the Linux execution personality; runc knows it from 1.2 on",
            "report/machine": "LINUX32 makes uname say i686; runc knows personality from 1.2 on",
        },
    ),
    Case("personality-flags", put("/linux/personality", {"domain": "LINUX", "flags": []})),
    Case(
        "personality-unknown",
        put("/linux/personality", {"domain": "BOGUS"}),
        runc={"create": "config.md#valid-values: invalid or unsupported values MUST generate an error"},
    ),
    Case(
        "device-moved",
        moved_device("inside0"),
        "list:/sys/class/net",
        difference={"report/actions/list:/sys/class/net": DEVICES},
    ),
    Case(
        "device-missing",
        put("/linux/netDevices", {"nosuch0": {}}),
        runc={"create": DEVICES, "newer:error": "an error either way; the words are our own"},
        crun={"create": DEVICES},
    ),
    Case(
        "device-without-namespace",
        both(inherit("network"), moved_device()),
        difference={"create": DEVICES},
    ),
    *[
        Case(
            name,
            mapped_mount(option),
            "stat:/data/inside",
            runc={"report/mountinfo//data": MAPPED, "report/actions/stat:/data/inside/": MAPPED},
        )
        for name, option in (("mount-mapped", "bind"), ("mount-mapped-recursive", "rbind"))
    ],
    Case(
        "linux-section-small",
        both(drop("/linux/maskedPaths"), drop("/linux/readonlyPaths")),
        "openw:/proc/sysrq-trigger",
    ),
]
