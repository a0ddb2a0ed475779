"""linux.intelRdt → operations of the runtime: groups of the resctrl file system.

Pure.  pyrunc-init waits while it is moved into them, so that all that it starts
is in them too.  Spec: config-linux.md, "IntelRdt".
"""

from __future__ import annotations

from pyrunc.errors import HostError
from pyrunc.plan import ops

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pyrunc.host.facts import Facts
    from pyrunc.plan.ops import Op

POINTER = "/linux/intelRdt"
MUST_EXIST, MUST_BE_SAME, TAKE, MUST_BE_NEW = 0, 1, 2, 3
"""What about a group that is there already: the rules of `make_resctrl_group`."""


def schemata_of(rdt: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """The lines for the file `schemata`: of l3CacheSchema and memBwSchema, and of `schemata`."""
    lines = [*(rdt.get("l3CacheSchema") or "").split("\n"), rdt.get("memBwSchema") or ""]
    return [line for line in lines if line], [line for line in rdt.get("schemata") or () if line]


def group_path(rdt: Mapping[str, Any], mount: str, id: str) -> str:
    """The directory of the container's class of service below the resctrl file system at `mount`."""
    name = rdt.get("closID") or id
    return mount if name == "/" else f"{mount}/{name}"


def plan_resctrl(rdt: Mapping[str, Any], facts: Facts, id: str) -> list[Op]:
    """The class of service, and a monitoring group if it is asked for.  HostError: there is no resctrl."""
    if not facts.resctrl:
        text = "intelRdt needs the resctrl file system, which is not mounted"
        raise HostError(text, pointer=POINTER, hint="mount -t resctrl resctrl /sys/fs/resctrl")
    path, (same, written) = group_path(rdt, facts.resctrl, id), schemata_of(rdt)
    rule = TAKE if not rdt.get("closID") else MUST_BE_SAME if same or written else MUST_EXIST
    make = ops.make_resctrl_group(path, rule, same, written)
    plan = [make.at(POINTER), ops.join_resctrl_group(path).at(POINTER)]
    if rdt.get("enableMonitoring"):
        monitor = f"{path}/mon_groups/{id}"
        plan.append(ops.make_resctrl_group(monitor, MUST_BE_NEW, [], []).at(f"{POINTER}/enableMonitoring"))
        plan.append(ops.join_resctrl_group(monitor).at(f"{POINTER}/enableMonitoring"))
    return plan
