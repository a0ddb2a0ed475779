"""Changes of living limits, against a cgroup whose kernel rules are simulated."""

from __future__ import annotations

from errno import EBUSY, EINVAL
from typing import Any

import pytest

from pyrunc.cgroup.change import (
    apply,
    burst_off,
    change_all,
    check_controllers,
    check_memory,
    complete,
    merge,
    what_is_set,
)
from pyrunc.cgroup.limits import Limit
from pyrunc.cgroup.limits_v1 import limits_v1
from pyrunc.cgroup.limits_v2 import limits_v2
from pyrunc.errors import HostError, SpecError

R = "/linux/resources"


class Kernel:
    """A cgroup in memory: `files`, and what is written in order; v1's rule of memory and memsw holds."""

    def __init__(self, version: int, files: dict[str, str], refuse: dict[str, int] | None = None) -> None:
        self.saved: dict[str, Any] = {"version": version, "paths": {"memory": "/m", "cpu": "/c", "pids": "/p"}}
        self.files = files
        self.refuse = refuse or {}
        self.written: list[str] = []

    def read(self, controller: str, file: str) -> str:
        if file not in self.files:
            raise FileNotFoundError(file)
        return self.files[file] + "\n"

    def write(self, controller: str, file: str, value: str) -> None:
        if file in self.refuse:
            raise OSError(self.refuse[file], "no", file)
        after = {**self.files, file: value}
        limit, both = (
            float(after.get(name, "-1").replace("-1", "inf"))
            for name in ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
        )
        if limit > both:
            raise OSError(EINVAL, "invalid", file)
        self.files = after
        self.written.append(f"{file}={value}")


def v1(**files: str) -> Kernel:
    return Kernel(1, {name.replace("__", "."): value for name, value in files.items()})


DOCKER_ZEROS = {
    "memory": {"limit": 0, "reservation": 0, "swap": 0, "kernel": 0},
    "cpu": {"shares": 0, "quota": 0, "period": 0, "cpus": "", "mems": ""},
    "pids": {"limit": 0},
    "blockIO": {"weight": 0},
    "devices": [{"allow": False, "access": "rwm"}],
}


def test_all_zero_means_nothing() -> None:
    assert what_is_set(DOCKER_ZEROS) == {}


def test_devices_are_never_touched() -> None:
    assert what_is_set({"devices": [{"allow": True}], "pids": {"limit": 5}}) == {"pids": {"limit": 5}}


def test_zeros_that_are_values() -> None:
    change = {"cpu": {"idle": 0, "burst": 0, "shares": 0}, "memory": {"swappiness": 0, "checkBeforeUpdate": False}}
    assert what_is_set(change) == {
        "cpu": {"idle": 0, "burst": 0},
        "memory": {"swappiness": 0, "checkBeforeUpdate": False},
    }


def test_merge_is_deep_and_leaves_the_base() -> None:
    base = {"cpu": {"quota": 1, "period": 2}, "devices": [1]}
    assert merge(base, {"cpu": {"quota": 5}, "pids": {"limit": 1}}) == {
        "cpu": {"quota": 5, "period": 2},
        "devices": [1],
        "pids": {"limit": 1},
    }
    assert base == {"cpu": {"quota": 1, "period": 2}, "devices": [1]}


@pytest.mark.parametrize(("limit", "swap"), [(512, 1024), (32, 48), (64, 2000), (-1, 0), (-1, -1), (100, 128)])
def test_memory_and_swap_in_either_direction(limit: int, swap: int) -> None:
    kernel = v1(memory__limit_in_bytes="64", memory__memsw__limit_in_bytes="128")
    apply(limits_v1({"memory": {"limit": limit, "swap": swap}}, R), kernel)
    assert kernel.files == {
        "memory.limit_in_bytes": str(limit),
        "memory.memsw.limit_in_bytes": str(swap or -1),
    }


def test_what_is_refused_is_undone() -> None:
    kernel = Kernel(1, {"pids.max": "max", "cpu.shares": "1024", "memory.limit_in_bytes": "64"}, {"pids.max": EBUSY})
    limits = limits_v1({"memory": {"limit": 32}, "cpu": {"shares": 2}, "pids": {"limit": 5}}, R)
    with pytest.raises(HostError, match="cannot set pids.max to 5: device or resource busy") as caught:
        apply(limits, kernel)
    assert caught.value.pointer == f"{R}/pids/limit"
    assert kernel.files == {"pids.max": "max", "cpu.shares": "1024", "memory.limit_in_bytes": "64"}


class Scope(Kernel):
    """A systemd that rounds a quota, and refuses when it is told to."""

    def __init__(self, refusal: str = "") -> None:
        super().__init__(2, {"cpu.max": "max 100000"})
        self.saved["driver"] = "systemd"
        self.refusal = refusal

    def set_properties(self, properties: list[str]) -> None:
        if self.refusal:
            raise HostError(self.refusal)
        self.written += properties
        self.files["cpu.max"] = "20000 100000"
        if "memory.oom.group" in self.files:
            self.files["memory.oom.group"] = "0"


def test_systemd_hears_of_it_and_the_exact_values_hold() -> None:
    scope = Scope()
    change_all(limits_v2({"cpu": {"quota": 12345, "period": 100000}}, R), scope)
    assert scope.files == {"cpu.max": "12345 100000"}
    assert "CPUQuotaPerSecUSec=uint64 130000" in scope.written


def test_what_systemd_writes_besides_is_undone() -> None:
    scope = Scope()
    scope.files |= {"cpu.max": "12345 100000", "memory.oom.group": "1", "memory.max": "max"}
    change_all(limits_v2({"memory": {"limit": 4096}}, R), scope)
    assert scope.files == {"cpu.max": "12345 100000", "memory.oom.group": "1", "memory.max": "4096"}


def test_what_systemd_refuses_is_undone() -> None:
    scope = Scope("systemd cannot change it")
    with pytest.raises(HostError, match="systemd cannot change it"):
        change_all(limits_v2({"cpu": {"quota": 12345, "period": 100000}}, R), scope)
    assert scope.files == {"cpu.max": "max 100000"}


def test_what_stays_invalid_is_an_error() -> None:
    kernel = v1(memory__limit_in_bytes="64", memory__memsw__limit_in_bytes="128", pids__max="7")
    with pytest.raises(HostError, match="memory.limit_in_bytes to 256: invalid argument"):
        apply([Limit("pids", "pids.max", 5, ""), Limit("memory", "memory.limit_in_bytes", 256, "")], kernel)
    assert kernel.files["pids.max"] == "7"


@pytest.mark.parametrize(
    ("change", "written"),
    [({"quota": 5000}, "5000 40000"), ({"period": 50000}, "20000 50000"), ({"quota": -1}, "max 40000")],
)
def test_quota_and_period_keep_the_other(change: dict[str, int], written: str) -> None:
    kernel = Kernel(2, {"cpu.max": "20000 40000"})
    whole = complete({"cpu": change}, {}, kernel)
    assert [limit.value for limit in limits_v2(whole, R)] == [written]


def test_no_quota_stays_none() -> None:
    whole = complete({"cpu": {"period": 50000}}, {}, Kernel(2, {"cpu.max": "max 100000"}))
    assert [limit.value for limit in limits_v2(whole, R)] == ["max 50000"]
    kernel = v1(cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000")
    whole = complete({"cpu": {"period": 50000}}, {}, kernel)
    assert [limit.value for limit in limits_v1(whole, R)] == ["50000", "-1"]


def test_the_period_asked_for_outlives_a_time_without_quota() -> None:
    whole = complete({"cpu": {"quota": 5000}}, {"cpu": {"period": 50000}}, Kernel(2, {"cpu.max": "max 100000"}))
    assert [limit.value for limit in limits_v2(whole, R)] == ["5000 50000"]


def test_swap_alone_goes_with_the_limit_in_force() -> None:
    whole = complete({"memory": {"swap": 128}}, {}, Kernel(2, {"memory.max": "64"}))
    assert {limit.file: limit.value for limit in limits_v2(whole, R)} == {"memory.max": "64", "memory.swap.max": "64"}
    whole = complete({"memory": {"swap": 128}}, {}, v1(memory__limit_in_bytes=str((1 << 63) - 4096)))
    with pytest.raises(SpecError, match="memory.limit is not set"):
        limits_v1(whole, R)


def test_the_weight_comes_back_with_the_end_of_idleness() -> None:
    saved = {"cpu": {"shares": 2048, "idle": 1}}
    whole = complete({"cpu": {"idle": 0}}, saved, v1())
    assert [(limit.file, limit.value) for limit in limits_v1(whole, R)] == [("cpu.idle", "0"), ("cpu.shares", "2048")]


def test_burst_zero_is_written() -> None:
    assert [(limit.file, limit.value) for limit in burst_off({"cpu": {"burst": 0}}, v1())] == [("cpu.cfs_burst_us", "0")]
    assert burst_off({"cpu": {"burst": 5}}, v1()) == []


def test_limit_above_memory_and_swap() -> None:
    kernel = v1(memory__memsw__limit_in_bytes="128")
    with pytest.raises(SpecError, match="above memory.swap 128"):
        check_memory({"memory": {"limit": 256}}, False, kernel)
    check_memory({"memory": {"limit": 256, "swap": 512}}, False, kernel)
    check_memory({"memory": {"limit": -1}}, False, kernel)


@pytest.mark.parametrize(("version", "file"), [(1, "memory.usage_in_bytes"), (2, "memory.current")])
def test_check_before_update(version: int, file: str) -> None:
    kernel = Kernel(version, {file: "5000"})
    with pytest.raises(HostError, match="current usage: 5000"):
        check_memory({"memory": {"limit": 4000}}, True, kernel)
    check_memory({"memory": {"limit": 4000}}, False, kernel)
    check_memory({"memory": {"limit": 6000}}, True, kernel)


def test_missing_controller() -> None:
    with pytest.raises(HostError, match="no cgroup of the controller `rdma`"):
        check_controllers([Limit("rdma", "rdma.max", "", "")], v1())
