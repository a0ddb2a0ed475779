"""CRIU's external resources: the mounts, files and namespaces of a container that lie outside of it.

A checkpoint names these things, a restore says what stands for them now.
"""

from __future__ import annotations

import os

from pyrunc.errors import HostError
from pyrunc.host.mountinfo import parse_mountinfo
from pyrunc.plan.create import NOTIFY_DIRECTORY
from pyrunc.plan.devices import DEFAULT as DEFAULT_DEVICES
from pyrunc.spec.rules import is_bind
from pyrunc.state.store import NOTIFY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pyrunc.host.mountinfo import Mount
    from pyrunc.state.record import Record

MOUNTS = "external-mounts.json"
DESCRIPTORS = "descriptors.json"
CGROUP_MOUNT = "/sys/fs/cgroup"
NAMESPACES = {"network": ("net", "extRootNetNS"), "pid": ("pid", "extRootPidNS")}
"""Namespaces of others that a container may have joined: name in /proc/PID/ns and CRIU's key."""


def external_mounts(text: str, config: Mapping[str, Any]) -> list[str]:
    """The mount points, of a container's /proc/PID/mountinfo, that show something of the host.

    Those are the binds of the configuration, and every mount of a file system
    whose own root is nowhere in the container.
    """
    mounts = [mount for mount in parse_mountinfo(text) if mount.target != "/"]
    asked = {os.path.normpath(mount["destination"]): is_bind(mount) for mount in config.get("mounts") or []}
    bound = {mount.target for mount in mounts if _is_bound(mount.target, asked)}
    whole = {mount.device for mount in mounts if mount.root == "/" and mount.target not in bound}
    found = [mount.target for mount in mounts if mount.target in bound or mount.device not in whole]
    return list(dict.fromkeys(found))


def _is_bound(target: str, asked: Mapping[str, bool]) -> bool:
    """Whether the last of the configuration's mounts on the way to `target` is a bind."""
    while target != "/" and target not in asked:
        target = os.path.dirname(target)
    return asked.get(target, False)


def map_mounts(
    targets: list[str], config: Mapping[str, Any], record: Record, directory: str
) -> dict[str, str]:
    """Mount point to the host's path that a restore shows there.

    targets: what the checkpoint named; record: the container that it becomes, in
    the state directory `directory`.  A mount point is the container's word, the
    path is the host's: HostError for one that the configuration does not explain.
    """
    binds = {}
    for mount in config.get("mounts") or []:
        if is_bind(mount):
            source = os.path.normpath(os.path.join(record.bundle, mount["source"]))
            binds[os.path.normpath(mount["destination"])] = source
    known = binds | _made_mounts(config, record, directory)
    result = dict(binds)
    for target in targets:
        result.setdefault(target, known.get(target) or _path_below(target, binds, config, record))
    return result


def _made_mounts(config: Mapping[str, Any], record: Record, directory: str) -> dict[str, str]:
    """What the runtime mounts by itself: masks, devices of user namespaces, cgroups, the notify directory."""
    linux = config.get("linux") or {}
    found = {os.path.normpath(path): "/dev/null" for path in linux.get("maskedPaths") or ()}
    found |= {path: path for path in DEFAULT_DEVICES}
    found |= {path: path for path in (os.path.normpath(item["path"]) for item in linux.get("devices") or ())}
    for controller, path in record.cgroup.get("paths", {}).items():
        for name in (controller, controller.removeprefix("name=")):
            found[os.path.join(CGROUP_MOUNT, name).rstrip("/")] = path
    if record.notify:
        found[NOTIFY_DIRECTORY] = f"{directory}/{NOTIFY}"
    return found


def _path_below(target: str, binds: Mapping[str, str], config: Mapping[str, Any], record: Record) -> str:
    """The host's path of a mount below a bind, or of a read-only path of the root."""
    readonly = map(os.path.normpath, (config.get("linux") or {}).get("readonlyPaths") or ())
    bases = dict.fromkeys(readonly, record.rootfs)
    below = max((bind for bind in binds if target.startswith(bind + "/")), key=len, default="")
    base, rest = (binds[below], target[len(below) :]) if below else (bases.get(target, ""), target)
    if base and os.path.realpath(base + rest) == os.path.realpath(base) + rest:
        return base + rest
    why = "leads elsewhere by a symbolic link" if base else "is none that the configuration explains"
    raise HostError(f"a restore cannot bring back the mount at {target}: it {why}", path=target, step="criu")


def external_files(pid: int) -> list[str]:
    """What descriptors 0, 1 and 2 of a process are: `pipe:[N]` and the like, or `file[MOUNT:INODE]`.

    A regular or device file of a mount that is not the container's gets the
    second form: CRIU's name for what it may not dump.
    """
    mounts = {mount.id for mount in _read_mounts(pid)}
    found = []
    for number in range(3):
        try:
            path = os.readlink(f"/proc/{pid}/fd/{number}")
            inode = os.stat(f"/proc/{pid}/fd/{number}").st_ino
            with open(f"/proc/{pid}/fdinfo/{number}", encoding="ascii") as info:
                ids = [int(line.split()[1]) for line in info if line.startswith("mnt_id:")]
        except OSError:
            found.append("")
            continue
        if path.startswith("/") and ids and ids[0] not in mounts:
            path = f"file[{ids[0]:x}:{inode:x}]"
        found.append(path)
    return found


def _read_mounts(pid: int) -> list[Mount]:
    return parse_mountinfo(read_mountinfo(pid))


def read_mountinfo(pid: int) -> str:
    """The text of /proc/PID/mountinfo."""
    with open(f"/proc/{pid}/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def joined_namespaces(config: Mapping[str, Any]) -> dict[str, str]:
    """Namespace type to path, of those that the container joined and CRIU can leave alone."""
    linux = config.get("linux") or {}
    return {
        entry["type"]: entry["path"]
        for entry in linux.get("namespaces") or []
        if entry.get("path") and entry["type"] in NAMESPACES
    }


def name_namespace(pid: int, kind: str) -> str:
    """CRIU's name for a namespace of a process that it shall not dump."""
    file, key = NAMESPACES[kind]
    return f"{file}[{os.stat(f'/proc/{pid}/ns/{file}').st_ino}]:{key}"
