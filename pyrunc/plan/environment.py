"""linux.netDevices and linux.intelRdt → operations of the runtime.

Pure.  They are carried out while pyrunc-init waits: it has its namespaces, and
no process of the container's program is there yet.
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

NET_DEVICES = "/linux/netDevices"
RDT = "/linux/intelRdt"
MUST_EXIST, MUST_BE_SAME, TAKE = 0, 1, 2


def plan_net_devices(linux: Mapping[str, Any], facts: Facts) -> list[Op]:
    """One move for each device, in the order of the configuration."""
    devices = linux.get("netDevices") or {}
    if devices and (facts.euid != 0 or facts.user_namespace):
        raise HostError("only root can move network devices into a container", pointer=NET_DEVICES)
    return [
        ops.move_network_device(name, (device or {}).get("name") or name).at(f"{NET_DEVICES}/{name}")
        for name, device in devices.items()
    ]


def schemata_of(rdt: Mapping[str, Any]) -> list[str]:
    """The lines for the file `schemata`, in the order of the specification."""
    lines = [rdt.get("l3CacheSchema") or "", rdt.get("memBwSchema") or "", *(rdt.get("schemata") or ())]
    return [line for line in lines if line]


def group_path(rdt: Mapping[str, Any], mount: str, id: str) -> str:
    """The directory of the container's class of service."""
    name = rdt.get("closID") or id
    return mount if name == "/" else f"{mount}/{name}"


def plan_resctrl(linux: Mapping[str, Any], facts: Facts, id: str) -> list[Op]:
    """The class of service, and a monitoring group if it is asked for (config-linux.md#intelrdt)."""
    if "intelRdt" not in linux:
        return []
    if not facts.resctrl:
        text = "intelRdt needs the resctrl file system, which is not mounted"
        raise HostError(text, pointer=RDT, hint="mount -t resctrl resctrl /sys/fs/resctrl")
    rdt = linux["intelRdt"]
    path, lines = group_path(rdt, facts.resctrl, id), schemata_of(rdt)
    rule = TAKE if not rdt.get("closID") else MUST_BE_SAME if lines else MUST_EXIST
    plan = [ops.make_resctrl_group(path, rule, lines).at(RDT), ops.join_resctrl_group(path).at(RDT)]
    if rdt.get("enableMonitoring"):
        monitor = f"{path}/mon_groups/{id}"
        plan.append(ops.make_resctrl_group(monitor, TAKE, []).at(f"{RDT}/enableMonitoring"))
        plan.append(ops.join_resctrl_group(monitor).at(f"{RDT}/enableMonitoring"))
    return plan
