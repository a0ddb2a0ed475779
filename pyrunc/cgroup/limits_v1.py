"""linux.resources as writes into cgroup v1 files.

Pure.  Device rules are `device_rules`' affair.
Spec: config-linux.md, "Control groups".  Kernel: Documentation/admin-guide/cgroup-v1.
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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

SHARES = (2, 262144)

_THROTTLE_FILES = {
    "throttleReadBpsDevice": "blkio.throttle.read_bps_device",
    "throttleWriteBpsDevice": "blkio.throttle.write_bps_device",
    "throttleReadIOPSDevice": "blkio.throttle.read_iops_device",
    "throttleWriteIOPSDevice": "blkio.throttle.write_iops_device",
}


def limits_v1(resources: Mapping[str, Any], pointer: str, *, bfq: bool = False) -> list[Limit]:
    """The writes for `resources` (at `pointer`), in an order that the kernel takes from a new cgroup.

    bfq: the BFQ scheduler owns the weight files.
    Raises SpecError for values that v1 cannot express.
    """
    if resources.get("unified"):
        raise SpecError("resources.unified is for cgroup v2, this host has v1", pointer=f"{pointer}/unified")
    return [
        *_memory(resources, pointer),
        *_cpu(resources.get("cpu") or {}, pointer),
        *cpuset_limits(resources.get("cpu") or {}, pointer),
        *pids_limits(resources, pointer),
        *_block_io(resources, pointer, bfq),
        *hugepage_limits(resources, pointer, "limit_in_bytes"),
        *_network(resources.get("network") or {}, pointer),
        *rdma_limits(resources, pointer),
    ]


def _memory(resources: Mapping[str, Any], pointer: str) -> list[Limit]:
    memory = resources.get("memory") or {}
    limit, swap = memory_limits(resources, pointer)
    limits = []
    if limit:
        limits.append(Limit("memory", "memory.limit_in_bytes", limit, f"{pointer}/memory/limit"))
    if swap:
        asked = "swap" if memory.get("swap") else "limit"
        limits.append(Limit("memory", "memory.memsw.limit_in_bytes", swap, f"{pointer}/memory/{asked}"))
    if reservation := memory.get("reservation"):
        limits.append(
            Limit(
                "memory", "memory.soft_limit_in_bytes", max(reservation, -1), f"{pointer}/memory/reservation"
            )
        )
    if buffers := memory.get("kernelTCP"):
        at = f"{pointer}/memory/kernelTCP"
        limits.append(Limit("memory", "memory.kmem.tcp.limit_in_bytes", max(buffers, -1), at))
    if "swappiness" in memory:  # 0 is a value
        limits.append(
            Limit("memory", "memory.swappiness", memory["swappiness"], f"{pointer}/memory/swappiness")
        )
    if memory.get("disableOOMKiller"):
        limits.append(Limit("memory", "memory.oom_control", 1, f"{pointer}/memory/disableOOMKiller"))
    if memory.get("useHierarchy") is not None:  # kernels from 5.11 take nothing but 1
        value = int(memory["useHierarchy"])
        limits.append(Limit("memory", "memory.use_hierarchy", value, f"{pointer}/memory/useHierarchy"))
    return limits


def _cpu(cpu: Mapping[str, Any], pointer: str) -> list[Limit]:
    check_burst(cpu, pointer)
    shares = cpu.get("shares") or 0
    if shares and not SHARES[0] <= shares <= SHARES[1]:
        bound, value = ("minimum", SHARES[0]) if shares < SHARES[0] else ("maximum", SHARES[1])
        text = f"the {bound} allowed cpu-shares is {value}, found {shares}"
        raise SpecError(text, pointer=f"{pointer}/cpu/shares")
    wanted: list[tuple[str, str, int]] = []
    if cpu.get("idle") is not None:
        wanted.append(("idle", "cpu.idle", cpu["idle"]))
    if shares and not cpu.get("idle"):  # an idle group has no weight
        wanted.append(("shares", "cpu.shares", shares))
    for name, file in (
        ("realtimePeriod", "cpu.rt_period_us"),
        ("realtimeRuntime", "cpu.rt_runtime_us"),
        ("period", "cpu.cfs_period_us"),
        ("quota", "cpu.cfs_quota_us"),
        ("burst", "cpu.cfs_burst_us"),
    ):
        if cpu.get(name):
            wanted.append((name, file, cpu[name]))
    return [Limit("cpu", file, value, f"{pointer}/cpu/{name}") for name, file, value in wanted]


def _block_io(resources: Mapping[str, Any], pointer: str, bfq: bool) -> list[Limit]:
    block = resources.get("blockIO") or {}
    file = "blkio.bfq.weight" if bfq else "blkio.weight"
    limits = []
    if weight := block.get("weight"):
        check_weight(weight, f"{pointer}/blockIO/weight")
        limits.append(Limit("blkio", file, weight, f"{pointer}/blockIO/weight"))
    if block.get("leafWeight"):
        raise no_leaf_weight(f"{pointer}/blockIO/leafWeight")
    for device, weight, at in weight_devices(resources, pointer):
        limits.append(Limit("blkio", f"{file}_device", f"{device} {weight}", at))
    for name, device, rate, at in throttles(resources, pointer):
        limits.append(Limit("blkio", _THROTTLE_FILES[name], f"{device} {rate}", at))
    return limits


def _network(network: Mapping[str, Any], pointer: str) -> list[Limit]:
    limits = []
    if network.get("classID"):
        limits.append(Limit("net_cls", "net_cls.classid", network["classID"], f"{pointer}/network/classID"))
    for index, entry in enumerate(network.get("priorities") or []):
        at = f"{pointer}/network/priorities/{index}"
        limits.append(Limit("net_prio", "net_prio.ifpriomap", f"{entry['name']} {entry['priority']}", at))
    return limits
