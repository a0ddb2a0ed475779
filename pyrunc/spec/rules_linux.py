"""The rules of the `linux` section; `rules` says how they are applied."""

from __future__ import annotations

from pyrunc.spec.schema import escape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyrunc.spec.rules import Found, Rule

MAXIMUM_ERRNO = 4095
LAST_NUMBER = 65535  # no kernel has as many CPUs or memory nodes
MAXIMUM_MAPPINGS = 340  # lines of /proc/PID/uid_map since Linux 4.15
LAST_ID = (1 << 32) - 2  # the next one, (uid_t) -1, means "unchanged"
FILE_TYPES = {"c": 0o020000, "u": 0o020000, "b": 0o060000, "p": 0o010000}
IPC_SYSCTLS = (
    "msgmax", "msgmnb", "msgmni", "sem", "shmall", "shmmax", "shmmni", "shm_rmid_forced",
    "auto_msgmni", "msg_next_id", "sem_next_id", "shm_next_id",
)


def has_namespace(config: dict[str, Any], kind: str) -> bool:
    """Whether the container gets a namespace of its own of this kind, new or joined."""
    return any(namespace["type"] == kind for namespace in config.get("linux", {}).get("namespaces", ()))


# --- namespaces and what needs them --------------------------------------------------


def namespaces(value: list[dict[str, Any]], config: dict[str, Any]) -> Found:
    """Each type once; a new user namespace has ids."""
    seen, mapped = set(), config["linux"].get("uidMappings") or config["linux"].get("gidMappings")
    for index, namespace in enumerate(value):
        if namespace["type"] in seen:
            yield f"/{index}/type", f'duplicate namespace "{namespace["type"]}"; allowed: each type once'
        if namespace["type"] == "user" and not namespace.get("path") and not mapped:
            yield f"/{index}", "a new user namespace has no ids without uidMappings and gidMappings"
        seen.add(namespace["type"])


def host_names(value: str, config: dict[str, Any]) -> Found:
    """Without a UTS namespace the host's own name would change."""
    if value and not has_namespace(config, "uts"):
        yield "", f'setting "{value}" needs a namespace of type uts; it would change the host otherwise'


def id_mappings(value: dict[str, Any], config: dict[str, Any]) -> Found:
    """Mappings of users and groups come together, and with a user namespace."""
    for name, other in (("uidMappings", "gidMappings"), ("gidMappings", "uidMappings")):
        entries = value.get(name)
        if not entries:
            continue
        if not has_namespace(config, "user"):
            yield f"/{name}", f"{name} needs a user namespace"
        elif not value.get(other):
            yield f"/{name}", f"{name} without {other}; allowed: both or none"
        for below, text in mappings(entries, config):
            yield f"/{name}{below}", text


def mappings(value: list[dict[str, Any]], config: dict[str, Any]) -> Found:
    """Ranges of valid ids that do not overlap, and are few enough for the kernel."""
    if len(value) > MAXIMUM_MAPPINGS:
        yield "", f"{len(value)} mappings; the kernel takes at most {MAXIMUM_MAPPINGS}"
    for side in ("containerID", "hostID"):
        ends = 0
        for first, size, index in sorted((entry[side], entry["size"], i) for i, entry in enumerate(value)):
            if first + size - 1 > LAST_ID:
                yield f"/{index}/size", f"{side} {first} and size {size} pass the last id, {LAST_ID}"
            if first < ends:
                yield f"/{index}/{side}", f"{side} {first} overlaps another mapping"
            ends = max(ends, first + size)


def time_offsets(value: dict[str, Any], config: dict[str, Any]) -> Found:
    """Offsets can be set only before the first process enters a new time namespace."""
    if not value:
        return
    for namespace in config["linux"].get("namespaces", ()):
        if namespace["type"] == "time":
            if "path" in namespace:
                yield "", "offsets cannot be set for a time namespace that is joined by path"
            return
    yield "", "offsets need a time namespace"


def sysctls(value: dict[str, str], config: dict[str, Any]) -> Found:
    """Only parameters of the container's own namespaces."""
    for name in value:
        parts = sysctl_path(name).split("/")
        below = f"/{escape(name)}"
        if any(part in ("", ".", "..") for part in parts):
            yield below, f'"{name}" is not the name of a kernel parameter'
            continue
        if parts == ["kernel", "hostname"]:
            yield below, f'"{name}" is set by the hostname property'
            continue
        kind = sysctl_namespace(parts)
        if not kind:
            yield below, f'sysctl "{name}" is not in a separate kernel namespace'
        elif not has_namespace(config, kind):
            text = f'sysctl "{name}" needs a namespace of type {kind}; it would change the host otherwise'
            yield below, text


def sysctl_path(name: str) -> str:
    """The path below /proc/sys of a kernel parameter, as sysctl(8) reads names.

    The first separator decides: behind a dot, a slash stands for a dot in a
    name (`net.ipv4.conf.eth0/100.forwarding`); behind a slash nothing changes.
    """
    dot, slash = name.find("."), name.find("/")
    if dot < 0 or 0 <= slash < dot:
        return name
    return name.translate({46: "/", 47: "."})


def sysctl_namespace(parts: list[str]) -> str:
    """The type of the namespace that a kernel parameter belongs to, "" if it is the host's."""
    if parts[0] == "net":
        return "network"
    if parts[0] == "user":
        return "user"
    if parts[:2] == ["fs", "mqueue"] or (parts[0] == "kernel" and parts[1:] and parts[1] in IPC_SYSCTLS):
        return "ipc"
    return "uts" if parts == ["kernel", "domainname"] else ""


# --- devices -------------------------------------------------------------------------


def devices(value: list[dict[str, Any]], config: dict[str, Any]) -> Found:
    """Numbers unless it is a FIFO; a file mode of the same type; one device per path."""
    seen: dict[str, tuple[object, ...]] = {}
    for index, device in enumerate(value):
        kind = device["type"]
        if kind != "p":
            for name in ("major", "minor"):
                if name not in device:
                    yield f"/{index}", f'{name} is missing; a device of type "{kind}" needs it'
        file_type = device.get("fileMode", 0) & 0o170000
        if file_type not in (0, FILE_TYPES[kind]):
            text = f'found {device["fileMode"]}, whose type bits are not those of type "{kind}"'
            yield f"/{index}/fileMode", text
        node = (FILE_TYPES[kind], device.get("major", 0), device.get("minor", 0))
        if seen.setdefault(device["path"], node) != node:
            yield f"/{index}/path", f"{device['path']} is another device already"


# --- control groups ------------------------------------------------------------------


def cgroups_path(value: str, config: dict[str, Any]) -> Found:
    """A path that stays where it says."""
    if ".." in value.split("/"):
        yield "", f'found "{value}"; allowed: a path without ".."'


def memory(value: dict[str, Any], config: dict[str, Any]) -> Found:
    """`swap` counts memory too: not below the memory limit.  0 is unset, in an update what is in force."""
    limit, swap = value.get("limit", 0), value.get("swap", 0)
    if swap > 0 and (limit < 0 or (limit == 0 and "ociVersion" in config)):
        yield "/swap", f"found {swap} without a memory limit; swap counts memory and swap together"
    elif 0 < swap < limit:
        yield "/swap", f"found {swap}; allowed: at least the memory limit, {limit}, since it counts both"


def cpu(value: dict[str, Any], config: dict[str, Any]) -> Found:
    """No burst above the quota; lists that can be parsed."""
    quota, burst = value.get("quota", 0), value.get("burst", 0)
    if 0 < quota < burst:
        yield "/burst", f"found {burst}; allowed: at most the quota, {quota}"
    yield from number_list(value, "cpus")
    yield from number_list(value, "mems")


def block_io(value: dict[str, Any], config: dict[str, Any]) -> Found:
    """A device's entry must say something."""
    for index, device in enumerate(value.get("weightDevice", ())):
        if "weight" not in device and "leafWeight" not in device:
            yield f"/weightDevice/{index}", "weight and leafWeight are missing; at least one is needed"


def huge_pages(value: list[dict[str, Any]], config: dict[str, Any]) -> Found:
    """Each page size once."""
    seen = set()
    for index, limit in enumerate(value):
        if limit["pageSize"] in seen:
            yield f"/{index}/pageSize", f"duplicate {limit['pageSize']}; allowed: each page size once"
        seen.add(limit["pageSize"])


def rdma(value: dict[str, Any], config: dict[str, Any]) -> Found:
    """A device's entry must say something."""
    for name, device in value.items():
        if "hcaHandles" not in device and "hcaObjects" not in device:
            yield f"/{escape(name)}", "hcaHandles and hcaObjects are missing; at least one is needed"


def unified(value: dict[str, str], config: dict[str, Any]) -> Found:
    """File names of the group's own directory (the schema refuses slashes)."""
    for name in value:
        if name in (".", ".."):
            yield f"/{name}", f'"{name}" is not the name of a file'


# --- seccomp -------------------------------------------------------------------------


def seccomp(value: dict[str, Any], config: dict[str, Any]) -> Found:
    """A return value only where the action has one; a listener exactly where it is needed."""
    yield from _errno(value, "defaultAction", "defaultErrnoRet", "")
    notifies = value["defaultAction"] == "SCMP_ACT_NOTIFY"
    for index, rule in enumerate(value.get("syscalls", ())):
        if "errnoRet" in rule:
            yield from _errno(rule, "action", "errnoRet", f"/syscalls/{index}")
        notifies = notifies or rule["action"] == "SCMP_ACT_NOTIFY"
    path = value.get("listenerPath", "")
    if value.get("listenerMetadata") and not path:
        yield "/listenerMetadata", "listenerMetadata without listenerPath"
    if notifies and path[:1] != "/":
        yield "/listenerPath", f'found "{path}"; SCMP_ACT_NOTIFY needs the absolute path of a socket'


def _errno(value: dict[str, Any], action: str, name: str, below: str) -> Found:
    number = value.get(name)
    if number is None:
        return
    if value[action] not in ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"):
        text = f"{value[action]} has no return value; SCMP_ACT_ERRNO and SCMP_ACT_TRACE have one"
        yield f"{below}/{name}", text
    elif value[action] == "SCMP_ACT_ERRNO" and number > MAXIMUM_ERRNO:
        yield f"{below}/{name}", f"found {number}; allowed with SCMP_ACT_ERRNO: 0 to {MAXIMUM_ERRNO}"


# --- memory policy -------------------------------------------------------------------


def memory_policy(value: dict[str, Any], config: dict[str, Any]) -> Found:
    """Nodes where the mode takes them, flags that do not exclude each other."""
    mode, nodes, flags = value["mode"], value.get("nodes", "").strip(), value.get("flags", ())
    yield from number_list(value, "nodes")
    if mode in ("MPOL_DEFAULT", "MPOL_LOCAL"):
        if nodes:
            yield "/nodes", f'found "{nodes}"; {mode} takes no nodes'
    elif not nodes and mode != "MPOL_PREFERRED":
        yield "", f"nodes is missing; {mode} needs at least one"
    if "MPOL_F_STATIC_NODES" in flags and "MPOL_F_RELATIVE_NODES" in flags:
        yield "/flags", "MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES exclude each other"


def number_list(value: dict[str, Any], name: str) -> Found:
    """`value[name]`, if there, is a list such as "0-3,7"."""
    if value.get(name):
        try:
            number_ranges(value[name])
        except ValueError:
            yield f"/{name}", f'found "{value[name]}"; allowed: numbers and ranges such as "0-3,7"'


def number_ranges(text: str) -> list[tuple[int, int]]:
    """The ranges (first, last) of a list such as "0-3,7"; blanks around numbers are allowed, "" is empty.

    Raises ValueError for anything else, and for numbers above LAST_NUMBER.
    """
    ranges = []
    for part in text.split(",") if text.strip(" ") else ():
        first, dash, last = part.strip(" ").partition("-")
        last = last if dash else first
        if not (text.isascii() and first.isdecimal() and last.isdecimal()):
            raise ValueError(text)
        if not int(first) <= int(last) <= LAST_NUMBER:
            raise ValueError(text)
        ranges.append((int(first), int(last)))
    return ranges


# --- the table -----------------------------------------------------------------------

_RESOURCES = ("linux", "resources")
RULES: tuple[tuple[tuple[str, ...], str, Rule], ...] = (
    (("linux", "namespaces"), "config-linux.md#namespaces", namespaces),
    (("hostname",), "config.md#hostname", host_names),
    (("domainname",), "config.md#domainname", host_names),
    (("linux",), "config-linux.md#user-namespace-mappings", id_mappings),
    (("linux", "timeOffsets"), "config-linux.md#offset-for-time-namespace", time_offsets),
    (("linux", "sysctl"), "config-linux.md#sysctl", sysctls),
    (("linux", "devices"), "config-linux.md#devices", devices),
    (("linux", "cgroupsPath"), "config-linux.md#cgroups-path", cgroups_path),
    ((*_RESOURCES, "memory"), "config-linux.md#memory", memory),
    ((*_RESOURCES, "cpu"), "config-linux.md#cpu", cpu),
    ((*_RESOURCES, "blockIO"), "config-linux.md#block-io", block_io),
    ((*_RESOURCES, "hugepageLimits"), "config-linux.md#huge-page-limits", huge_pages),
    ((*_RESOURCES, "rdma"), "config-linux.md#rdma", rdma),
    ((*_RESOURCES, "unified"), "config-linux.md#unified", unified),
    (("linux", "seccomp"), "config-linux.md#seccomp", seccomp),
    (("linux", "memoryPolicy"), "config-linux.md#memory-policy", memory_policy),
)
