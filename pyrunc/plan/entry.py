"""How pyrunc-init enters the cgroups v1 of its container by itself.

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
