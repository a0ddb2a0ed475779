"""Every resource of config-linux.md with both drivers: set, read back inside and outside, changed, kept, enforced.

systemd writes all that it knows of a unit anew when it reloads, so each value
is read once more after that.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness import Box, Container, wait_until
from tests.vm.scopes import (
    DRIVERS,
    ROOT,
    bundle_of,
    directory,
    open_box,
    scope,
    shown,
    systemctl,
    uses_systemd,
)
from tests.vm.test_cgroup_v2 import MEGA, limit, show_cgroup

Files = dict[str, str]
DISK = {"major": 254, "minor": 0}
THROTTLES = ("throttleReadBpsDevice", "throttleWriteBpsDevice", "throttleReadIOPSDevice", "throttleWriteIOPSDevice")


@pytest.fixture(params=DRIVERS)
def box(request: pytest.FixtureRequest) -> Iterator[Box]:
    with open_box(request.param) as made:
        yield made


@pytest.fixture
def bfq() -> Iterator[None]:
    """The guest's disk under the BFQ scheduler."""
    scheduler = Path("/sys/block/vda/queue/scheduler")
    subprocess.run(["modprobe", "bfq"], check=True)
    scheduler.write_text("bfq")
    yield
    scheduler.write_text("none")
    subprocess.run(["modprobe", "--remove", "bfq"], check=True)


@pytest.fixture
def swap(tmp_path: Path) -> Iterator[None]:
    """32 MiB of swap."""
    file = tmp_path / "swap"
    file.write_bytes(bytes(32 * MEGA))
    file.chmod(0o600)
    subprocess.run(["mkswap", file], check=True, capture_output=True)
    subprocess.run(["swapon", file], check=True)
    yield
    subprocess.run(["swapoff", file], check=True)


@pytest.fixture
def weights_of_devices() -> Iterator[None]:
    """The I/O cost controller at work for the guest's disk."""
    control = Path("/sys/fs/cgroup/io.cost.qos")
    control.write_text("254:0 enable=1")
    yield
    control.write_text("254:0 enable=0")


EVERYTHING: dict[str, Any] = {
    "memory": {"limit": 64 * MEGA, "swap": 96 * MEGA, "reservation": 32 * MEGA},
    "cpu": {"shares": 512, "quota": 50000, "period": 100000, "burst": 10000, "cpus": "0", "mems": "0"},
    "pids": {"limit": 40},
    "blockIO": {"weight": 500} | {name: [{**DISK, "rate": 1 << (20 + number)}] for number, name in enumerate(THROTTLES)},
    "unified": {"memory.high": "48M", "memory.min": str(4 * MEGA)},
}
FILES: Files = {
    "memory.max": str(64 * MEGA), "memory.swap.max": str(32 * MEGA), "memory.low": str(32 * MEGA),
    "memory.high": str(48 * MEGA), "memory.min": str(4 * MEGA),
    "cpu.weight": "59", "cpu.max": "50000 100000", "cpu.max.burst": "10000",
    "cpuset.cpus": "0", "cpuset.mems": "0", "pids.max": "40",
    "io.weight": "default 4950", "io.max": "254:0 rbps=1048576 wbps=2097152 riops=4194304 wiops=8388608",
}  # fmt: skip
PROPERTIES: Files = {
    "MemoryMax": str(64 * MEGA), "MemorySwapMax": str(32 * MEGA), "MemoryLow": str(32 * MEGA),
    "MemoryHigh": str(48 * MEGA), "MemoryMin": str(4 * MEGA),
    "CPUWeight": "59", "CPUQuotaPerSecUSec": "500ms", "CPUQuotaPeriodUSec": "100ms",
    "AllowedCPUs": "0", "AllowedMemoryNodes": "0", "TasksMax": "40", "IOWeight": "4950",
    "IOReadBandwidthMax": "/dev/block/254:0 1048576", "IOWriteIOPSMax": "/dev/block/254:0 8388608",
}  # fmt: skip
Step = tuple[dict[str, Any], Files, Files]
"""Resources, the files they change, the properties they change."""
STEPS: list[Step] = [
    (
        {
            "memory": {"limit": 128 * MEGA, "swap": 256 * MEGA, "reservation": 16 * MEGA},
            "cpu": {"shares": 2048, "quota": 20000, "period": 50000, "burst": 5000, "cpus": "0-1", "mems": "0"},
            "pids": {"limit": 50},
            "blockIO": {"weight": 100, "throttleReadBpsDevice": [{**DISK, "rate": 4096}]},
            "unified": {"memory.high": str(100 * MEGA), "memory.min": "0"},
        },
        {
            "memory.max": str(128 * MEGA), "memory.swap.max": str(128 * MEGA), "memory.low": str(16 * MEGA),
            "memory.high": str(100 * MEGA), "memory.min": "0",
            "cpu.weight": "174", "cpu.max": "20000 50000", "cpu.max.burst": "5000", "cpuset.cpus": "0-1",
            "pids.max": "50", "io.weight": "default 910",
            "io.max": "254:0 rbps=4096 wbps=2097152 riops=4194304 wiops=8388608",
        },
        {
            "MemoryMax": str(128 * MEGA), "MemorySwapMax": str(128 * MEGA), "MemoryLow": str(16 * MEGA),
            "MemoryHigh": str(100 * MEGA), "MemoryMin": "0",
            "CPUWeight": "174", "CPUQuotaPerSecUSec": "400ms", "CPUQuotaPeriodUSec": "50ms",
            "AllowedCPUs": "0-1", "TasksMax": "50", "IOWeight": "910",
            "IOReadBandwidthMax": "/dev/block/254:0 4096",
        },
    ),
    (
        {"memory": {"limit": -1}, "cpu": {"quota": -1, "period": 100000, "burst": 0}, "pids": {"limit": -1}},
        {"memory.max": "max", "memory.swap.max": "max", "cpu.max": "max 100000", "cpu.max.burst": "0", "pids.max": "max"},
        {
            "MemoryMax": "infinity", "MemorySwapMax": "infinity", "CPUQuotaPerSecUSec": "infinity",
            "CPUQuotaPeriodUSec": "100ms", "TasksMax": "infinity",
        },
    ),
    ({"cpu": {"idle": 1}}, {"cpu.idle": "1", "cpu.weight": "0"}, {"CPUWeight": "idle"}),
    ({"cpu": {"idle": 0}}, {"cpu.idle": "0", "cpu.weight": "174"}, {"CPUWeight": "174"}),
]  # fmt: skip
if ROOT:  # a user's systemd is not given this controller
    EVERYTHING["hugepageLimits"] = [{"pageSize": "2MB", "limit": 4 * MEGA}]
    FILES |= {"hugetlb.2MB.max": str(4 * MEGA), "hugetlb.2MB.rsvd.max": str(4 * MEGA)}
    STEPS[0][0]["hugepageLimits"] = [{"pageSize": "2MB", "limit": 8 * MEGA}]
    STEPS[0][1].update({"hugetlb.2MB.max": str(8 * MEGA), "hugetlb.2MB.rsvd.max": str(8 * MEGA)})


def read(container: Container, names: Files) -> Files:
    return {name: (directory(container) / name).read_text().strip() for name in names}


def check(container: Container, files: Files, properties: Files) -> None:
    """Files hold these values, the unit these properties, and both still do after systemd's reload."""
    for _ in range(2):
        assert read(container, files) == files
        if uses_systemd(container.box):
            values = shown(scope(container), *properties)
            assert dict(zip(properties, values, strict=True)) == properties
        systemctl("daemon-reload")


def update(container: Container, change: dict[str, Any]) -> None:
    container.call("update", "--resources", "-", input=json.dumps(change).encode()).ok()


def check_inside(container: Container, files: Files) -> None:
    inside = container.exec("/bin/sh", "-c", f"cd /sys/fs/cgroup && cat {' '.join(files)}").ok().out
    assert inside.splitlines() == list(files.values())


def test_everything(box: Box) -> None:
    container = box.started(show_cgroup(limit(bundle_of(box), **EVERYTHING)))
    files, properties = dict(FILES), dict(PROPERTIES)
    check(container, files, properties)
    check_inside(container, files)
    for change, other_files, other_properties in STEPS:
        update(container, change)
        files |= other_files
        properties |= other_properties
        check(container, files, properties)
    check_inside(container, files)


def test_flags_of_update(box: Box) -> None:
    container = box.started(bundle_of(box))
    flags = "--memory 64m --memory-swap 96m --memory-reservation 32m --cpu-share 512 --cpu-quota 50000 --cpu-period 100000"
    flags += " --cpu-burst 10000 --cpuset-cpus 0 --cpuset-mems 0 --pids-limit 40 --blkio-weight 500"
    container.call("update", *flags.split()).ok()
    given = {name: value for name, value in FILES.items() if name in FLAGGED}
    check(container, given, {"MemoryMax": str(64 * MEGA), "TasksMax": "40", "AllowedCPUs": "0"})


FLAGGED = (
    "memory.max", "memory.swap.max", "memory.low", "cpu.weight", "cpu.max", "cpu.max.burst",
    "cpuset.cpus", "cpuset.mems", "pids.max", "io.weight",
)  # fmt: skip


def test_systemd_keeps_whole_percents_of_a_quota(box: Box) -> None:
    container = box.started(bundle_of(box))
    update(container, {"cpu": {"quota": 12345, "period": 100000}})
    assert read(container, {"cpu.max": ""}) == {"cpu.max": "12345 100000"}
    systemctl("daemon-reload")
    kept = "13000" if uses_systemd(box) else "12345"
    assert read(container, {"cpu.max": ""}) == {"cpu.max": f"{kept} 100000"}


def test_an_update_leaves_the_rest(box: Box) -> None:
    files = {"cpu.max": "12345 100000", "memory.oom.group": "1"}
    container = box.started(limit(bundle_of(box), unified=files))
    update(container, {"memory": {"limit": 64 * MEGA}})
    assert read(container, {"memory.max": "", **files}) == {"memory.max": str(64 * MEGA), **files}


@pytest.mark.root
def test_weights_of_devices(box: Box, weights_of_devices: None) -> None:
    weights = {"weight": 500, "weightDevice": [{**DISK, "weight": 10}]}
    container = box.started(limit(bundle_of(box), blockIO=weights))
    wanted = {"io.weight": "default 4950\n254:0 1"}
    check(container, wanted, {"IODeviceWeight": "/dev/block/254:0 1"})


@pytest.mark.root
def test_weights_of_bfq(box: Box, bfq: None) -> None:
    weights = {"weight": 1000, "weightDevice": [{**DISK, "weight": 50}]}
    container = box.started(limit(bundle_of(box), blockIO=weights))
    wanted = {"io.bfq.weight": "default 1000\n254:0 50"}
    check(container, wanted, {"IOWeight": "10000"})
    container.delete("--force").ok()


@pytest.mark.root
def test_rdma_without_its_device(box: Box) -> None:
    box.try_create(limit(bundle_of(box), rdma={"mlx5_1": {"hcaHandles": 3}})).failed("rdma.max")


# --- what can be seen of their force -------------------------------------------------


def test_cpu_and_processes(box: Box) -> None:
    sections = {"cpu": {"cpus": "1", "quota": 50000, "period": 100000}, "pids": {"limit": 8}}
    bundle = show_cgroup(limit(bundle_of(box), **sections))
    bundle.shell(
        "grep Cpus_allowed_list /proc/self/status; /bin/probe fork:50;"
        " while ! grep -q 'nr_throttled [1-9]' /sys/fs/cgroup/cpu.stat; do :; done; echo throttled"
    )
    lines = box.run(bundle).ok().out.splitlines()
    assert lines[0].split() == ["Cpus_allowed_list:", "1"]
    assert lines[-1] == "throttled"
    found = json.loads("\n".join(lines[1:-1]))["actions"]["fork:50"]
    assert found["error"] == "EAGAIN"
    assert found["children"] <= 7


def test_a_weight_is_a_share(box: Box) -> None:
    loop = "while :; do :; done"
    few, many = (
        box.started(limit(bundle_of(box), cpu={"cpus": "1", "shares": shares}).shell(loop)) for shares in (2, 20000)
    )
    before = [usage(few), usage(many)]
    wait_until(lambda: usage(many) - before[1] > 1000000, what="a second of CPU time")
    assert usage(few) - before[0] < (usage(many) - before[1]) / 4
    many.delete("--force").ok()  # beside it, the other would take long to die


def usage(container: Container) -> int:
    """Microseconds of CPU time."""
    return int((directory(container) / "cpu.stat").read_text().split()[1])


@pytest.mark.root
def test_memory_with_swap(box: Box, swap: None) -> None:
    sections = {"memory": {"limit": 16 * MEGA, "swap": 40 * MEGA}}
    for size, code in ((24, 0), (64, 137)):
        bundle = limit(bundle_of(box), **sections).args("/bin/probe", "out:/dev/null", f"touch:{size * MEGA}")
        assert box.run(bundle).rc == code


@pytest.mark.root
def test_huge_pages(box: Box) -> None:
    pool = Path("/proc/sys/vm/nr_hugepages")
    pool.write_text("6")
    try:
        bundle = limit(bundle_of(box), hugepageLimits=[{"pageSize": "2MB", "limit": 4 * MEGA}])
        found = box.report(bundle, f"hugepages:{4 * MEGA}", f"hugepages:{8 * MEGA}")["actions"]
    finally:
        pool.write_text("0")
    assert list(found.values()) == ["ok", "ENOMEM"]


@pytest.mark.root
def test_reads_are_throttled(box: Box) -> None:
    """64 KiB at 16 KiB a second; the clock of an emulated guest may be late, never early."""
    devices = [{"allow": False, "access": "rwm"}, {"allow": True, "type": "b", **DISK, "access": "rm"}]
    bundle = limit(bundle_of(box), devices=devices, blockIO={"throttleReadBpsDevice": [{**DISK, "rate": 16384}]})
    bundle.shell(
        "mknod /disk b 254 0; cut -d' ' -f1 /proc/uptime;"
        " dd if=/disk of=/dev/null bs=4k count=16 iflag=direct 2>/dev/null; cut -d' ' -f1 /proc/uptime"
    )
    began, ended = map(float, box.run(bundle).ok().out.split())
    assert ended - began > 3
