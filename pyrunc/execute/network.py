"""Network devices: into a container's network namespace, with their addresses.

The only module that uses pyroute2, imported for containers that ask for it.
"""

from __future__ import annotations

import os
from errno import EEXIST, ENODEV

from pyrunc import native
from pyrunc.errors import HostError, OperationError, reason
from pyrunc.linux import CLONE_NEWNET

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PERMANENT = 0x80  # IFA_F_PERMANENT
GLOBAL = 0  # RT_SCOPE_UNIVERSE
SETTABLE = 0x712  # IFA_F_NODAD, _HOMEADDRESS, _MANAGETEMPADDR, _NOPREFIXROUTE, _MCAUTOJOIN
STEP = "move_network_device"


def move_device(name: str, new_name: str, pid: int) -> str:
    """Move device `name` of this network namespace into that of process `pid`; its name there.

    Its permanent global addresses go with it and it is brought up (spec
    config-linux.md, "Network Devices").  A failure after the move leaves it there.
    """
    try:
        from pyroute2 import IPRoute
        from pyroute2.netlink.exceptions import NetlinkError
    except ImportError as error:
        text = "netDevices needs the Python package pyroute2, which is not installed"
        raise HostError(text, step=STEP, hint="install python3-pyroute2") from error
    target = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        with IPRoute() as here, _open_inside(target, IPRoute) as there:
            return _move(here, there, name, new_name, target)
    except NetlinkError as error:
        number = int(error.code or 0)
        text = f"cannot move network device {name} into the container as {new_name}"
        raise OperationError(f"{text}: {reason(number)}", step=STEP, errno=number) from error
    finally:
        os.close(target)


def _open_inside(namespace: int, make: Any) -> Any:
    """A netlink socket of another network namespace; it stays there, we come back."""
    own = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        native.setns(namespace, CLONE_NEWNET)
        try:
            route = make()
            route.get_links(index=1)  # the socket is bound now, whenever the library does that
            return route
        finally:
            native.setns(own, CLONE_NEWNET)
    finally:
        os.close(own)


def _move(here: Any, there: Any, name: str, new_name: str, target: int) -> str:
    found = here.link_lookup(ifname=name)
    if not found:
        raise OperationError(f"there is no network device {name} on this host", step=STEP, errno=ENODEV)
    addresses = [address for address in here.get_addr(index=found[0]) if _is_kept(address)]
    if "%" not in new_name and there.link_lookup(ifname=new_name):
        text = f"cannot move network device {name}: there is a device {new_name} in the container already"
        raise OperationError(text, step=STEP, errno=EEXIST)
    before = set(_indices(there))
    here.link("set", index=found[0], net_ns_fd=target, ifname=new_name)
    (index,) = set(_indices(there)) - before
    name_inside = str(_attributes(there.get_links(index)[0])["IFLA_IFNAME"])
    for address in addresses:
        there.addr("add", index=index, **_copy(address, name_inside))
    there.link("set", index=index, state="up")
    return name_inside


def _indices(route: Any) -> list[int]:
    return [link["index"] for link in route.get_links()]


def _attributes(message: Any) -> dict[str, Any]:
    return dict(message["attrs"])


def _is_kept(address: Any) -> bool:
    flags = _attributes(address).get("IFA_FLAGS", address["flags"])
    return address["scope"] == GLOBAL and bool(flags & PERMANENT)


def _copy(address: Any, name: str) -> dict[str, Any]:
    """The address with its peer, flags and metric; a label is renamed with the device, as the kernel does."""
    attributes = _attributes(address)
    copied = {field: address[field] for field in ("family", "prefixlen", "scope")}
    for key in ("ADDRESS", "LOCAL", "BROADCAST", "RT_PRIORITY"):
        if attributes.get(f"IFA_{key}"):
            copied[key.lower()] = attributes[f"IFA_{key}"]
    if flags := attributes.get("IFA_FLAGS", address["flags"]) & SETTABLE:
        copied["flags"] = flags
    _, colon, suffix = str(attributes.get("IFA_LABEL", "")).partition(":")
    if colon:
        copied["label"] = f"{name}:{suffix}"
    return copied
