"""linux.resources as writes into cgroup v2 files.

Pure.  Values are converted where v2 has another scale; what v2 lacks is an
error, as the spec demands.  Device rules are `device_rules`' affair.
Spec: config-linux.md, "Control groups".  Kernel: Documentation/admin-guide/cgroup-v2.rst.
"""

from __future__ import annotations

from pyrunc.cgroup.limits import (
    Limit,
    check_burst,
    check_weight,
    cpuset_limits,
    hugepage_limits,
    memory_limits,
    no_leaf_weight,
    pids_limits,
    rdma_limits,
    throttles,
    weight_devices,
)
from pyrunc.errors import SpecError
from pyrunc.spec.schema import escape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_THROTTLE_KEYS = {
    "throttleReadBpsDevice": "rbps",
    "throttleWriteBpsDevice": "wbps",
    "throttleReadIOPSDevice": "riops",
    "throttleWriteIOPSDevice": "wiops",
}
_RUNTIME_FILES = (
    "cgroup.freeze",
    "cgroup.kill",
    "cgroup.procs",
    "cgroup.subtree_control",
    "cgroup.threads",
    "cgroup.type",
)


def limits_v2(resources: Mapping[str, Any], pointer: str, *, bfq: bool = False) -> list[Limit]:
    """The writes for `resources` (at `pointer`), `unified` last.

    bfq: the BFQ scheduler owns the weight file.
    Raises SpecError for values that v2 cannot express.
    """
    _refuse_v1(resources, pointer)
    return [
        *_memory(resources, pointer),
        *_cpu(resources.get("cpu") or {}, pointer),
        *cpuset_limits(resources.get("cpu") or {}, pointer),
        *pids_limits(resources, pointer),
        *_io(resources, pointer, bfq),
        *hugepage_limits(resources, pointer, "max"),
        *rdma_limits(resources, pointer),
        *_unified(resources, pointer),
    ]


def cpu_weight(shares: int) -> int:
    """Convert v1 cpu.shares to v2 cpu.weight, 1..10000; 0 = unset stays 0.

    The curve goes through (2, 1), (1024, 100) and (262144, 10000); values
    outside are those of the ends, as the v1 kernel takes them.
    """
    if shares <= 0:
        return 0
    logarithm = _log2(min(max(shares, 2), 262144))
    weight: float = 10.0 ** ((logarithm * logarithm + 125 * logarithm - 126) / 612)
    return int(weight) if weight == int(weight) else int(weight) + 1


def _log2(number: int) -> float:
    """Binary logarithm of a positive integer (the module math is not worth its import)."""
    whole = number.bit_length() - 1
    rest, result, bit = number / (1 << whole), float(whole), 0.5
    while rest != 1.0 and bit > 1e-16:
        rest *= rest
        if rest >= 2.0:
            rest /= 2.0
            result += bit
        bit /= 2.0
    return result


def io_weight(weight: int) -> int:
    """Convert blockIO.weight 10..1000 to io.weight 1..10000."""
    return 1 + (weight - 10) * 9999 // 990


def _refuse_v1(resources: Mapping[str, Any], pointer: str) -> None:
    """Properties that exist in v1 alone."""
    asked: tuple[tuple[str, str, object], ...] = (
        ("memory", "swappiness", None), ("memory", "disableOOMKiller", False),
        ("memory", "useHierarchy", True), ("cpu", "realtimeRuntime", 0), ("cpu", "realtimePeriod", 0),
        ("network", "classID", 0), ("network", "priorities", []),
    )  # fmt: skip
    for section, name, harmless in asked:
        value = (resources.get(section) or {}).get(name)
        if value is not None and value != harmless:
            raise SpecError(
                f"{section}.{name} cannot be converted to cgroup v2, which this host has",
                pointer=f"{pointer}/{section}/{name}",
            )
    if (resources.get("blockIO") or {}).get("leafWeight"):
        raise no_leaf_weight(f"{pointer}/blockIO/leafWeight")


def _bytes(value: int) -> str:
    return "max" if value < 0 else str(value)


def _memory(resources: Mapping[str, Any], pointer: str) -> list[Limit]:
    memory = resources.get("memory") or {}
    limit, swap = memory_limits(resources, pointer)
    limits = []
    if swap:  # first: a lower memory.max pushes pages into swap
        value = _bytes(swap if swap < 0 else swap - limit)
        asked = "swap" if memory.get("swap") else "limit"
        limits.append(Limit("memory", "memory.swap.max", value, f"{pointer}/memory/{asked}"))
    if limit:
        limits.append(Limit("memory", "memory.max", _bytes(limit), f"{pointer}/memory/limit"))
    if reservation := memory.get("reservation"):
        limits.append(Limit("memory", "memory.low", _bytes(reservation), f"{pointer}/memory/reservation"))
    return limits


def _cpu(cpu: Mapping[str, Any], pointer: str) -> list[Limit]:
    check_burst(cpu, pointer)
    limits = []
    if cpu.get("idle") is not None:
        limits.append(Limit("cpu", "cpu.idle", cpu["idle"], f"{pointer}/cpu/idle"))
    if cpu.get("shares") and not cpu.get("idle"):  # an idle group has no weight
        limits.append(Limit("cpu", "cpu.weight", cpu_weight(cpu["shares"]), f"{pointer}/cpu/shares"))
    quota, period = cpu.get("quota") or 0, cpu.get("period") or 0
    if quota or period:
        value = str(quota) if quota > 0 else "max"
        asked = "quota" if quota else "period"
        limits.append(Limit("cpu", "cpu.max", f"{value} {period or 100000}", f"{pointer}/cpu/{asked}"))
    if cpu.get("burst"):  # the kernel takes no burst above the quota it has then
        limits.append(Limit("cpu", "cpu.max.burst", cpu["burst"], f"{pointer}/cpu/burst"))
    return limits


def _io(resources: Mapping[str, Any], pointer: str, bfq: bool) -> list[Limit]:
    file = "io.bfq.weight" if bfq else "io.weight"
    convert = int if bfq else io_weight
    limits = []
    if weight := (resources.get("blockIO") or {}).get("weight"):
        check_weight(weight, f"{pointer}/blockIO/weight")
        limits.append(Limit("io", file, convert(weight), f"{pointer}/blockIO/weight"))
    for device, weight, at in weight_devices(resources, pointer):
        limits.append(Limit("io", file, f"{device} {convert(weight)}", at))
    for name, device, rate, at in throttles(resources, pointer):
        limits.append(Limit("io", "io.max", f"{device} {_THROTTLE_KEYS[name]}={rate or 'max'}", at))
    return limits


def _unified(resources: Mapping[str, Any], pointer: str) -> list[Limit]:
    """The writes of resources.unified: one per line, in the order given."""
    limits = []
    for file, text in (resources.get("unified") or {}).items():
        at = f"{pointer}/unified/{escape(file)}"
        controller, dot, name = file.partition(".")
        if "/" in file or "\0" in file or not (controller and dot and name):
            raise SpecError(f"{file!r} is not the name of a cgroup file", pointer=at)
        if file in _RUNTIME_FILES:
            raise SpecError(f"{file} is written by the runtime itself", pointer=at)
        for line in text.splitlines() or [""]:
            limits.append(Limit("" if controller == "cgroup" else controller, file, line, at))
    return limits
