"""The shape of the `linux` section, for the type checker only; `types` has the rest and offers these too."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class IDMapping(TypedDict):
    """config-linux.md#user-namespace-mappings."""

    containerID: int
    hostID: int
    size: int


class Namespace(TypedDict):
    """config-linux.md#namespaces."""

    type: str
    path: NotRequired[str]


class TimeOffset(TypedDict, total=False):
    """config-linux.md#offset-for-time-namespace."""

    secs: int
    nanosecs: int


class Device(TypedDict):
    """config-linux.md#devices."""

    type: str
    path: str
    major: NotRequired[int]
    minor: NotRequired[int]
    fileMode: NotRequired[int]
    uid: NotRequired[int]
    gid: NotRequired[int]


class NetDevice(TypedDict, total=False):
    """config-linux.md#network-devices."""

    name: str


class DeviceRule(TypedDict):
    """config-linux.md#allowed-device-list."""

    allow: bool
    type: NotRequired[str]
    major: NotRequired[int]
    minor: NotRequired[int]
    access: NotRequired[str]


class Memory(TypedDict, total=False):
    """config-linux.md#memory."""

    limit: int
    reservation: int
    swap: int
    kernel: int
    kernelTCP: int
    swappiness: int
    disableOOMKiller: bool
    useHierarchy: bool
    checkBeforeUpdate: bool


class CPU(TypedDict, total=False):
    """config-linux.md#cpu."""

    shares: int
    quota: int
    burst: int
    period: int
    realtimeRuntime: int
    realtimePeriod: int
    cpus: str
    mems: str
    idle: int


class WeightDevice(TypedDict):
    """config-linux.md#block-io, a weight."""

    major: int
    minor: int
    weight: NotRequired[int]
    leafWeight: NotRequired[int]


class ThrottleDevice(TypedDict):
    """config-linux.md#block-io, a rate."""

    major: int
    minor: int
    rate: int


class BlockIO(TypedDict, total=False):
    """config-linux.md#block-io."""

    weight: int
    leafWeight: int
    weightDevice: list[WeightDevice]
    throttleReadBpsDevice: list[ThrottleDevice]
    throttleWriteBpsDevice: list[ThrottleDevice]
    throttleReadIOPSDevice: list[ThrottleDevice]
    throttleWriteIOPSDevice: list[ThrottleDevice]


class HugepageLimit(TypedDict):
    """config-linux.md#huge-page-limits."""

    pageSize: str
    limit: int


class NetworkPriority(TypedDict):
    """config-linux.md#network, a priority."""

    name: str
    priority: int


class Network(TypedDict, total=False):
    """config-linux.md#network."""

    classID: int
    priorities: list[NetworkPriority]


class Pids(TypedDict, total=False):
    """config-linux.md#pids."""

    limit: int


class Rdma(TypedDict, total=False):
    """config-linux.md#rdma."""

    hcaHandles: int
    hcaObjects: int


class Resources(TypedDict, total=False):
    """config-linux.md#control-groups."""

    devices: list[DeviceRule]
    memory: Memory
    cpu: CPU
    blockIO: BlockIO
    hugepageLimits: list[HugepageLimit]
    network: Network
    pids: Pids
    rdma: dict[str, Rdma]
    unified: dict[str, str]


class IntelRdt(TypedDict, total=False):
    """config-linux.md#intelrdt."""

    closID: str
    schemata: list[str]
    l3CacheSchema: str
    memBwSchema: str
    enableMonitoring: bool


class MemoryPolicy(TypedDict):
    """config-linux.md#memory-policy."""

    mode: str
    nodes: NotRequired[str]
    flags: NotRequired[list[str]]


class SyscallArgument(TypedDict):
    """config-linux.md#seccomp, a condition."""

    index: int
    value: int
    valueTwo: NotRequired[int]
    op: str


class SyscallRule(TypedDict):
    """config-linux.md#seccomp, a rule."""

    names: list[str]
    action: str
    errnoRet: NotRequired[int]
    args: NotRequired[list[SyscallArgument]]


class Seccomp(TypedDict):
    """config-linux.md#seccomp."""

    defaultAction: str
    defaultErrnoRet: NotRequired[int]
    architectures: NotRequired[list[str]]
    flags: NotRequired[list[str]]
    listenerPath: NotRequired[str]
    listenerMetadata: NotRequired[str]
    syscalls: NotRequired[list[SyscallRule]]


class Personality(TypedDict):
    """config-linux.md#personality."""

    domain: str
    flags: NotRequired[list[str]]


class Linux(TypedDict, total=False):
    """config-linux.md."""

    namespaces: list[Namespace]
    uidMappings: list[IDMapping]
    gidMappings: list[IDMapping]
    timeOffsets: dict[str, TimeOffset]
    devices: list[Device]
    netDevices: dict[str, NetDevice]
    cgroupsPath: str
    resources: Resources
    intelRdt: IntelRdt
    memoryPolicy: MemoryPolicy
    sysctl: dict[str, str]
    seccomp: Seccomp
    rootfsPropagation: str
    maskedPaths: list[str]
    readonlyPaths: list[str]
    mountLabel: str
    personality: Personality
