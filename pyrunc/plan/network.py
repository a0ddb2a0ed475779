"""linux.netDevices → operations of the runtime.

Pure.  The devices are moved while pyrunc-init waits with its network namespace
made.  Spec: config-linux.md, "Network Devices".
"""

from __future__ import annotations

from pyrunc.errors import HostError
from pyrunc.plan import ops
from pyrunc.spec.schema import escape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pyrunc.host.facts import Facts
    from pyrunc.plan.ops import Op

POINTER = "/linux/netDevices"


def plan_net_devices(devices: Mapping[str, Any], facts: Facts) -> list[Op]:
    """One move for each device, in the order of the configuration.  HostError: we are not root."""
    if facts.euid != 0 or facts.user_namespace:
        raise HostError("only root can move network devices into a container", pointer=POINTER)
    return [
        ops.move_network_device(name, (device or {}).get("name") or name).at(f"{POINTER}/{escape(name)}")
        for name, device in devices.items()
    ]
