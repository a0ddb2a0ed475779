"""The mounts of the configuration, as operations.

Pure.  Spec: config.md#mounts.  What the option words mean is in
`mount_options`, the cgroup file systems are in `cgroup_mounts`.
"""

from __future__ import annotations

from os.path import normpath

from pyrunc.errors import SpecError
from pyrunc.linux import MOUNT_ATTR_RDONLY, MS_PRIVATE, MS_SHARED, MS_UNBINDABLE
from pyrunc.plan import ops
from pyrunc.plan.mount_options import CLEARING, parse_mount_options
from pyrunc.plan.namespaces import id_map_text, maps_id
from pyrunc.plan.ops import Op, Slot
from pyrunc.plan.rootfs import absolute_path, base_propagation
from pyrunc.spec.rules import is_bind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyrunc.host.facts import Facts
    from pyrunc.plan.mount_options import MountOptions
    from pyrunc.plan.namespaces import Namespaces
    from pyrunc.spec.types import Config, Mount

MOUNT = Slot("mount")
# Files of procfs that a container may have covered, for views of its own limits.
COVERABLE = (
    "/proc/cpuinfo", "/proc/diskstats", "/proc/loadavg", "/proc/meminfo", "/proc/net/dev", "/proc/slabinfo",
    "/proc/stat", "/proc/swaps", "/proc/sys/crypto/fips_enabled", "/proc/sys/kernel/ns_last_pid",
    "/proc/uptime",
)  # fmt: skip
# File systems of the kernel's own: no device behind them, to be opened read-only for "ro".
NO_DEVICE = ("tmpfs", "proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2", "overlay", "ramfs")
NO_LABEL = ("proc", "sysfs", "mqueue", "cgroup", "cgroup2")


class MountPlan:
    """The operations for all mounts.

    sources: what is copied from the runtime's mounts, while these are in sight;
    opened: what is copied later, opened before the root covers "/"; attach: in
    the order of the configuration; finish: after all else was made in the
    mounts; user_namespaces, warnings: see Plan.
    """

    __slots__ = ("attach", "finish", "opened", "sources", "user_namespaces", "warnings")

    def __init__(self) -> None:
        self.sources: list[Op] = []
        self.opened: list[Op] = []
        self.attach: list[Op] = []
        self.finish: list[Op] = []
        self.user_namespaces: dict[Slot, tuple[str, str]] = {}
        self.warnings: list[str] = []


class MountContext:
    """What every mount may need to know beside itself."""

    __slots__ = ("bundle", "config", "facts", "namespaces", "own_cgroups")

    def __init__(
        self, config: Config, facts: Facts, namespaces: Namespaces, bundle: str, own_cgroups: dict[str, str]
    ) -> None:
        self.config = config
        self.facts = facts
        self.namespaces = namespaces
        self.bundle = bundle
        self.own_cgroups = own_cgroups

    @property
    def copies_in_order(self) -> bool:
        """Whether binds can be copied when their turn comes, so that the kernel lists mounts in our order.

        Root loses the right to open what its user namespace may not; in a
        mount namespace that is joined, the runtime's paths are out of sight;
        and only a copy from the runtime's own is a peer of its source.
        """
        if self.facts.copies_mounts and (self.namespaces.has("user") or not base_propagation(self.config)):
            return False
        return self.namespaces.is_new("mount")


def plan_mounts(context: MountContext) -> MountPlan:
    """The operations for all mounts of the configuration, in its order.  SpecError: one cannot be made."""
    plan = MountPlan()
    for index, mount in enumerate(context.config.get("mounts") or ()):
        pointer = f"/mounts/{index}"
        options = parse_mount_options(mount.get("options") or ())
        target = clean_target(mount["destination"])
        kind = mount.get("type") or ""
        if target == "/":
            raise SpecError("a mount cannot cover the root", pointer=pointer + "/destination")
        cgroup = kind == "cgroup" or (kind == "cgroup2" and context.facts.cgroup_version == 2)
        mapped = mount.get("uidMappings") or options.switches & {"idmap", "ridmap"}
        if mapped and ("remount" in options.switches or (cgroup and not is_bind(mount))):
            raise SpecError("the kernel maps no ids of a cgroup file system or by a remount", pointer=pointer)
        if "remount" in options.switches:
            plan.attach += _remount(target, options, pointer)
            continue
        bind = is_bind(mount)
        if "tmpcopyup" in options.switches and (bind or kind != "tmpfs"):
            raise SpecError("tmpcopyup is for tmpfs", pointer=pointer + "/options")
        _check_proc(target, kind, bind, pointer)
        if bind:
            _add_bind(plan, context, mount, options, target, index)
        elif cgroup:
            from pyrunc.plan.cgroup_mounts import add_cgroup_mount

            add_cgroup_mount(plan, context, options, target, index)
        else:
            _add_new(plan, context, mount, options, target, index)
    return plan


def clean_target(path: str) -> str:
    """A container path, absolute and without `.`, `..` and doubled slashes."""
    return normpath("/" + path.lstrip("/"))


def _check_proc(target: str, kind: str, bind: bool, pointer: str) -> None:
    """Refuse to cover /proc with something else, or a file in it that others trust.

    What a bind shows is looked at when it is opened (`require_proc`).
    """
    if target.startswith("/proc/") and target not in COVERABLE:
        text = f'"{target}" cannot be mounted because it is inside /proc'
        raise SpecError(text, pointer=pointer + "/destination")
    if target == "/proc" and kind != "proc" and not bind:
        text = f'"/proc" cannot be mounted because it is not of type proc but {kind}'
        raise SpecError(text, pointer=pointer + "/type")


def _remount(target: str, options: MountOptions, pointer: str) -> list[Op]:
    words = [word for _, word in options.data]
    if options.bind:
        refuse_data(options, pointer)
    else:
        words = options.superblock + words
    return [ops.remount(target, options.set, options.clear, words).at(pointer)]


def refuse_data(options: MountOptions, pointer: str) -> None:
    """Words for the file system make no sense on a bind: they would change it for the host."""
    for index, word in options.data:
        text = f'option "{word}" cannot be applied to a bind mount'
        raise SpecError(text, pointer=f"{pointer}/options/{index}")


def _add_bind(
    plan: MountPlan, context: MountContext, mount: Mount, options: MountOptions, target: str, index: int
) -> None:
    pointer = f"/mounts/{index}"
    for place, word in options.data:  # as mount(2) does; applied, they would change the host's file system
        plan.warnings.append(f'{pointer}/options/{place}: "{word}" means nothing on a bind mount')
    slot = Slot(f"source/{index}")
    source = absolute_path(mount["source"], context.bundle)
    recursive = 1 if "rbind" in options.switches else 0
    checks = [ops.require_proc(slot).at(pointer + "/source")] if target == "/proc" else []
    copy = _idmap(plan, context, mount, options, slot, index)
    copy += attributes(slot, options, base_propagation(context.config), recursive, pointer)
    copy_source(plan, context, slot, source, recursive, pointer, checks).extend(copy)
    plan.attach.append(_attach(slot, target, target in ("/proc", "/sys")).at(pointer))


def copy_source(
    plan: MountPlan, context: MountContext, slot: Slot, source: str, recursive: int,
    pointer: str, checks: Sequence[Op] = (),
) -> list[Op]:  # fmt: skip
    """Copy a mount of the runtime's into `slot`; the list that is returned takes what changes the copy.

    checks: what is asked of the source.
    """
    if context.copies_in_order:
        plan.opened += [ops.open_source(slot, source).at(pointer), *checks]
        plan.attach.append(ops.clone_mount(slot, recursive).at(pointer))
        return plan.attach
    plan.sources += [ops.open_tree(slot, source, recursive).at(pointer), *checks]
    return plan.sources


def attributes(slot: Slot, options: MountOptions, base: int, recursive: int, pointer: str) -> list[Op]:
    """mount_setattr(2) calls for the copy of a mount, as few as there can be.

    base: the propagation that comes first (see `base_propagation`).
    """
    steps = list(options.propagation)
    if base and not (steps and _covers(steps[0], base, recursive)):
        steps.insert(0, (base, 1))
    calls = [[0, 0, propagation, all_below & recursive] for propagation, all_below in steps]
    own, below = (options.set, options.clear), (options.all_set, options.all_clear)
    changes = [(*below, 1)] if recursive else []
    if not recursive or own != below:
        changes.append((*own, 0))
    for set, clear, all_below in changes:
        if set or clear:
            if calls and calls[-1][3] == all_below:
                calls[-1][0] |= set
                calls[-1][1] |= clear
            else:
                calls.append([set, clear, 0, all_below])
    return [ops.mount_setattr(slot, *call).at(pointer) for call in calls]


def _covers(step: tuple[int, int], base: int, recursive: int) -> bool:
    """Whether the wanted propagation makes the base superfluous."""
    propagation, all_below = step
    return (propagation in (base, MS_PRIVATE, MS_UNBINDABLE)) and all_below >= recursive


def _idmap(
    plan: MountPlan, context: MountContext, mount: Mount, options: MountOptions, slot: Slot, index: int
) -> list[Op]:
    uids, gids = mount.get("uidMappings") or [], mount.get("gidMappings") or []
    pointer = f"/mounts/{index}"
    if not uids and not options.switches & {"idmap", "ridmap"}:
        return []
    recursive = 1 if "ridmap" in options.switches else 0
    if not uids and "user" in context.namespaces.joined:
        user = Slot("userns/joined")
        pointers = context.namespaces.pointers
        path = context.namespaces.joined["user"]
        from pyrunc.linux import CLONE_NEWUSER

        plan.sources.append(ops.open_namespace(user, path, CLONE_NEWUSER).at(pointers["user"]))
    else:
        linux = context.config.get("linux", {})
        texts = (id_map_text(uids or linux["uidMappings"]), id_map_text(gids or linux["gidMappings"]))
        user = _user_namespace(plan, texts)
    return [ops.idmap_mount(slot, user, recursive).at(pointer)]


def _user_namespace(plan: MountPlan, texts: tuple[str, str]) -> Slot:
    for slot, known in plan.user_namespaces.items():
        if known == texts:
            return slot
    slot = Slot(f"userns/{len(plan.user_namespaces)}")
    plan.user_namespaces[slot] = texts
    return slot


def _add_new(
    plan: MountPlan, context: MountContext, mount: Mount, options: MountOptions, target: str, index: int
) -> None:
    pointer = f"/mounts/{index}"
    kind = mount["type"]
    flags = options.set
    readonly = flags & MOUNT_ATTR_RDONLY
    words = [word for _, word in options.data]
    words += [word for word in options.superblock if word not in CLEARING]
    words += _label(plan, context, kind)
    if readonly and kind not in NO_DEVICE:
        words.append("ro")
    if kind == "devpts" and "gid=5" in words and not _has_group(context, 5):
        words.remove("gid=5")
    if readonly and (kind == "tmpfs" or target == "/dev"):  # more is made in it first
        flags &= ~MOUNT_ATTR_RDONLY
        plan.finish.append(ops.remount(target, readonly, 0, []).at(pointer))
    plan.attach.append(ops.new_mount(MOUNT, kind, mount.get("source") or "", words, flags).at(pointer))
    plan.attach += _idmap(plan, context, mount, options, MOUNT, index)
    private = True
    for propagation, all_below in options.propagation:
        private = private and propagation not in (MS_SHARED, MS_UNBINDABLE)
        if not private:
            plan.attach.append(ops.mount_setattr(MOUNT, 0, 0, propagation, all_below).at(pointer))
    if "tmpcopyup" in options.switches:
        plan.attach.append(ops.copy_up(MOUNT, target).at(pointer))
    elif kind == "tmpfs" and not any(word.startswith("mode=") for word in words):
        # the kernel's own mode, 1777, would open a private directory to all
        plan.attach.append(ops.copy_mode(MOUNT, target).at(pointer))
    no_symlinks = kind in ("proc", "sysfs") or target in ("/proc", "/sys")
    plan.attach.append(_attach(MOUNT, target, no_symlinks).at(pointer))


def _attach(slot: Slot, target: str, no_symlinks: bool) -> Op:
    """A procfs may lie on another, and the files that may be covered lie on one."""
    return ops.move_mount(slot, target, int(no_symlinks), int(target == "/proc" or target in COVERABLE))


def _label(plan: MountPlan, context: MountContext, kind: str) -> list[str]:
    label = context.config.get("linux", {}).get("mountLabel")
    if not label or kind in NO_LABEL:
        return []
    if context.facts.selinux:
        return [f"context={label}"]
    warning = "/linux/mountLabel: SELinux is not enabled on this host, mounts get no label"
    if warning not in plan.warnings:
        plan.warnings.append(warning)
    return []


def _has_group(context: MountContext, gid: int) -> bool:
    if not context.namespaces.is_new("user"):
        return True
    return maps_id(context.config["linux"].get("gidMappings") or [], gid)
