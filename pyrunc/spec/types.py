"""The shape of the OCI documents, for the type checker only: never imported at run time.

Names are those of the specification, docstrings its sections.  A property that may be missing is one
that the schema does not require; a valid document has no null.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict

from pyrunc.spec.types_linux import (
    CPU,
    BlockIO,
    Device,
    DeviceRule,
    HugepageLimit,
    IDMapping,
    IntelRdt,
    Linux,
    Memory,
    MemoryPolicy,
    Namespace,
    NetDevice,
    Network,
    NetworkPriority,
    Personality,
    Pids,
    Rdma,
    Resources,
    Seccomp,
    SyscallArgument,
    SyscallRule,
    ThrottleDevice,
    TimeOffset,
    WeightDevice,
)

__all__ = [
    "CPU",
    "BlockIO",
    "Capabilities",
    "Config",
    "ConsoleSize",
    "Device",
    "DeviceRule",
    "ExecCPUAffinity",
    "Hook",
    "Hooks",
    "HugepageLimit",
    "IDMapping",
    "IOPriority",
    "IntelRdt",
    "Linux",
    "Memory",
    "MemoryPolicy",
    "Mount",
    "Namespace",
    "NetDevice",
    "Network",
    "NetworkPriority",
    "Personality",
    "Pids",
    "Process",
    "Rdma",
    "Resources",
    "Rlimit",
    "Root",
    "Scheduler",
    "Seccomp",
    "SyscallArgument",
    "SyscallRule",
    "ThrottleDevice",
    "TimeOffset",
    "User",
    "WeightDevice",
]


class Root(TypedDict):
    """config.md#root."""

    path: str
    readonly: NotRequired[bool]


class Mount(TypedDict):
    """config.md#mounts."""

    destination: str
    source: NotRequired[str]
    type: NotRequired[str]
    options: NotRequired[list[str]]
    uidMappings: NotRequired[list[IDMapping]]
    gidMappings: NotRequired[list[IDMapping]]


class ConsoleSize(TypedDict):
    """config.md#process."""

    height: int
    width: int


class User(TypedDict):
    """config.md#posix-platform-user."""

    uid: int
    gid: int
    umask: NotRequired[int]
    additionalGids: NotRequired[list[int]]


class Rlimit(TypedDict):
    """config.md#posix-process."""

    type: str
    soft: int
    hard: int


class Capabilities(TypedDict, total=False):
    """config.md#linux-process."""

    bounding: list[str]
    effective: list[str]
    permitted: list[str]
    inheritable: list[str]
    ambient: list[str]


class Scheduler(TypedDict):
    """config.md#linux-process."""

    policy: str
    nice: NotRequired[int]
    priority: NotRequired[int]
    flags: NotRequired[list[str]]
    runtime: NotRequired[int]
    deadline: NotRequired[int]
    period: NotRequired[int]


IOPriority = TypedDict("IOPriority", {"class": str, "priority": int})


class ExecCPUAffinity(TypedDict, total=False):
    """config.md#linux-process."""

    initial: str
    final: str


class Process(TypedDict):
    """config.md#process."""

    cwd: str
    args: list[str]
    terminal: NotRequired[bool]
    consoleSize: NotRequired[ConsoleSize]
    env: NotRequired[list[str]]
    user: NotRequired[User]
    rlimits: NotRequired[list[Rlimit]]
    capabilities: NotRequired[Capabilities]
    noNewPrivileges: NotRequired[bool]
    apparmorProfile: NotRequired[str]
    selinuxLabel: NotRequired[str]
    oomScoreAdj: NotRequired[int]
    scheduler: NotRequired[Scheduler]
    ioPriority: NotRequired[IOPriority]
    execCPUAffinity: NotRequired[ExecCPUAffinity]


class Hook(TypedDict):
    """config.md#posix-platform-hooks, one entry."""

    path: str
    args: NotRequired[list[str]]
    env: NotRequired[list[str]]
    timeout: NotRequired[int]


class Hooks(TypedDict, total=False):
    """config.md#posix-platform-hooks."""

    prestart: list[Hook]
    createRuntime: list[Hook]
    createContainer: list[Hook]
    startContainer: list[Hook]
    poststart: list[Hook]
    poststop: list[Hook]


class Config(TypedDict):
    """config.md."""

    ociVersion: str
    root: Root
    mounts: NotRequired[list[Mount]]
    process: NotRequired[Process]
    hostname: NotRequired[str]
    domainname: NotRequired[str]
    hooks: NotRequired[Hooks]
    annotations: NotRequired[dict[str, str]]
    linux: NotRequired[Linux]
