"""Statistics from the files of a version 2 cgroup (version 1 is tested for real)."""

from __future__ import annotations

from typing import Any

import pytest

from pyrunc.cgroup.stats import parse_set, read_stats

FILES = {
    "cpu.stat": "usage_usec 30\nuser_usec 10\nsystem_usec 20\nnr_periods 5\nnr_throttled 2\nthrottled_usec 7\n",
    "cpu.pressure": "some avg10=0.50 avg60=1.00 avg300=0.00 total=99\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=3\n",
    "cpuset.cpus.effective": "0-2,7\n",
    "cpuset.mems.effective": "0\n",
    "memory.current": "1000\n",
    "memory.max": "max\n",
    "memory.peak": "2000\n",
    "memory.swap.current": "10\n",
    "memory.swap.max": "0\n",
    "memory.stat": "anon 1\nfile 300\nkernel 40\nsock 5\n",
    "memory.events": "low 0\nhigh 0\nmax 4\noom 1\noom_kill 1\n",
    "pids.current": "3\n",
    "pids.max": "max\n",
    "io.stat": "8:0 rbytes=1 wbytes=2 rios=3 wios=0 dbytes=0 dios=0\n",
    "hugetlb.2MB.current": "2097152\n",
    "hugetlb.2MB.events": "max 6\n",
    "hugetlb.1GB.rsvd.current": "0\n",
}


class Cgroup:
    def __init__(self, files: dict[str, str], version: int = 2) -> None:
        self.saved: dict[str, Any] = {"version": version}
        self.files = files

    def read(self, controller: str, file: str) -> str:
        if file not in self.files:
            raise FileNotFoundError(file)
        return self.files[file]


def test_version_2() -> None:
    stats = read_stats(Cgroup(FILES), ["1GB", "2MB", "64KB"])  # type: ignore[arg-type]
    assert stats["cpu"]["usage"] == {"total": 30000, "kernel": 20000, "user": 10000}
    assert stats["cpu"]["throttling"] == {"periods": 5, "throttledPeriods": 2, "throttledTime": 7000}
    assert stats["cpu"]["psi"]["some"] == {"avg10": 0.5, "avg60": 1.0, "avg300": 0.0, "total": 99}
    assert stats["cpu"]["psi"]["full"]["total"] == 3
    assert (stats["cpuset"]["cpus"], stats["cpuset"]["mems"]) == ([0, 1, 2, 7], [0])
    memory = stats["memory"]
    assert memory["usage"] == {"limit": (1 << 64) - 1, "usage": 1000, "max": 2000, "failcnt": 4}
    assert memory["swap"]["usage"] == 1010
    assert (memory["cache"], memory["kernel"]["usage"], memory["kernelTCP"]["usage"]) == (300, 40, 5)
    assert "psi" not in memory
    assert stats["pids"] == {"current": 3}
    assert stats["blkio"] == {
        "ioServiceBytesRecursive": [
            {"major": 8, "op": "Read", "value": 1},
            {"major": 8, "op": "Write", "value": 2},
            {"major": 8, "op": "Discard"},
        ],
        "ioServicedRecursive": [
            {"major": 8, "op": "Read", "value": 3},
            {"major": 8, "op": "Write"},
            {"major": 8, "op": "Discard"},
        ],
    }
    assert stats["hugetlb"] == {"1GB": {"failcnt": 0}, "2MB": {"usage": 2097152, "failcnt": 6}}


@pytest.mark.parametrize("version", [1, 2])
def test_nothing_to_read(version: int) -> None:
    stats = read_stats(Cgroup({}, version), ["2MB"])  # type: ignore[arg-type]
    assert stats["cpu"] == {"usage": {"kernel": 0, "user": 0}, "throttling": {}}
    assert (stats["blkio"], stats["hugetlb"], stats["pids"], stats["network_interfaces"]) == ({}, {}, {}, None)


def test_block_devices_of_version_1() -> None:
    files = {"blkio.throttle.io_serviced_recursive": "8:16 Read 4\n8:16 Total 4\nTotal 4\n"}
    stats = read_stats(Cgroup(files, 1), [])  # type: ignore[arg-type]
    read, total = stats["blkio"]["ioServicedRecursive"]
    assert read == {"major": 8, "minor": 16, "op": "Read", "value": 4}
    assert total["op"] == "Total"


@pytest.mark.parametrize(("text", "numbers"), [("", []), ("0", [0]), ("0-1", [0, 1]), ("0,2-3,9\n", [0, 2, 3, 9])])
def test_sets(text: str, numbers: list[int]) -> None:
    assert parse_set(text) == numbers
