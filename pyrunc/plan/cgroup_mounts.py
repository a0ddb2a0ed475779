"""The cgroup file systems as the container sees them.

Pure.  v2: one mount; v1: a tmpfs with one mount per hierarchy and a symlink per
further controller.  With a cgroup namespace the kernel hides what is above the
container's cgroup; without one the container's own directories are bound.
"""

from __future__ import annotations

from pyrunc.linux import MOUNT_ATTR_NODEV, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_NOSUID, MOUNT_ATTR_RDONLY, MS_PRIVATE
from pyrunc.plan import ops
from pyrunc.plan.mounts import MOUNT, attributes, copy_source, refuse_data
from pyrunc.plan.ops import Slot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.host.facts import Facts
    from pyrunc.plan.mount_options import MountOptions
    from pyrunc.plan.mounts import MountContext, MountPlan

SAFE = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC


def add_cgroup_mount(
    plan: MountPlan, context: MountContext, options: MountOptions, target: str, index: int
) -> None:
    """Add the operations for mount `index`, of type cgroup (or cgroup2 on a v2 host)."""
    pointer = f"/mounts/{index}"
    refuse_data(options, pointer)
    options.set |= SAFE
    if context.facts.cgroup_version == 2:
        if context.facts.cgroup_mounts:
            _add_hierarchy(plan, context, options, target, f"{index}", "")
        return
    plan.attach.append(ops.new_mount(MOUNT, "tmpfs", "tmpfs", ["mode=755"], SAFE).at(pointer))
    plan.attach.append(ops.move_mount(MOUNT, target, 0, 0).at(pointer))
    for directory, controllers in _hierarchies(context.facts).items():
        name = directory.rpartition("/")[2]
        _add_hierarchy(plan, context, options, f"{target}/{name}", f"{index}/{name}", ",".join(controllers))
        for controller in controllers:
            link = controller.removeprefix("name=")
            if link != name:
                plan.attach.append(ops.make_symlink(f"{target}/{link}", name, "").at(pointer))
    if options.set & MOUNT_ATTR_RDONLY:
        plan.attach.append(ops.remount(target, MOUNT_ATTR_RDONLY, 0, []).at(pointer))


def _hierarchies(facts: Facts) -> dict[str, list[str]]:
    """Directory to controllers of the v1 hierarchies, in a fixed order."""
    result: dict[str, list[str]] = {}
    for controller in sorted(facts.cgroup_mounts):
        if controller:
            result.setdefault(facts.cgroup_mounts[controller], []).append(controller)
    return result


def _add_hierarchy(
    plan: MountPlan, context: MountContext, options: MountOptions, target: str, name: str, controllers: str
) -> None:
    """Mount one hierarchy, v2 if `controllers` is empty."""
    pointer = "/mounts/" + name.partition("/")[0]
    if context.namespaces.has("cgroup"):
        kind, words = ("cgroup", controllers.split(",")) if controllers else ("cgroup2", [])
        plan.attach.append(ops.new_mount(MOUNT, kind, "cgroup", words, options.set).at(pointer))
        plan.attach.append(ops.move_mount(MOUNT, target, 0, 0).at(pointer))
        return
    slot = Slot("source/" + name)
    changes = copy_source(plan, context, slot, _own_directory(context, controllers), 0, pointer)
    changes += attributes(slot, options, MS_PRIVATE, 0, pointer)
    plan.attach.append(ops.move_mount(slot, target, 0, 0).at(pointer))


def _own_directory(context: MountContext, controllers: str) -> str:
    """The host's directory of the container's cgroup, or of the runtime's where it has none of its own."""
    names = controllers.split(",")
    for name in names:
        if name in context.own_cgroups:
            return context.own_cgroups[name]
    facts = context.facts
    return (facts.cgroup_mounts[names[0]] + facts.own_cgroups.get(names[0], "/")).rstrip("/")
