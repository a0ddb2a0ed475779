"""events: statistics in runc's shape, out-of-memory events as they happen."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import Any

import pytest

from tests import cgroups
from tests.harness import DEADLINE, Box, Container, wait_until

GONE = (-signal.SIGPIPE, 128 + signal.SIGPIPE)  # killed by it, or as if

MEGA = 1 << 20
V2 = cgroups.version() == 2
SECTIONS = ["cpu", "cpuset", "memory", "pids", "blkio", "hugetlb", "intel_rdt", "network_interfaces"]


def follow(container: Container, *flags: str) -> subprocess.Popen[bytes]:
    return container.box.popen("events", *flags, container.id, stdout=subprocess.PIPE)


def lines(process: subprocess.Popen[bytes]) -> list[dict[str, Any]]:
    out, _ = process.communicate(timeout=DEADLINE)
    return [json.loads(line) for line in out.splitlines()]


def test_stats_once(box: Box) -> None:
    bundle = box.bundle("/bin/sh", "-c", "dd if=/dev/zero of=/dev/null bs=1M count=50; sleep 100")
    bundle.linux["resources"] = {"pids": {"limit": 50}, "memory": {"limit": 64 * MEGA}}
    container = box.started(bundle)
    event = container.call("events", "--stats").ok().json()
    assert (event["type"], event["id"], list(event["data"])) == ("stats", container.id, SECTIONS)
    data = event["data"]
    assert data["pids"]["limit"] == 50
    assert 1 <= data["pids"]["current"] <= 3
    assert data["memory"]["usage"]["limit"] == 64 * MEGA
    assert data["memory"]["usage"]["usage"] > 0
    assert data["memory"]["raw"]
    assert data["cpu"]["usage"]["total"] > 0
    assert data["network_interfaces"] is None


def test_intervals_until_the_end(box: Box) -> None:
    container = box.started(box.bundle("/bin/sleep", "100"))
    process = follow(container, "--interval", "50ms")
    assert process.stdout is not None
    first = json.loads(process.stdout.readline())
    second = json.loads(process.stdout.readline())
    assert first["type"] == second["type"] == "stats"
    container.kill()
    lines(process)
    assert process.returncode == 0


def test_out_of_memory(box: Box) -> None:
    if "memory" not in cgroups.controllers():
        pytest.skip("needs the cgroup controller memory")
    hog = "while [ ! -e /tmp/go ]; do sleep 0.02; done; x=$(head -c 60000000 /dev/zero | tail -c 60000000); sleep 100"
    bundle = box.bundle("/bin/sh", "-c", hog)
    bundle.mount("/tmp", "tmpfs", "tmpfs")
    limits = {"limit": 16 * MEGA} if V2 else {"limit": 16 * MEGA, "swap": 16 * MEGA}
    bundle.linux["resources"] = {"memory": limits}
    container = box.started(bundle)
    process = follow(container, "--interval", "1h")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["type"] == "stats"
    container.exec("/bin/touch", "/tmp/go").ok()
    assert json.loads(process.stdout.readline()) == {"type": "oom", "id": container.id}
    container.kill() if container.status == "running" else None
    lines(process)
    assert process.returncode == 0


def test_reader_that_leaves(box: Box) -> None:
    container = box.started(box.bundle("/bin/sleep", "100"))
    process = follow(container, "--interval", "10ms")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    wait_until(lambda: process.poll() is not None, what="the end of events")
    assert process.returncode in GONE


def test_refusals(box: Box) -> None:
    box.call("events", "nobody").failed("container does not exist")
    container = box.started(box.bundle("/bin/sleep", "100"))
    container.call("events", "--interval", "0s").failed("interval must be greater than 0")
    container.call("events", "--interval", "soon").failed("invalid duration")
    container.kill()
    container.wait()
    container.call("events").failed("is not running")
