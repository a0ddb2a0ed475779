"""How, and when, pyrunc-init enters the cgroups v1 of its container by itself.

Pure.  The runtime opens the files `tasks`; on v2 there is nothing to enter, for
the process starts inside.
"""

from __future__ import annotations

from pyrunc.plan.ops import Slot, enter_cgroup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyrunc.host.facts import Facts
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


def enters_last(config: Config) -> bool:
    """Whether the process may enter when all is found and opened for it: its cgroup is not charged for that.

    Not where a hook may look for the container's cgroup, nor where what the
    process asks for (scheduler, nodes of memory) is judged by cpu and cpuset.
    """
    hooks = config.get("hooks") or {}
    looked_for = any(hooks.get(kind) for kind in ("prestart", "createRuntime", "createContainer"))
    judged = "scheduler" in config.get("process", {}) or "memoryPolicy" in config.get("linux", {})
    return not looked_for and not judged
