"""What limits of both cgroup versions share: the value class, the checks, equal files.

Pure.  `limits_v1` and `limits_v2` turn `linux.resources` into lists of Limit.
Types, ranges and names are those of a valid document (`spec.load`) and not
looked at again.  What is checked here is what an update may get wrong together
with the limits in force, and what the schema leaves to the kernel's version.
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
    """limit and swap (memory plus swap) in bytes, checked together; 0 = unset, -1 = unlimited.

    An unlimited limit makes an unset swap unlimited too.  SpecError: swap is limited without
    memory, or below it.
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


def check_burst(cpu: Mapping[str, Any], pointer: str) -> None:
    """cpu.burst is at most cpu.quota, if there is one (both in microseconds); SpecError otherwise."""
    burst, quota = cpu.get("burst") or 0, cpu.get("quota") or 0
    if 0 < quota < burst:
        raise SpecError(
            f"cpu.burst {burst} is greater than cpu.quota {quota}", pointer=f"{pointer}/cpu/burst"
        )


def cpuset_limits(cpu: Mapping[str, Any], pointer: str) -> list[Limit]:
    """cpuset.cpus and cpuset.mems, as lists such as 0-2,7."""
    return [
        Limit("cpuset", f"cpuset.{name}", cpu[name], f"{pointer}/cpu/{name}")
        for name in ("cpus", "mems")
        if cpu.get(name)
    ]


def pids_limits(resources: Resources, pointer: str) -> list[Limit]:
    """pids.max.  0 is a limit, a negative number is none, `max`."""
    limit = (resources.get("pids") or {}).get("limit")
    if limit is None:
        return []
    return [Limit("pids", "pids.max", "max" if limit < 0 else limit, f"{pointer}/pids/limit")]


def check_weight(weight: int, pointer: str) -> None:
    """SpecError unless a block I/O weight is 10..1000; the schema takes 0 too, which is unset."""
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


def hugepage_limits(resources: Resources, pointer: str, file: str) -> list[Limit]:
    """hugetlb.SIZE.`file` and hugetlb.SIZE.rsvd.`file`, in bytes: pages in use, and those reserved."""
    return [
        Limit(
            "hugetlb",
            f"hugetlb.{entry['pageSize']}.{kind}{file}",
            entry["limit"],
            f"{pointer}/hugepageLimits/{index}",
        )
        for index, entry in enumerate(resources.get("hugepageLimits") or [])
        for kind in ("", "rsvd.")
    ]


def rdma_limits(resources: Resources, pointer: str) -> list[Limit]:
    """rdma.max: a line for each device."""
    limits = []
    for device, entry in (resources.get("rdma") or {}).items():
        names = (("hcaHandles", "hca_handle"), ("hcaObjects", "hca_object"))
        values = [f"{file}={entry[name]}" for name, file in names if name in entry]
        limits.append(
            Limit("rdma", "rdma.max", " ".join([device, *values]), f"{pointer}/rdma/{escape(device)}")
        )
    return limits


def warn_unused(resources: Resources, version: int) -> list[str]:
    """Warnings for properties that the spec recommends against and that do nothing on this cgroup version."""
    memory = resources.get("memory") or {}
    return [
        f"linux.resources.memory.{name} is ignored: kernel memory cannot be limited by itself any more"
        for name in (("kernel",) if version == 1 else ("kernel", "kernelTCP"))
        if memory.get(name) not in (None, 0, -1)
    ]
