"""What limits of both cgroup versions share: the value class and the checks.

Pure.  `limits_v1` and `limits_v2` turn `linux.resources` into lists of Limit.
Zero means unset where engines send zeros for it: cpu.shares, quota, period,
memory.limit, swap, reservation, kernel, blockIO.weight.
"""

from __future__ import annotations

from pyrunc.errors import SpecError
from pyrunc.spec.schema import escape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    Resources = Mapping[str, Any]

THROTTLES = (
    "throttleReadBpsDevice",
    "throttleWriteBpsDevice",
    "throttleReadIOPSDevice",
    "throttleWriteIOPSDevice",
)
WEIGHTS = (10, 1000)


class Limit:
    """Write `value` to `file` of the cgroup of `controller`; `pointer` asked for it."""

    __slots__ = ("controller", "file", "pointer", "value")

    def __init__(self, controller: str, file: str, value: str | int, pointer: str) -> None:
        self.controller = controller
        self.file = file
        self.value = str(value)
        self.pointer = pointer

    def __repr__(self) -> str:
        return f"{self.file} = {self.value}  # {self.pointer}"


def memory_limits(resources: Resources, pointer: str) -> tuple[int, int]:
    """limit and swap (memory plus swap), checked together; 0 = unset, -1 = unlimited.

    An unlimited limit makes an unset swap unlimited too.
    """
    memory = resources.get("memory") or {}
    limit, swap = max(memory.get("limit") or 0, -1), max(memory.get("swap") or 0, -1)
    if swap > 0 and limit <= 0:
        raise SpecError(
            f"memory.swap is {swap} but memory.limit is not set: it limits memory and swap together",
            pointer=f"{pointer}/memory/swap",
        )
    if 0 < swap < limit:
        raise SpecError(
            f"memory.swap {swap} is less than memory.limit {limit}: it limits memory and swap together",
            pointer=f"{pointer}/memory/swap",
        )
    if limit == -1 and swap == 0:
        swap = -1
    return limit, swap


def check_cpu(cpu: Mapping[str, Any], pointer: str) -> None:
    """cpu.burst fits cpu.quota, cpu.idle is 0 or 1, sets are one line."""
    burst, quota = cpu.get("burst") or 0, cpu.get("quota") or 0
    if 0 < quota < burst:
        raise SpecError(
            f"cpu.burst {burst} is greater than cpu.quota {quota}", pointer=f"{pointer}/cpu/burst"
        )
    if cpu.get("idle") not in (None, 0, 1):
        raise SpecError(f"cpu.idle is {cpu['idle']}, it must be 0 or 1", pointer=f"{pointer}/cpu/idle")
    for name in ("cpus", "mems"):
        for character in cpu.get(name) or "":
            if character not in "0123456789-,: /":
                raise SpecError(
                    f"cpu.{name} {cpu[name]!r} is not a list of numbers", pointer=f"{pointer}/cpu/{name}"
                )


def pids_limit(resources: Resources) -> str:
    """Value of pids.max, "" if unset.  0 is a limit, a negative number is none."""
    limit = (resources.get("pids") or {}).get("limit")
    if limit is None:
        return ""
    return "max" if limit < 0 else str(limit)


def check_weight(weight: int, pointer: str) -> None:
    """A block I/O weight is 10..1000."""
    if not WEIGHTS[0] <= weight <= WEIGHTS[1]:
        raise SpecError(f"the weight {weight} is not in {WEIGHTS[0]}..{WEIGHTS[1]}", pointer=pointer)


def weight_devices(resources: Resources, pointer: str) -> list[tuple[str, int, str]]:
    """(major:minor, weight, pointer) of blockIO.weightDevice, in order."""
    weights = []
    for index, device in enumerate((resources.get("blockIO") or {}).get("weightDevice") or []):
        at = f"{pointer}/blockIO/weightDevice/{index}"
        if device.get("leafWeight"):
            raise no_leaf_weight(f"{at}/leafWeight")
        if weight := device.get("weight") or 0:
            check_weight(weight, f"{at}/weight")
            weights.append((f"{device['major']}:{device['minor']}", weight, at))
    return weights


def no_leaf_weight(pointer: str) -> SpecError:
    """leafWeight went with the CFQ scheduler (Linux 5.0)."""
    return SpecError("leafWeight has no meaning for any I/O scheduler of this kernel", pointer=pointer)


def throttles(resources: Resources, pointer: str) -> list[tuple[str, str, int, str]]:
    """(property, major:minor, rate, pointer) of every throttle, in a fixed order."""
    block = resources.get("blockIO") or {}
    return [
        (name, f"{device['major']}:{device['minor']}", device["rate"], f"{pointer}/blockIO/{name}/{index}")
        for name in THROTTLES
        for index, device in enumerate(block.get(name) or [])
    ]


def hugepage_limits(resources: Resources, pointer: str) -> list[tuple[str, int, str]]:
    """(page size, limit, pointer) of hugepageLimits; the size is fit for a file name."""
    limits = []
    for index, entry in enumerate(resources.get("hugepageLimits") or []):
        size, at = entry["pageSize"], f"{pointer}/hugepageLimits/{index}"
        if not (size[:-2].isdecimal() and size.isascii() and size[-2:] in ("KB", "MB", "GB")):
            raise SpecError(
                f"pageSize {size!r} is not a number followed by KB, MB or GB", pointer=f"{at}/pageSize"
            )
        limits.append((size, entry["limit"], at))
    return limits


def rdma_limits(resources: Resources, pointer: str) -> list[Limit]:
    """rdma.max, the same in both versions."""
    limits = []
    for device, entry in (resources.get("rdma") or {}).items():
        at = f"{pointer}/rdma/{escape(device)}"
        if not device or device.split() != [device]:
            raise SpecError(f"{device!r} is not the name of an RDMA device", pointer=at)
        names = (("hcaHandles", "hca_handle"), ("hcaObjects", "hca_object"))
        values = [f"{file}={entry[name]}" for name, file in names if entry.get(name) is not None]
        if not values:
            raise SpecError("neither hcaHandles nor hcaObjects is given", pointer=at)
        limits.append(Limit("rdma", "rdma.max", " ".join([device, *values]), at))
    return limits


def warn_unused(resources: Resources, version: int) -> list[str]:
    """Warnings for properties that the spec recommends against and that do nothing on this cgroup version."""
    memory = resources.get("memory") or {}
    return [
        f"linux.resources.memory.{name} is ignored: kernel memory cannot be limited by itself any more"
        for name in (("kernel",) if version == 1 else ("kernel", "kernelTCP"))
        if memory.get(name) not in (None, 0, -1)
    ]
