"""An ordinary user below a delegated cgroup, with subordinate ids: the guest's `tester`, in its user manager."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import cgroups
from tests.harness import Box, Bundle
from tests.integration.test_rootless import UID, box, rootless
from tests.vm.test_cgroup_v2 import show_cgroup

__all__ = ["box"]

pytestmark = pytest.mark.skipif(os.geteuid() == 0, reason="needs an ordinary user")

MEGA = 1 << 20
BASE = Path("/sys/fs/cgroup")
RANGES = [{"containerID": 0, "hostID": UID, "size": 1}, {"containerID": 1, "hostID": 100000, "size": 65536}]


def ranges(bundle: Bundle) -> Bundle:
    bundle.linux["uidMappings"] = bundle.linux["gidMappings"] = RANGES
    return bundle


def delegated() -> str:
    """The cgroup above our own, which our user manager owns."""
    return cgroups.own("").rpartition("/")[0]


def test_ranges_through_the_helpers(box: Box) -> None:
    bundle = ranges(rootless(box, "/bin/sh", "-c", "cat /proc/self/uid_map /proc/self/gid_map; id -u; id -G"))
    bundle.process["user"] = {"uid": 7, "gid": 8, "additionalGids": [9]}
    lines = [line.split() for line in box.run(bundle).ok().out.splitlines()]
    mapped = [["0", str(UID), "1"], ["1", "100000", "65536"]]
    assert lines == [*mapped, *mapped, ["7"], ["8", "9"]]


def test_ranges_that_are_not_ours(box: Box) -> None:
    bundle = ranges(rootless(box))
    bundle.linux["uidMappings"] = [RANGES[0], {"containerID": 1, "hostID": 400000, "size": 10}]
    box.try_create(bundle).failed("newuidmap")


def test_a_cgroup_for_an_id_that_is_not_ours(box: Box) -> None:
    bundle = show_cgroup(rootless(box), "rw")
    bundle.linux["uidMappings"] = [{"containerID": 0, "hostID": 400000, "size": 1}]
    box.try_create(bundle).failed(f"own cgroup {BASE}{delegated()}/")


def test_limits_by_delegation(box: Box) -> None:
    bundle = rootless(box)
    bundle.linux["resources"] = {
        "memory": {"limit": 32 * MEGA},
        "pids": {"limit": 12},
        "cpu": {"shares": 512},
    }
    container = box.started(bundle)
    own = cgroups.of(container.pid)[""]
    assert str(own) == f"{BASE}{delegated()}/{container.id}"
    values = [(own / file).read_text().strip() for file in ("memory.max", "pids.max", "cpu.weight")]
    assert values == [str(32 * MEGA), "12", "59"]
    assert container.exec("cat", "/proc/self/cgroup").ok().out == "0::/\n"


def test_a_memory_limit_kills(box: Box) -> None:
    bundle = rootless(box, "/bin/probe", "out:/dev/null", f"touch:{64 * MEGA}")
    bundle.linux["resources"] = {"memory": {"limit": 16 * MEGA, "swap": 16 * MEGA}}
    assert box.run(bundle).rc == 137


def test_pause_and_resume(box: Box) -> None:
    container = box.started(rootless(box))
    container.call("pause").ok()
    assert container.status == "paused"
    container.call("resume").ok()
    assert container.status == "running"
    assert str(container.pid) in container.call("ps").ok().out
    container.call("pause").ok()
    container.delete("--force").ok()


def test_a_controller_that_is_not_delegated(box: Box) -> None:
    bundle = rootless(box)
    bundle.linux["resources"] = {"hugepageLimits": [{"pageSize": "2MB", "limit": 2 * MEGA}]}
    box.try_create(bundle).failed("hugetlb")


def test_a_cgroup_that_is_not_ours(box: Box) -> None:
    bundle = rootless(box)
    bundle.linux["cgroupsPath"] = f"/system.slice/{box.name()}"
    container = box.started(bundle)
    assert container.errors == "" or "cgroup" in container.errors
    assert any("stays in the cgroup of its creator" in line["msg"] for line in box.log_lines())
    container.call("pause").failed("cgroup")
    bundle.linux["resources"] = {"pids": {"limit": 12}}
    box.try_create(bundle).failed("cannot set pids.max", "/system.slice/")
