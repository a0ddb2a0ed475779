"""The root file system: cloned, made the container's, swapped in, made read-only.

Pure.  Spec: config.md#root, config-linux.md#rootfs-mount-propagation.
"""

from __future__ import annotations

from pyrunc.linux import MS_PRIVATE, MS_REC, MS_SLAVE
from pyrunc.plan import ops
from pyrunc.plan.mount_options import PROPAGATION
from pyrunc.plan.ops import Op, Slot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.spec.types import Config

ROOT = Slot("root")
POINTER = "/root"
PROPAGATION_POINTER = "/linux/rootfsPropagation"


def absolute_path(path: str, bundle: str) -> str:
    """A path of config.json as the runtime sees it: relative to the bundle."""
    return path if path.startswith("/") else f"{bundle}/{path}"


def base_propagation(config: Config) -> int:
    """What copies of host mounts become before anything else: MS_SLAVE, MS_PRIVATE, or 0 for peers.

    Without a word in the configuration, mounts made on the host later appear
    in the container, and none of the container's on the host.  Nor are there
    peers in a user namespace, which the kernel sees to for what it copies by
    itself (mount_namespaces(7)), and not for copies that were made before.
    """
    name = _propagation_name(config)
    if name.endswith("shared") and not _has_user_namespace(config):
        return 0
    return MS_PRIVATE if name.endswith(("private", "unbindable")) else MS_SLAVE


def _has_user_namespace(config: Config) -> bool:
    return any(entry["type"] == "user" for entry in config.get("linux", {}).get("namespaces") or ())


def _propagation_name(config: Config) -> str:
    return config.get("linux", {}).get("rootfsPropagation") or ""


def plan_root_source(config: Config, bundle: str) -> list[Op]:
    """A detached copy of the root file system, cut off from the host's mounts."""
    path = absolute_path(config["root"]["path"], bundle)
    propagation = base_propagation(config) or MS_SLAVE
    return [
        ops.open_tree(ROOT, path, 1).at("/root/path"),
        ops.mount_setattr(ROOT, 0, 0, propagation, 1).at(PROPAGATION_POINTER),
    ]


def plan_attach_at(path: str) -> tuple[list[Op], list[Op]]:
    """Without a mount namespace of its own: the copy over its directory, which the runtime takes note of."""
    init = [ops.attach_root_at(ROOT, path).at("/root/path"), ops.signal("attached"), ops.wait("noted")]
    runtime = [ops.wait("attached"), ops.record_root_mount(path).at("/root/path"), ops.signal("noted")]
    return init, runtime


def plan_attach(config: Config) -> list[Op]:
    """The copy over "/".

    "/" is never left shared, or the container's root would appear on the host.
    """
    propagation = (base_propagation(config) or MS_SLAVE) | MS_REC
    return [
        ops.set_propagation(propagation).at(PROPAGATION_POINTER),
        ops.attach_root(ROOT).at("/root/path"),
    ]


def plan_swap(config: Config, no_pivot: bool, own_mounts: bool) -> list[Op]:
    """The copy becomes the process's root, with the propagation that was asked for.

    own_mounts: the mount namespace is the container's own.
    """
    if not own_mounts:
        return [ops.change_root().at(POINTER)]
    result = [ops.move_root().at(POINTER) if no_pivot else ops.pivot_root().at(POINTER)]
    name = _propagation_name(config)
    if name:
        recursive = MS_REC if name[0] == "r" else 0
        flags = PROPAGATION[name.removeprefix("r")] | recursive
        result.append(ops.root_propagation(flags).at(PROPAGATION_POINTER))
    return result


def plan_readonly(config: Config) -> list[Op]:
    """Read-only root, after everything was made in it."""
    if config["root"].get("readonly"):
        return [ops.readonly_root().at("/root/readonly")]
    return []
