"""update: other limits for a living container, as docker, podman and people ask for them."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import termios

import pytest

from tests import cgroups
from tests.harness import DEADLINE, Box, Container, only_ours, wait_until

MEGA = 1 << 20
V2 = cgroups.version() == 2
SLEEP = ("/bin/sleep", "100")
DOCKER = {
    "memory": {"limit": 64 * MEGA, "reservation": 0, "swap": 64 * MEGA, "kernel": 0},
    "cpu": {"shares": 0, "quota": 50000, "period": 100000},
    "pids": {"limit": 50},
    "blockIO": {"weight": 0},
}
ZEROS = {
    "memory": {"limit": 0, "reservation": 0, "swap": 0, "kernel": 0},
    "cpu": {"shares": 0, "quota": 0, "period": 0, "cpus": "", "mems": ""},
    "pids": {"limit": 0},
    "blockIO": {"weight": 0},
}


def memory(container: Container) -> tuple[str, str]:
    files = ("memory.max", "memory.swap.max") if V2 else ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
    limit, swap = (cgroups.read(container.pid, "memory", file) for file in files)
    return limit, swap


def bandwidth(container: Container) -> list[str]:
    if V2:
        return cgroups.read(container.pid, "cpu", "cpu.max").split()
    return [cgroups.read(container.pid, "cpu", f"cpu.cfs_{name}_us").replace("-1", "max") for name in ("quota", "period")]


@pytest.fixture
def container(box: Box) -> Container:
    if not {"memory", "cpu", "pids"} <= cgroups.controllers():
        pytest.skip("needs the cgroup controllers memory, cpu and pids")
    bundle = box.bundle(*SLEEP)
    bundle.linux["resources"] = {
        "devices": [{"allow": False, "access": "rwm"}],
        "memory": {"limit": 128 * MEGA, "swap": 128 * MEGA},
    }
    return box.started(bundle)


def test_what_docker_sends(container: Container) -> None:
    container.call("update", "--resources", "-", input=json.dumps(DOCKER).encode()).ok()
    assert memory(container) == (str(64 * MEGA), "0" if V2 else str(64 * MEGA))
    assert bandwidth(container) == ["50000", "100000"]
    assert cgroups.read(container.pid, "pids", "pids.max") == "50"
    container.call("update", "--resources", "-", input=json.dumps(ZEROS).encode()).ok()
    assert memory(container)[0] == str(64 * MEGA)
    assert bandwidth(container) == ["50000", "100000"]
    assert cgroups.read(container.pid, "pids", "pids.max") == "50"


def test_flags_up_and_down(container: Container) -> None:
    container.call("update", "--memory", "256m", "--memory-swap", "512m").ok()
    assert memory(container) == (str(256 * MEGA), str((256 if V2 else 512) * MEGA))
    container.call("update", "--memory=32m", "--memory-swap=48m").ok()
    assert memory(container) == (str(32 * MEGA), str((16 if V2 else 48) * MEGA))
    container.call("update", "--memory-swap=64m").ok()
    assert memory(container) == (str(32 * MEGA), str((32 if V2 else 64) * MEGA))
    container.call("update", "--memory", "-1").ok()
    assert memory(container)[0] in ("max", "9223372036854771712")


def test_quota_and_period_one_by_one(container: Container) -> None:
    container.call("update", "--cpu-quota", "20000").ok()
    assert bandwidth(container) == ["20000", "100000"]
    container.call("update", "--cpu-period", "50000").ok()
    assert bandwidth(container) == ["20000", "50000"]
    container.call("update", "--cpu-quota", "-1").ok()
    assert bandwidth(container) == ["max", "50000"]


def test_weight_comes_back_after_idleness(container: Container) -> None:
    file, weight = ("cpu.weight", "174") if V2 else ("cpu.shares", "2048")
    container.call("update", "--cpu-share", "2048").ok()
    container.call("update", "--cpu-idle", "1").ok()
    assert cgroups.read(container.pid, "cpu", "cpu.idle") == "1"
    container.call("update", "--cpu-idle", "0").ok()
    assert cgroups.read(container.pid, "cpu", "cpu.idle") == "0"
    assert cgroups.read(container.pid, "cpu", file) == weight


def test_all_or_nothing(container: Container) -> None:
    before = memory(container), bandwidth(container)
    container.call("update", "--memory", "64m", "--memory-swap", "64m", "--cpu-quota", "100").failed("cpu")
    assert (memory(container), bandwidth(container)) == before


def test_limit_above_swap(container: Container) -> None:
    if V2:
        pytest.skip("version 2 limits swap by itself")
    container.call("update", "--memory", "256m").failed("memory.swap")


def test_check_before_update(container: Container) -> None:
    wish = {"memory": {"limit": 4096, "swap": 4096, "checkBeforeUpdate": True}}
    container.call("update", "-r", "-", input=json.dumps(wish).encode()).failed("unable to set memory limit")
    assert container.status == "running"
    if not V2:  # there the kernel would take it, and kill
        result = container.call("update", "--memory", "4k", "--memory-swap", "4k").failed("memory.limit_in_bytes")
        assert "uses more" in result.log[-1]["hint"]


def test_devices_stay(container: Container) -> None:
    def kernel_log() -> str:
        return str(container.exec("/bin/probe", "node:c,1,11").ok().json()["actions"]["node:c,1,11"]["read"])

    assert kernel_log() == "EPERM"
    wish = {"devices": [{"allow": True, "access": "rwm"}], "pids": {"limit": 40}}
    container.call("update", "-r", "-", input=json.dumps(wish).encode()).ok()
    assert kernel_log() == "EPERM"
    assert cgroups.read(container.pid, "pids", "pids.max") == "40"


def test_created_and_paused(box: Box) -> None:
    container = box.create(box.bundle(*SLEEP))
    container.call("update", "--pids-limit", "30").ok()
    container.start()
    container.call("pause").ok()
    container.call("update", "--pids-limit", "31").ok()
    assert cgroups.read(container.pid, "pids", "pids.max") == "31"
    container.call("resume").ok()


def test_errors(container: Container) -> None:
    container.box.call("update", "--pids-limit", "5", "nobody").failed("container does not exist")
    container.call("update", "--memory", "lots").failed("invalid value 'lots' for --memory")
    container.call("update", "-r", "-", input=b'{"pids": {"limit": "5"}}').failed("limit")
    container.call("update", "--l3-cache-schema", "L3:0=f").failed("no intelRdt section")
    container.call("update", "--kernel-memory", "5m").ok()
    assert "ignored" in container.box.log_lines()[-1]["msg"]
    container.kill()
    container.wait()
    container.call("update", "--pids-limit", "5").failed("container not running")


def test_input_is_awaited_without_the_lock(box: Box, container: Container) -> None:
    """Whoever never closes the standard input of an update keeps no other command from working."""
    only_ours(box, "others have no such lock")
    reader, writer = os.pipe()
    null = subprocess.DEVNULL
    update = box.popen("update", "--resources", "-", container.id, log=False, stdin=reader, stderr=null)
    try:
        os.write(writer, b"{")
        wait_until(lambda: fcntl.ioctl(reader, termios.FIONREAD, b"\0" * 4) == b"\0" * 4, what="the read")
        container.delete("--force").ok()
    finally:
        os.close(reader)
        os.close(writer)
        assert update.wait(DEADLINE) == 1
