"""linux.resources → files and values, for both versions side by side."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pyrunc.cgroup.limits import warn_unused
from pyrunc.cgroup.limits_v1 import limits_v1
from pyrunc.cgroup.limits_v2 import cpu_weight, io_weight, limits_v2
from pyrunc.errors import SpecError

HERE = "/linux/resources"
DEVICE = {"major": 8, "minor": 16}

# name: (resources, v1 lines, v2 lines); None: refused
CASES: dict[str, tuple[dict[str, Any], list[str] | None, list[str] | None]] = {
    "empty": ({}, [], []),
    "docker zeros": (
        {"memory": {"limit": 0, "swap": 0, "reservation": 0, "kernel": 0, "disableOOMKiller": False},
         "cpu": {"shares": 0, "quota": 0, "period": 0}, "blockIO": {"weight": 0}, "network": {"classID": 0}}, [], []),
    "memory": (
        {"memory": {"limit": 100, "swap": 300, "reservation": 50}},
        ["memory.limit_in_bytes 100", "memory.memsw.limit_in_bytes 300", "memory.soft_limit_in_bytes 50"],
        ["memory.swap.max 200", "memory.max 100", "memory.low 50"]),
    "no swap": (
        {"memory": {"limit": 100, "swap": 100}},
        ["memory.limit_in_bytes 100", "memory.memsw.limit_in_bytes 100"], ["memory.swap.max 0", "memory.max 100"]),
    "unlimited swap": (
        {"memory": {"limit": 100, "swap": -1}},
        ["memory.limit_in_bytes 100", "memory.memsw.limit_in_bytes -1"], ["memory.swap.max max", "memory.max 100"]),
    "unlimited": (
        {"memory": {"limit": -1, "reservation": -1}},
        ["memory.limit_in_bytes -1", "memory.memsw.limit_in_bytes -1", "memory.soft_limit_in_bytes -1"],
        ["memory.swap.max max", "memory.max max", "memory.low max"]),
    "swap alone": ({"memory": {"swap": 100}}, None, None),
    "swap alone, unlimited": ({"memory": {"swap": -1}}, ["memory.memsw.limit_in_bytes -1"], ["memory.swap.max max"]),
    "swap below limit": ({"memory": {"limit": 100, "swap": 99}}, None, None),
    "limited swap of unlimited memory": ({"memory": {"limit": -1, "swap": 99}}, None, None),
    "swappiness": ({"memory": {"swappiness": 0}}, ["memory.swappiness 0"], None),
    "no oom killer": ({"memory": {"disableOOMKiller": True}}, ["memory.oom_control 1"], None),
    "hierarchy": ({"memory": {"useHierarchy": True}}, ["memory.use_hierarchy 1"], []),
    "no hierarchy": ({"memory": {"useHierarchy": False}}, ["memory.use_hierarchy 0"], None),
    "kernel memory": (
        {"memory": {"kernel": 100, "kernelTCP": 200}}, ["memory.kmem.tcp.limit_in_bytes 200"], []),
    "kernel memory, unlimited": (
        {"memory": {"kernel": -1, "kernelTCP": -1}}, ["memory.kmem.tcp.limit_in_bytes -1"], []),
    "check before update": ({"memory": {"limit": 1, "checkBeforeUpdate": True}}, ["memory.limit_in_bytes 1"], ["memory.max 1"]),
    "shares": ({"cpu": {"shares": 1024}}, ["cpu.shares 1024"], ["cpu.weight 100"]),
    "too few shares": ({"cpu": {"shares": 1}}, None, ["cpu.weight 1"]),
    "too many shares": ({"cpu": {"shares": 262145}}, None, ["cpu.weight 10000"]),
    "quota": (
        {"cpu": {"quota": 50000, "period": 200000}},
        ["cpu.cfs_period_us 200000", "cpu.cfs_quota_us 50000"], ["cpu.max 50000 200000"]),
    "quota alone": ({"cpu": {"quota": 50000}}, ["cpu.cfs_quota_us 50000"], ["cpu.max 50000 100000"]),
    "period alone": ({"cpu": {"period": 50000}}, ["cpu.cfs_period_us 50000"], ["cpu.max max 50000"]),
    "no quota": ({"cpu": {"quota": -1}}, ["cpu.cfs_quota_us -1"], ["cpu.max max 100000"]),
    "burst": (
        {"cpu": {"quota": 5000, "burst": 5000}},
        ["cpu.cfs_quota_us 5000", "cpu.cfs_burst_us 5000"], ["cpu.max 5000 100000", "cpu.max.burst 5000"]),
    "burst above quota": ({"cpu": {"quota": 5000, "burst": 5001}}, None, None),
    "idle": ({"cpu": {"idle": 1, "shares": 100}}, ["cpu.idle 1"], ["cpu.idle 1"]),
    "not idle": ({"cpu": {"idle": 0, "shares": 1024}}, ["cpu.idle 0", "cpu.shares 1024"], ["cpu.idle 0", "cpu.weight 100"]),
    "realtime": (
        {"cpu": {"realtimeRuntime": 900, "realtimePeriod": 1000}}, ["cpu.rt_period_us 1000", "cpu.rt_runtime_us 900"], None),
    "cpuset": ({"cpu": {"cpus": "0-1", "mems": "0"}}, ["cpuset.cpus 0-1", "cpuset.mems 0"], ["cpuset.cpus 0-1", "cpuset.mems 0"]),
    "pids": ({"pids": {"limit": 50}}, ["pids.max 50"], ["pids.max 50"]),
    "pids 0": ({"pids": {"limit": 0}}, ["pids.max 0"], ["pids.max 0"]),
    "pids unlimited": ({"pids": {"limit": -1}}, ["pids.max max"], ["pids.max max"]),
    "pids empty": ({"pids": {}}, [], []),
    "weight": ({"blockIO": {"weight": 500}}, ["blkio.weight 500"], ["io.weight 4950"]),
    "weight out of range": ({"blockIO": {"weight": 9}}, None, None),
    "weight of device": (
        {"blockIO": {"weightDevice": [{**DEVICE, "weight": 10}]}}, ["blkio.weight_device 8:16 10"], ["io.weight 8:16 1"]),
    "leaf weight": ({"blockIO": {"leafWeight": 500}}, None, None),
    "leaf weight of device": ({"blockIO": {"weightDevice": [{**DEVICE, "leafWeight": 10}]}}, None, None),
    "throttle": (
        {"blockIO": {
            "throttleWriteIOPSDevice": [{**DEVICE, "rate": 4}], "throttleReadBpsDevice": [{**DEVICE, "rate": 1}, {**DEVICE, "rate": 0}],
            "throttleWriteBpsDevice": [{**DEVICE, "rate": 2}], "throttleReadIOPSDevice": [{**DEVICE, "rate": 3}]}},
        ["blkio.throttle.read_bps_device 8:16 1", "blkio.throttle.read_bps_device 8:16 0",
         "blkio.throttle.write_bps_device 8:16 2", "blkio.throttle.read_iops_device 8:16 3",
         "blkio.throttle.write_iops_device 8:16 4"],
        ["io.max 8:16 rbps=1", "io.max 8:16 rbps=max", "io.max 8:16 wbps=2", "io.max 8:16 riops=3", "io.max 8:16 wiops=4"]),
    "huge pages": (
        {"hugepageLimits": [{"pageSize": "2MB", "limit": 4096}]},
        ["hugetlb.2MB.limit_in_bytes 4096", "hugetlb.2MB.rsvd.limit_in_bytes 4096"],
        ["hugetlb.2MB.max 4096", "hugetlb.2MB.rsvd.max 4096"]),
    "network": (
        {"network": {"classID": 1048577, "priorities": [{"name": "eth0", "priority": 500}]}},
        ["net_cls.classid 1048577", "net_prio.ifpriomap eth0 500"], None),
    "rdma": (
        {"rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 1000}, "mlx4_0": {"hcaObjects": 0}}},
        ["rdma.max mlx5_1 hca_handle=3 hca_object=1000", "rdma.max mlx4_0 hca_object=0"],
        ["rdma.max mlx5_1 hca_handle=3 hca_object=1000", "rdma.max mlx4_0 hca_object=0"]),
    "unified": (
        {"unified": {"io.max": "8:0 rbps=1\n8:16 rbps=2", "memory.high": "5", "cgroup.max.depth": "3"}, "pids": {"limit": 1}},
        None, ["pids.max 1", "io.max 8:0 rbps=1", "io.max 8:16 rbps=2", "memory.high 5", "cgroup.max.depth 3"]),
    "unified elsewhere": ({"unified": {"../memory.max": "1"}}, None, None),
    "unified no file": ({"unified": {"memory": "1"}}, None, None),
    "unified of the runtime": ({"unified": {"cgroup.freeze": "1"}}, None, None),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_v1(name: str) -> None:
    resources, expected, _ = CASES[name]
    check(limits_v1, resources, expected)


@pytest.mark.parametrize("name", CASES)
def test_v2(name: str) -> None:
    resources, _, expected = CASES[name]
    check(limits_v2, resources, expected)


def check(limits: Any, resources: dict[str, Any], expected: list[str] | None) -> None:
    if expected is None:
        with pytest.raises(SpecError) as caught:
            limits(resources, HERE)
        assert leads_somewhere(resources, caught.value.pointer)
        return
    found = limits(resources, HERE)
    assert [f"{limit.file} {limit.value}" for limit in found] == expected
    for limit in found:
        assert limit.controller in (limit.file.split(".")[0], "")
        assert leads_somewhere(resources, limit.pointer)


def leads_somewhere(value: Any, pointer: str) -> bool:
    assert pointer.startswith(HERE + "/")
    for part in pointer.removeprefix(HERE + "/").split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        value = value[int(key) if isinstance(value, list) else key]
    return True


def test_bfq_files() -> None:
    resources = {"blockIO": {"weight": 500, "weightDevice": [{**DEVICE, "weight": 10}]}}
    assert [str(limit) for limit in limits_v1(resources, HERE, bfq=True)] == [
        "blkio.bfq.weight = 500  # /linux/resources/blockIO/weight",
        "blkio.bfq.weight_device = 8:16 10  # /linux/resources/blockIO/weightDevice/0",
    ]
    assert [limit.value for limit in limits_v2(resources, HERE, bfq=True)] == ["500", "8:16 10"]


@pytest.mark.parametrize(
    ("shares", "weight"), [(0, 0), (1, 1), (2, 1), (512, 59), (1024, 100), (2048, 174), (262144, 10000)]
)
def test_cpu_weight(shares: int, weight: int) -> None:
    assert cpu_weight(shares) == weight


def test_cpu_weight_is_the_formula() -> None:
    last = 0
    for shares in range(2, 262145, 7):
        logarithm = math.log2(shares)
        exact = 10 ** ((logarithm**2 + 125 * logarithm) / 612 - 7 / 34)
        weight = cpu_weight(shares)
        assert weight >= last
        assert weight == math.ceil(exact) or abs(exact - round(exact)) < 1e-9
        last = weight


def test_io_weight() -> None:
    assert [io_weight(weight) for weight in (10, 500, 1000)] == [1, 4950, 10000]


def test_warnings() -> None:
    both = {"memory": {"kernel": 5, "kernelTCP": 5}}
    assert warn_unused({"memory": {"kernel": -1, "kernelTCP": 0}}, 2) == []
    assert [text.split(" ")[0] for text in warn_unused(both, 1)] == ["linux.resources.memory.kernel"]
    assert [text.split(" ")[0] for text in warn_unused(both, 2)] == [
        "linux.resources.memory.kernel", "linux.resources.memory.kernelTCP",
    ]  # fmt: skip
