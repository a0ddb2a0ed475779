"""What plans need to know about the machine, and the probe that reads it.

The plan is a pure function of the configuration and these facts.  Only what the
configuration can need is read.  A cgroup v1 hierarchy is looked for where
everybody mounts it; the list of mounts is read on unusual hosts alone.
"""

from __future__ import annotations

import os

from pyrunc.errors import EXHAUSTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Json = str | int | bool | list[str] | dict[str, str]

CGROUP_ROOT = "/sys/fs/cgroup"
WHOLE_ID_MAP = ["0", "0", "4294967295"]


class Facts:
    """Facts about the host; what was not asked for keeps its default.

    user_namespace: the runtime is in one that is not the initial one.
    copies_mounts: it may copy the mounts of its own mount namespace.
    cgroup_mounts: v1: controller → directory of its hierarchy ("" is the
    unified one of a hybrid host); v2: {"": directory}; {} where none is mounted.
    own_cgroups: the same keys → path of the runtime's own cgroup below that.
    cgroup_controllers: v2: the controllers that can be used there.
    cgroup_writable: keys of cgroup_mounts where the container's cgroup can be made.
    hugepage_sizes: as in cgroup file names, e.g. ``2MB``.  bfq: that I/O
    scheduler exists.  last_capability: -1 = not asked.  resctrl: its mount, or "".
    joins_own: types of namespaces that the configuration joins by path and that
    are the runtime's own; asked where there are kernel parameters to set.
    """

    __slots__ = (
        "apparmor", "bfq", "cgroup_controllers", "cgroup_mounts", "cgroup_version", "cgroup_writable",
        "copies_mounts", "euid", "hugepage_sizes", "joins_own", "last_capability", "own_cgroups", "resctrl",
        "selinux", "systemd", "umask", "user_namespace",
    )  # fmt: skip

    def __init__(self) -> None:
        self.euid = 0
        self.user_namespace = False
        self.copies_mounts = True
        self.umask = 0o022
        self.resctrl = ""
        self.last_capability = -1
        self.apparmor = False
        self.selinux = False
        self.systemd = False
        self.cgroup_version = 1
        self.cgroup_mounts: dict[str, str] = {}
        self.own_cgroups: dict[str, str] = {}
        self.cgroup_controllers: list[str] = []
        self.cgroup_writable: list[str] = []
        self.hugepage_sizes: list[str] = []
        self.bfq = False
        self.joins_own: list[str] = []

    def to_json(self) -> dict[str, Json]:
        """All facts by name."""
        return {name: getattr(self, name) for name in Facts.__slots__}

    @classmethod
    def from_json(cls, values: Mapping[str, Json]) -> Facts:
        """Facts from `to_json`'s form; names may be missing.  KeyError: an unknown name."""
        facts = cls()
        for name, value in values.items():
            if name not in Facts.__slots__:
                raise KeyError(name)
            setattr(facts, name, value)
        return facts


def probe_facts(config: Mapping[str, Any] | None, *, cgroups: bool = True) -> Facts:
    """Read the facts that `config` needs; None: all of them.  cgroups: those about cgroups too."""
    facts = Facts()
    facts.euid = os.geteuid()
    facts.umask = os.umask(0o022)
    os.umask(facts.umask)
    facts.user_namespace = _read("/proc/self/uid_map").split() != WHOLE_ID_MAP
    facts.copies_mounts = facts.euid == 0
    if facts.copies_mounts and facts.user_namespace:
        from pyrunc.host.namespaces import owns_namespace

        facts.copies_mounts = owns_namespace("mnt")
    facts.systemd = os.path.isdir("/run/systemd/system")
    _probe_security(facts, config)
    if config is None or "intelRdt" in (config.get("linux") or {}):
        from pyrunc.host.resctrl import find_resctrl

        facts.resctrl = find_resctrl()
    if config and (config.get("linux") or {}).get("sysctl"):
        from pyrunc.host.namespaces import joined_own

        facts.joins_own = joined_own(config)
    if cgroups:
        _probe_cgroups(facts)
        _probe_devices(facts, config)
        _probe_rights(facts, config or {})
    return facts


def _probe_security(facts: Facts, config: Mapping[str, Any] | None) -> None:
    process: Mapping[str, Any] = (config or {}).get("process") or {}
    linux: Mapping[str, Any] = (config or {}).get("linux") or {}
    if config is None or process.get("capabilities"):
        facts.last_capability = int(_read("/proc/sys/kernel/cap_last_cap") or "-1")
    if config is None or process.get("apparmorProfile"):
        facts.apparmor = _read("/sys/module/apparmor/parameters/enabled").startswith("Y")
    if config is None or process.get("selinuxLabel") or linux.get("mountLabel"):
        facts.selinux = os.path.exists("/sys/fs/selinux/enforce")


def _probe_devices(facts: Facts, config: Mapping[str, Any] | None) -> None:
    linux: Mapping[str, Any] = (config or {}).get("linux") or {}
    resources: Mapping[str, Any] = linux.get("resources") or {}
    block = resources.get("blockIO") or {}
    if config is None or block.get("weight") or block.get("weightDevice"):
        facts.bfq = _has_bfq()
    if config is None or resources.get("hugepageLimits"):
        facts.hugepage_sizes = read_hugepage_sizes()


def _has_bfq() -> bool:
    """Whether block devices can be scheduled by BFQ (which owns other weight files than the rest)."""
    for device in _list("/sys/block"):
        schedulers = _read(f"/sys/block/{device}/queue/scheduler").replace("[", "").replace("]", "")
        if "bfq" in schedulers.split():
            return True
    return False


def read_hugepage_sizes() -> list[str]:
    """The sizes of huge pages that this host has, as 2MB."""
    sizes = []
    for name in _list("/sys/kernel/mm/hugepages"):  # hugepages-2048kB
        size, unit = int(name.removeprefix("hugepages-").removesuffix("kB")), 0
        while size >= 1024 and size % 1024 == 0:
            size, unit = size // 1024, unit + 1
        sizes.append(f"{size}{('KB', 'MB', 'GB', 'TB')[unit]}")
    return sorted(sizes)


def _probe_cgroups(facts: Facts) -> None:
    hierarchies = parse_own_cgroups(_read("/proc/self/cgroup"))
    if os.path.exists(f"{CGROUP_ROOT}/cgroup.controllers"):
        facts.cgroup_version = 2
        facts.cgroup_mounts = {"": CGROUP_ROOT}
        hierarchies = {"": hierarchies.get("", "/")}
    else:
        facts.cgroup_mounts = _find_conventional(hierarchies)
        if set(hierarchies) - {"", *facts.cgroup_mounts} or not facts.cgroup_mounts:
            _use_mountinfo(facts, hierarchies)
            return
    facts.own_cgroups = {}
    for controller, mount in facts.cgroup_mounts.items():
        own = hierarchies[controller]
        if own != "/" and not os.path.isdir(mount + own):
            _use_mountinfo(facts, hierarchies)
            return
        facts.own_cgroups[controller] = own


def parse_own_cgroups(text: str) -> dict[str, str]:
    """Controller ("": unified) → path from /proc/PID/cgroup; outside of our cgroup namespace it is "/"."""
    own = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        path = path.removesuffix(" (deleted)")
        for controller in controllers.split(","):
            own[controller] = "/" if path.startswith("/..") else path
    return own


def _find_conventional(hierarchies: dict[str, str]) -> dict[str, str]:
    """v1 hierarchies that are mounted below /sys/fs/cgroup under their own names."""
    mounts: dict[str, str] = {}
    below = _device(CGROUP_ROOT)
    for controller in hierarchies:
        directory = f"{CGROUP_ROOT}/{controller.removeprefix('name=') or 'unified'}"
        if _device(directory) not in (0, below):  # a name of several ("cpu,cpuacct") has a symlink for each
            mounts[controller] = os.path.realpath(directory) if os.path.islink(directory) else directory
    return mounts


def _device(path: str) -> int:
    """What the file system of `path` is on; 0 if there is no such path."""
    try:
        return os.stat(path).st_dev
    except OSError:
        return 0


def _use_mountinfo(facts: Facts, hierarchies: dict[str, str]) -> None:
    """Find the hierarchies, and the part of them that is visible.

    Where some are at the usual place, mounts elsewhere are not the host's (CRIU makes some for a moment).
    """
    from pyrunc.host.mountinfo import parse_mountinfo

    found = [m for m in parse_mountinfo(_read("/proc/self/mountinfo")) if m.fstype in ("cgroup", "cgroup2")]
    mounts, own = {}, {}
    for mount in [m for m in found if (m.target + "/").startswith(CGROUP_ROOT + "/")] or found:
        root = mount.root.rstrip("/") + "/"
        for name in [""] if mount.fstype == "cgroup2" else mount.options:
            if name in hierarchies and name not in mounts:
                mounts[name] = mount.target
                below = hierarchies[name].rstrip("/") + "/"
                own[name] = "/" + below.removeprefix(root).rstrip("/") if below.startswith(root) else "/"
    if set(mounts) == {""}:
        facts.cgroup_version = 2
    facts.cgroup_mounts, facts.own_cgroups = mounts, own


def _probe_rights(facts: Facts, config: Mapping[str, Any]) -> None:
    """Which controllers can be used, and where cgroups can be made."""
    trusted = facts.euid == 0 and not facts.user_namespace
    unified = facts.cgroup_mounts.get("", "") if facts.cgroup_version == 2 else ""
    if trusted:
        facts.cgroup_writable = list(facts.cgroup_mounts)
        delegated = unified
    else:
        from pyrunc.cgroup.path import cgroup_paths, is_unit_path

        delegated = ""
        if is_unit_path((config.get("linux") or {}).get("cgroupsPath") or ""):
            config = {}  # systemd makes it; we may use what it delegated to us
        for controller, path in cgroup_paths(config, facts, "probe").items():
            nearest = _nearest(path)
            if _is_writable(nearest) and (controller or _may_move(facts, nearest)):
                delegated = _topmost_writable(nearest)
                facts.cgroup_writable.append(controller)
    if unified:
        facts.cgroup_controllers = _read(f"{delegated or unified}/cgroup.controllers").split()


def _is_writable(path: str) -> bool:
    return os.access(path, os.W_OK, effective_ids=True)


def _may_move(facts: Facts, directory: str) -> bool:
    """Whether a child of ours may start there: the kernel asks at the nearest common cgroup."""
    mount = facts.cgroup_mounts[""]
    own = mount + facts.own_cgroups[""].rstrip("/")
    while not (own + "/").startswith(directory + "/") and directory != mount:
        directory = os.path.dirname(directory)
    return _is_writable(f"{directory}/cgroup.procs")


def _nearest(path: str) -> str:
    """`path` or its nearest ancestor that exists."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def _topmost_writable(directory: str) -> str:
    """The highest ancestor of a v2 cgroup that we may give controllers to (the delegated one)."""
    while _is_writable(f"{os.path.dirname(directory)}/cgroup.subtree_control"):
        directory = os.path.dirname(directory)
    return directory


def _read(path: str) -> str:
    """The text of a small kernel file; "" if it is not there."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in EXHAUSTED:
            raise
        return ""
    try:
        parts = []
        while part := os.read(fd, 65536):
            parts.append(part)
    except OSError:
        return ""
    finally:
        os.close(fd)
    return os.fsdecode(b"".join(parts))


def _list(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError as error:
        if error.errno in EXHAUSTED:
            raise
        return []
