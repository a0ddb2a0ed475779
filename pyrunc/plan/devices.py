"""Device nodes, the default ones and those of the configuration, and the links in /dev.

Pure.  Spec: config-linux.md#devices, #default-devices, runtime-linux.md#dev-symbolic-links.
A user namespace cannot make device nodes: there the host's are bound, after a
look at what they are.
"""

from __future__ import annotations

from pyrunc.linux import S_IFCHR
from pyrunc.plan import ops
from pyrunc.plan.mounts import clean_target
from pyrunc.plan.ops import Op, Slot
from pyrunc.spec.rules import is_bind
from pyrunc.spec.rules_linux import FILE_TYPES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.host.facts import Facts
    from pyrunc.plan.namespaces import Namespaces
    from pyrunc.spec.types import Config, Device

POINTER = "/linux/devices"
DEFAULT = {
    "/dev/null": (1, 3),
    "/dev/zero": (1, 5),
    "/dev/full": (1, 7),
    "/dev/random": (1, 8),
    "/dev/urandom": (1, 9),
    "/dev/tty": (5, 0),
}
LINKS = (
    ("/dev/fd", "/proc/self/fd", "/proc/self/fd"),
    ("/dev/stdin", "/proc/self/fd/0", "/proc/self/fd"),
    ("/dev/stdout", "/proc/self/fd/1", "/proc/self/fd"),
    ("/dev/stderr", "/proc/self/fd/2", "/proc/self/fd"),
    ("/dev/core", "/proc/kcore", "/proc/kcore"),
    ("/dev/ptmx", "pts/ptmx", ""),
)


def plan_devices(config: Config, facts: Facts, namespaces: Namespaces) -> tuple[list[Op], list[Op]]:
    """What is taken from the host, and what is made below the root.

    A /dev that is bound from elsewhere is used as it is: only devices outside of it are made.
    """
    mounts = config.get("mounts") or ()
    bound = any(is_bind(mount) and mount["destination"].strip("/") == "dev" for mount in mounts)
    bind = facts.euid != 0 or facts.user_namespace or namespaces.has("user")
    sources: list[Op] = []
    make: list[Op] = []
    own = set()
    for index, device in enumerate(config.get("linux", {}).get("devices") or ()):
        path = clean_target(device["path"])
        if path == "/dev/ptmx":  # the link below: terminals are those of the container's own devpts
            continue
        own.add(path)
        if not (bound and path.startswith("/dev/")):
            _add_device(sources, make, device, index, bind)
    if bound:
        return sources, make
    for path, (major, minor) in DEFAULT.items():
        if path in own:
            continue
        if bind:
            slot = Slot("device" + path)
            sources.append(ops.open_device(slot, path, S_IFCHR, major, minor).at(POINTER))
            make.append(ops.move_mount(slot, path, 0, 0).at(POINTER))
        else:
            make.append(ops.make_node(path, S_IFCHR, major, minor, 0o666, 0, 0, 0).at(POINTER))
    for target, content, only_if in LINKS:
        make.append(ops.make_symlink(target, content, only_if).at(POINTER))
    return sources, make


def _add_device(sources: list[Op], make: list[Op], device: Device, index: int, bind: bool) -> None:
    pointer = f"{POINTER}/{index}"
    path, letter = clean_target(device["path"]), device["type"]
    major, minor = device.get("major", 0), device.get("minor", 0)
    if bind and letter != "p":
        slot = Slot(f"device/{index}")
        sources.append(ops.open_device(slot, path, FILE_TYPES[letter], major, minor).at(pointer))
        make.append(ops.move_mount(slot, path, 0, 0).at(pointer))
        return
    mode = device.get("fileMode", 0o666) & 0o7777
    uid, gid = device.get("uid", 0), device.get("gid", 0)
    make.append(ops.make_node(path, FILE_TYPES[letter], major, minor, mode, uid, gid, 1).at(pointer))
