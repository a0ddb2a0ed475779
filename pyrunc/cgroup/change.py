"""Changing the limits of a living cgroup: what holds now, an order that the kernel takes, the way back.

Here: how a change goes together with the limits in force.  Which files a change
means is said by `limits_v1` and `limits_v2`.
"""

from __future__ import annotations

from errno import EBUSY, EINVAL

from pyrunc.cgroup.limits import Limit
from pyrunc.errors import HostError, SpecError, reason_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pyrunc.cgroup.driver import Cgroup

UNLIMITED_V1 = 1 << 62  # the kernel shows the greatest number of pages, in bytes
_KEYED = ("_device", "io.max", "rdma.max", "weight", "ifpriomap")
_ZERO_IS_A_VALUE = ("idle", "burst", "swappiness", "checkBeforeUpdate")
_POINTER = "/linux/resources"
# by systemd with any property: what it rounds, or has no property of ours for
_REWRITTEN = ("cpu.max", "memory.oom.group", "memory.zswap.max")


def merge(base: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with what `change` sets; objects are merged, everything else is replaced."""
    merged = dict(base)
    for name, value in change.items():
        if isinstance(value, dict) and isinstance(merged.get(name), dict):
            merged[name] = merge(merged[name], value)
        else:
            merged[name] = value
    return merged


def what_is_set(change: Mapping[str, Any]) -> dict[str, Any]:
    """The change without devices and without what means "as it is": zeros, empty strings, nulls.

    Docker sends zeros for all that a user did not ask for, but not for those in _ZERO_IS_A_VALUE.
    """
    kept: dict[str, Any] = {}
    for section, value in change.items():
        if section == "devices" or not value:
            continue
        if not isinstance(value, dict):
            kept[section] = value
            continue
        inner = {
            name: item
            for name, item in value.items()
            if item or (name in _ZERO_IS_A_VALUE and item is not None) or section == "unified"
        }
        if inner:
            kept[section] = inner
    return kept


def complete(change: dict[str, Any], saved: Mapping[str, Any], cgroup: Cgroup) -> dict[str, Any]:
    """The change with the other half of what the kernel takes together, as it is now.

    saved: the resources the container had before this change.
    """
    whole = merge({}, change)
    cpu, memory = whole.get("cpu"), whole.get("memory")
    unified = cgroup.saved.get("version") == 2
    if cpu and (cpu.get("quota") or cpu.get("period") or cpu.get("burst")):
        quota, period = read_bandwidth(cgroup)
        if quota < 0:  # systemd keeps no period for it
            period = (saved.get("cpu") or {}).get("period") or period
        cpu.update(quota=cpu.get("quota") or quota, period=cpu.get("period") or period)
    if cpu and cpu.get("idle") == 0 and not cpu.get("shares"):  # the kernel forgot the weight meanwhile
        cpu["shares"] = (saved.get("cpu") or {}).get("shares") or 0
    if memory and memory.get("swap", 0) > 0 and not memory.get("limit"):
        limit = read_bytes(cgroup, "memory.max" if unified else "memory.limit_in_bytes")
        memory["limit"] = max(limit, 0)
    return whole


def read_bandwidth(cgroup: Cgroup) -> tuple[int, int]:
    """cpu quota (-1: none) and period in force; 0 for both where they cannot be read."""
    try:
        if cgroup.saved.get("version") == 2:
            quota, period = cgroup.read("cpu", "cpu.max").split()
        else:
            quota, period = (cgroup.read("cpu", f"cpu.cfs_{name}_us") for name in ("quota", "period"))
    except FileNotFoundError:
        return 0, 0
    return -1 if quota == "max" else int(quota), int(period)


def read_bytes(cgroup: Cgroup, file: str) -> int:
    """A number of the memory controller; -1: unlimited, or not to be had."""
    try:
        text = cgroup.read("memory", file).strip()
    except FileNotFoundError:
        return -1
    return -1 if text == "max" or int(text) >= UNLIMITED_V1 else int(text)


def check_memory(change: Mapping[str, Any], checked: bool, cgroup: Cgroup) -> None:
    """Refuse a memory limit above memory plus swap, or (checked: checkBeforeUpdate) below what is used."""
    memory = change.get("memory") or {}
    limit = memory.get("limit") or 0
    if limit <= 0:
        return
    unified = cgroup.saved.get("version") == 2
    if not unified and not memory.get("swap"):
        both = read_bytes(cgroup, "memory.memsw.limit_in_bytes")
        if 0 <= both < limit:
            raise SpecError(
                f"memory.limit {limit} would be above memory.swap {both}, the limit of memory and swap",
                pointer=f"{_POINTER}/memory/limit",
                hint="update memory.swap too",
            )
    used = read_bytes(cgroup, "memory.current" if unified else "memory.usage_in_bytes") if checked else 0
    if limit < used:
        raise HostError(
            f"unable to set memory limit to {limit} (current usage: {used}): checkBeforeUpdate forbids it",
            pointer=f"{_POINTER}/memory/limit",
        )


def burst_off(change: Mapping[str, Any], cgroup: Cgroup) -> list[Limit]:
    """The write that takes cpu.burst back to 0, which the limit modules take for unset."""
    if (change.get("cpu") or {}).get("burst") != 0:
        return []
    file = "cpu.max.burst" if cgroup.saved.get("version") == 2 else "cpu.cfs_burst_us"
    return [Limit("cpu", file, 0, f"{_POINTER}/cpu/burst")]


def check_controllers(limits: list[Limit], cgroup: Cgroup) -> None:
    """HostError if the container has no cgroup of a controller (v2 says so itself, with the reason)."""
    paths = cgroup.saved.get("paths", {})
    for limit in limits:
        if cgroup.saved.get("version") != 2 and limit.controller not in paths:
            text = f"the container has no cgroup of the controller `{limit.controller}`"
            raise HostError(f"cannot set {limit.file}: {text}", pointer=limit.pointer)


def change_all(limits: list[Limit], cgroup: Cgroup) -> None:
    """Write all limits, and to systemd, if it has the cgroup; if one of them is refused, undo the others.

    systemd writes its rounded values as it takes them, those of properties that
    nobody changed too, and its own again some day.
    """
    if cgroup.saved["driver"] != "systemd":
        apply(limits, cgroup)
        return
    from pyrunc.cgroup.limits_systemd import unit_properties

    properties = unit_properties(limits, cgroup.saved["version"])
    before = apply(limits, cgroup)
    others = [Limit(file.partition(".")[0], file, "", "") for file in _REWRITTEN]
    for limit in others:
        limit.value = _value_before(cgroup, limit)
    try:
        cgroup.set_properties(properties)
    except (OSError, HostError):
        _restore(cgroup, before)
        raise
    apply([*limits, *(limit for limit in others if limit.value)], cgroup)


def apply(limits: list[Limit], cgroup: Cgroup) -> list[Limit]:
    """Write all limits in an order that the kernel takes; if one is refused, undo the others.

    Returns what was there before, as far as it can be written back.

    Some values limit each other (memory and memory plus swap, quota and period,
    realtime ones): which comes first depends on the direction, so what is
    invalid now is tried again after the others.
    """
    before: list[Limit] = []
    while limits:
        later: list[tuple[Limit, OSError]] = []
        for limit in limits:
            was = _value_before(cgroup, limit)
            try:
                cgroup.write(limit.controller, limit.file, limit.value)
            except HostError:
                _restore(cgroup, before)
                raise
            except OSError as error:
                if error.errno != EINVAL:
                    _restore(cgroup, before)
                    raise _refused(limit, error) from error
                later.append((limit, error))
            else:
                before += [Limit(limit.controller, limit.file, was, limit.pointer)] if was else []
        if later and len(later) == len(limits):
            _restore(cgroup, before)
            raise _refused(*later[0]) from later[0][1]
        limits = [limit for limit, _ in later]
    return before


def _refused(limit: Limit, error: OSError) -> HostError:
    in_use = limit.controller == "memory" and error.errno == EBUSY
    return HostError(
        f"cannot set {limit.file} to {limit.value}: {reason_of(error)}",
        pointer=limit.pointer,
        path=str(error.filename or ""),
        errno=error.errno or 0,
        hint="the container uses more than that, and the kernel cannot reclaim it" if in_use else "",
    )


def _value_before(cgroup: Cgroup, limit: Limit) -> str:
    """The value of a file with one value; "" for those with a line for each device."""
    if limit.file.endswith(_KEYED) and limit.file != "cpu.weight":
        return ""
    try:
        text = cgroup.read(limit.controller, limit.file).strip()
    except OSError:
        return ""
    return "" if "\n" in text else text


def _restore(cgroup: Cgroup, before: list[Limit]) -> None:
    """As far as the kernel lets us: the error that led here is what the caller hears of."""
    for _ in range(2):  # the order, again
        for limit in reversed(before):
            try:
                cgroup.write(limit.controller, limit.file, limit.value)
            except (OSError, HostError):
                pass
