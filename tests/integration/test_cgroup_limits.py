"""config-linux.md#cgroups: where the container is put, the limits written, and that they act.

The same wishes on both versions; the tables say which file then holds what.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests import cgroups
from tests.harness import CGROUP_PARENT, Box, Bundle, Container, peer_differs

MEGA = 1 << 20
V2 = cgroups.version() == 2
SLEEP = ("/bin/sleep", "100")


def limited(box: Box, *args: str, **sections: Any) -> Bundle:
    bundle = box.bundle(*(args or SLEEP))
    bundle.linux["resources"] = {"devices": [{"allow": False, "access": "rwm"}], **sections}
    return bundle


def need(*controllers: str) -> None:
    missing = set(controllers) - cgroups.controllers()
    if missing:
        pytest.skip(f"needs the cgroup controller {', '.join(sorted(missing))}")


def check(
    container: Container, controller: str, v1: tuple[str, str] | None, v2: tuple[str, str] | None
) -> None:
    wanted = v2 if V2 else v1
    if wanted is not None:
        assert cgroups.read(container.pid, controller, wanted[0]) == wanted[1]


WISHES = [
    (
        "memory",
        {"memory": {"limit": 64 * MEGA}},
        ("memory.limit_in_bytes", str(64 * MEGA)),
        ("memory.max", str(64 * MEGA)),
    ),
    (
        "memory",
        {"memory": {"limit": 32 * MEGA, "swap": 48 * MEGA}},
        ("memory.memsw.limit_in_bytes", str(48 * MEGA)),
        ("memory.swap.max", str(16 * MEGA)),
    ),
    (
        "memory",
        {"memory": {"limit": 32 * MEGA, "swap": 32 * MEGA}},
        ("memory.memsw.limit_in_bytes", str(32 * MEGA)),
        ("memory.swap.max", "0"),
    ),
    (
        "memory",
        {"memory": {"reservation": 16 * MEGA}},
        ("memory.soft_limit_in_bytes", str(16 * MEGA)),
        ("memory.low", str(16 * MEGA)),
    ),
    ("cpu", {"cpu": {"shares": 1024}}, ("cpu.shares", "1024"), ("cpu.weight", "100")),
    ("cpu", {"cpu": {"shares": 2}}, ("cpu.shares", "2"), ("cpu.weight", "1")),
    (
        "cpu",
        {"cpu": {"quota": 20000, "period": 50000}},
        ("cpu.cfs_quota_us", "20000"),
        ("cpu.max", "20000 50000"),
    ),
    ("cpu", {"cpu": {"quota": 30000}}, ("cpu.cfs_quota_us", "30000"), ("cpu.max", "30000 100000")),
    ("cpuset", {"cpu": {"cpus": "0", "mems": "0"}}, ("cpuset.cpus", "0"), ("cpuset.cpus", "0")),
    ("pids", {"pids": {"limit": 25}}, ("pids.max", "25"), ("pids.max", "25")),
    ("pids", {"pids": {"limit": -1}}, ("pids.max", "max"), ("pids.max", "max")),
]


@pytest.mark.parametrize(
    ("controller", "sections", "v1", "v2"), WISHES, ids=[str(wish[1]) for wish in WISHES]
)
def test_limit_is_written(
    box: Box, controller: str, sections: dict[str, Any], v1: tuple[str, str], v2: tuple[str, str]
) -> None:
    need(controller)
    if V2 and sections == {"cpu": {"shares": 1024}}:
        peer_differs(box, runc="1.1 has the old formula", crun="1.8 has the old formula")
    check(box.create(limited(box, **sections)), controller, v1, v2)


def test_all_controllers_hold_the_container(box: Box) -> None:
    container = box.create(limited(box))
    for path in cgroups.of(container.pid).values():
        assert str(path).endswith(f"{CGROUP_PARENT}/{container.id}")


def test_memory_limit_kills(box: Box) -> None:
    need("memory")
    bundle = limited(
        box,
        "/bin/probe",
        "out:/dev/null",
        f"touch:{64 * MEGA}",
        memory={"limit": 16 * MEGA, "swap": 16 * MEGA},
    )
    assert box.run(bundle).rc == 137


def test_pids_limit_stops_a_fork_bomb(box: Box) -> None:
    need("pids")
    bundle = limited(box, pids={"limit": 10})
    found = box.report(bundle, "fork:50")["actions"]["fork:50"]
    assert found["error"] == "EAGAIN"
    assert found["children"] <= 9


def test_zero_means_unset(box: Box) -> None:
    """Engines send zero for everything they do not use."""
    sections = {
        "memory": {"limit": 0, "swap": 0, "reservation": 0, "kernel": 0},
        "cpu": {"shares": 0, "quota": 0, "period": 0},
        "blockIO": {"weight": 0},
        "pids": {"limit": 0},
    }
    container = box.create(limited(box, **sections))
    if "cpu" in cgroups.controllers():
        check(container, "cpu", ("cpu.shares", "1024"), None)
    if "pids" in cgroups.controllers():
        check(container, "pids", ("pids.max", "max"), ("pids.max", "max"))


BAD = [
    {"memory": {"limit": 32 * MEGA, "swap": 16 * MEGA}},
    {"memory": {"swappiness": 500}},
    {"cpu": {"quota": 10, "period": 50000}},
    {"cpu": {"cpus": "900"}},
    {"cpu": {"cpus": "../../x"}},
    {"pids": {"limit": "many"}},
    {"hugepageLimits": [{"pageSize": "3MB", "limit": 1}]},
]


@pytest.mark.parametrize("sections", BAD, ids=str)
def test_impossible_limits_are_refused(box: Box, sections: dict[str, Any]) -> None:
    need("memory", "cpu", "cpuset", "pids")
    if "hugepageLimits" in sections:
        peer_differs(box, runc="ignored where there is no controller", crun="fails for another reason")
    box.try_create(limited(box, **sections)).failed()


def test_relative_path_is_stable(box: Box) -> None:
    bundle = limited(box)
    name = box.name()
    bundle.linux["cgroupsPath"] = f"{CGROUP_PARENT.strip('/')}/{name}"
    container = box.create(bundle, name=name)
    paths = {controller: str(path) for controller, path in cgroups.of(container.pid).items()}
    assert all(path.endswith(name) for path in paths.values())
    container.delete("--force").ok()
    again = box.create(bundle, name=name)
    assert {controller: str(path) for controller, path in cgroups.of(again.pid).items()} == paths


def test_path_cannot_climb(box: Box) -> None:
    bundle = limited(box)
    name = box.name()
    bundle.linux["cgroupsPath"] = f"{CGROUP_PARENT}/../../../..{CGROUP_PARENT}/{name}"
    result = box.try_create(bundle, name=name)
    for path in cgroups.find(name) if result.rc == 0 else []:
        assert path.startswith("/sys/fs/cgroup/")


def test_path_absent(box: Box) -> None:
    bundle = limited(box)
    del bundle.linux["cgroupsPath"]
    container = box.create(bundle)
    assert container.id in str(cgroups.of(container.pid).get("pids", cgroups.of(container.pid).get("", "")))


def test_nested_processes_are_removed_with_the_cgroup(box: Box) -> None:
    container = box.started(limited(box, "/bin/sh", "-c", "sleep 100 & sleep 100 & sleep 100 & wait"))
    container.delete("--force").ok()
    assert cgroups.find(container.id) == []


def test_an_existing_cgroup_is_not_removed_when_not_ours(box: Box) -> None:
    """delete removes what create made, nothing else: a sibling stays."""
    first, second = box.create(limited(box)), box.create(limited(box))
    first.delete("--force").ok()
    assert cgroups.find(second.id) != []


def test_missing_controller_is_an_error(box: Box) -> None:
    if "net_cls" in cgroups.controllers():
        pytest.skip("needs a host without net_cls")
    peer_differs(box, runc="ignores it", crun="fails for another reason")
    box.try_create(limited(box, network={"classID": 1048577})).failed()


@pytest.mark.skipif(not V2, reason="needs cgroup v2")
class TestVersion2:
    def test_unified(self, box: Box) -> None:
        container = box.create(limited(box, unified={"memory.high": str(64 * MEGA), "pids.max": "33"}))
        assert cgroups.read(container.pid, "", "memory.high") == str(64 * MEGA)
        assert cgroups.read(container.pid, "", "pids.max") == "33"

    @pytest.mark.parametrize("key", ["../x", "a/b", "nonsense.file", "memory.nonsense"])
    def test_bad_unified_keys(self, box: Box, key: str) -> None:
        box.try_create(limited(box, unified={key: "1"})).failed()

    def test_swappiness_cannot_be_converted(self, box: Box) -> None:
        peer_differs(box, runc="ignores it")
        box.try_create(limited(box, memory={"swappiness": 10})).failed()
