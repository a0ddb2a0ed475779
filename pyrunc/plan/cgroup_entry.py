"""How, and when, the container's process comes into its cgroups.

Pure.  On v1 it enters by itself, through files `tasks` that the runtime opened; on v2
there is nothing to enter, for it starts inside.
"""

from __future__ import annotations

from pyrunc.plan.namespaces import needs_clone
from pyrunc.plan.ops import Slot, enter_cgroup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyrunc.host.facts import Facts
    from pyrunc.plan.namespaces import Namespaces
    from pyrunc.plan.ops import Op
    from pyrunc.spec.types import Config

TASKS = "tasks/"


def plan_entry(version: int, paths: Mapping[str, str], facts: Facts) -> list[Op]:
    """One operation for each hierarchy; none where the process starts in its cgroup or the runtime moves it.

    paths: controller → directory; "" is the unified hierarchy of a hybrid host.
    The kernel looks at who opened the file: what the real root opened serves in
    any user namespace.
    """
    if version == 2 or facts.euid != 0 or facts.user_namespace:
        return []
    controllers = {path: controller for controller, path in paths.items() if controller}
    return [
        enter_cgroup(Slot(TASKS + controller)).at("/linux/cgroupsPath") for controller in controllers.values()
    ]


def may_clone_into(facts: Facts, namespaces: Namespaces) -> bool:
    """Whether stage 1 may start the container's process in its v2 cgroup; else it starts there itself.

    Not in a user namespace, nor from a cgroup namespace that was joined: cgroups
    outside of that are out of reach (nsdelegate).
    """
    real_root = facts.euid == 0 and not facts.user_namespace
    reached = not namespaces.has("user") and "cgroup" not in namespaces.joined
    return real_root and reached and needs_clone(namespaces)


def enters_last(config: Config) -> bool:
    """Whether the process may enter when all is found and opened for it: its cgroup is not charged for that.

    Not where a hook may look for the container's cgroup, nor where what the
    process asks for (scheduler, nodes of memory) is judged by cpu and cpuset.
    """
    hooks = config.get("hooks") or {}
    looked_for = any(hooks.get(kind) for kind in ("prestart", "createRuntime", "createContainer"))
    judged = "scheduler" in config.get("process", {}) or "memoryPolicy" in config.get("linux", {})
    return not looked_for and not judged
