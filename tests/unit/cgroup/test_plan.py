"""linux.cgroupsPath and linux.resources → operations, on hosts of several kinds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pyrunc.cgroup.device_rules import assemble, normalise
from pyrunc.errors import HostError, SpecError
from pyrunc.host.facts import Facts
from pyrunc.plan.cgroups import plan_cgroups, split_late

FACTS = Path(__file__).parents[3] / "spec-fixtures/facts"
MOUNT = {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["nosuid"]}


def facts(profile: str, **changes: Any) -> Facts:
    return Facts.from_json(json.loads((FACTS / f"{profile}.json").read_text()) | changes)


def plan(
    profile: str | Facts, resources: dict[str, Any] | None = None, path: str = "/p/c", version: str = "1.3.0",
    **options: Any,
) -> list[str]:  # fmt: skip
    """The operations as text."""
    config = {"ociVersion": version, "linux": {"cgroupsPath": path, "resources": resources or {}}}
    host = profile if isinstance(profile, Facts) else facts(profile)
    return [" ".join([op.name, *map(str, op.args)]) for op in plan_cgroups(config, host, "id", **options)]


def test_v1_hybrid() -> None:
    ops = plan("v1-hybrid", {"memory": {"limit": 5}, "pids": {"limit": 7}})
    made = [op for op in ops if op.startswith("make_cgroup")]
    assert len(made) == 10
    assert made[0] == "make_cgroup name=systemd /sys/fs/cgroup/systemd/p/c"
    assert made[-1] == "make_cgroup  /sys/fs/cgroup/unified/p/c"
    assert ops[10:12] == [
        "write_cgroup devices devices.deny a",
        "write_cgroup devices devices.allow c 1:3 rwm",
    ]
    assert ops[-2:] == ["write_cgroup memory memory.limit_in_bytes 5", "write_cgroup pids pids.max 7"]


@pytest.mark.parametrize(("version", "written"), [("1.3.0", True), ("1.2.1", False), ("1.0.2-dev", False)])
def test_a_limit_of_no_tasks_is_one_from_version_1_3_on(version: str, written: bool) -> None:
    ops = plan("v2-root", {"pids": {"limit": 0}}, version=version)
    assert ("write_cgroup pids pids.max 0" in ops) is written
    assert "write_cgroup pids pids.max 1" in plan("v2-root", {"pids": {"limit": 1}}, version=version)


def test_v2_root() -> None:
    program = assemble(normalise([], ""))
    assert plan("v2-root", {"memory": {"limit": 5}}) == [
        "make_cgroup  /sys/fs/cgroup/p/c",
        f"attach_device_program {program!r}",
        "write_cgroup memory memory.max 5",
    ]


def test_v2_rootless_delegated() -> None:
    assert plan(
        "v2-rootless-delegated", {"memory": {"limit": 5}, "devices": [{"allow": False}]}, path=""
    ) == [
        "make_cgroup  /sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/id",
        "write_cgroup memory memory.max 5",
    ]


def test_every_operation_says_where_it_comes_from() -> None:
    config = {
        "linux": {
            "resources": {
                "pids": {"limit": 1},
                "devices": [{"allow": True, "type": "c", "major": 10, "minor": 1}],
            }
        }
    }
    for profile in ("v1-hybrid", "v2-root"):
        pointers = {op.pointer for op in plan_cgroups(config, facts(profile), "id")}
        assert {"/linux/cgroupsPath", "/linux/resources/devices", "/linux/resources/pids/limit"} <= pointers


def test_what_hinders_set_up_comes_late() -> None:
    config = {
        "linux": {"resources": {"pids": {"limit": 1}, "memory": {"limit": 5, "disableOOMKiller": True}}}
    }
    early, late = split_late(plan_cgroups(config, facts("v1-hybrid"), "id"))
    assert [op.args[1] for op in late] == ["memory.oom_control", "pids.max"]
    assert [op.args[1] for op in early if op.name == "write_cgroup"][-1] == "memory.limit_in_bytes"


def test_undelegated_goes_on_without_and_warns() -> None:
    warnings: list[str] = []
    config = {"linux": {"resources": {"devices": [{"allow": False}]}}}
    assert plan_cgroups(config, facts("v2-userns-undelegated"), "id", warnings) == []
    assert warnings == [
        "the cgroup /sys/fs/cgroup/user.slice/user-1000.slice/id cannot be made as uid 0: "
        "the container stays in the cgroup of its creator"
    ]


def test_undelegated_refuses_limits() -> None:
    with pytest.raises(
        HostError, match=r"cannot set memory\.max: the cgroup /sys/fs/cgroup/p/c cannot be made as uid 0"
    ) as caught:
        plan("v2-userns-undelegated", {"memory": {"limit": 5}})
    assert caught.value.pointer == "/linux/resources/memory/limit"


def test_no_cgroups_mounted() -> None:
    host = facts("v1-hybrid", cgroup_mounts={}, cgroup_writable=[])
    assert plan(host) == []
    with pytest.raises(HostError, match="no cgroup hierarchy is mounted|no cgroup controller `memory`"):
        plan(host, {"memory": {"limit": 5}})


@pytest.mark.parametrize(
    ("profile", "resources", "controller", "pointer"),
    [
        ("v1-hybrid", {"network": {"classID": 1}}, "net_cls", "network/classID"),
        ("v1-hybrid", {"hugepageLimits": [{"pageSize": "2MB", "limit": 1}]}, "hugetlb", "hugepageLimits/0"),
        ("v2-rootless-delegated", {"blockIO": {"weight": 10}}, "io", "blockIO/weight"),
        ("v2-root", {"unified": {"nonesuch.max": "1"}}, "nonesuch", "unified/nonesuch.max"),
    ],
)
def test_missing_controller(profile: str, resources: dict[str, Any], controller: str, pointer: str) -> None:
    with pytest.raises(HostError, match=f"this host has no cgroup controller `{controller}`") as caught:
        plan(profile, resources)
    assert caught.value.pointer == f"/linux/resources/{pointer}"


def test_missing_devices_controller() -> None:
    host = facts("v1-hybrid")
    del host.cgroup_mounts["devices"]
    assert not any("devices" in op for op in plan(host, {"devices": [{"allow": True}]}))
    with pytest.raises(HostError, match="no cgroup controller `devices`"):
        plan(host, {"devices": [{"allow": False}]})


def test_unknown_huge_page_size() -> None:
    with pytest.raises(HostError, match=r"no huge pages of 16MB \(it has: 1GB, 2MB\)"):
        plan("v2-root", {"hugepageLimits": [{"pageSize": "16MB", "limit": 1}]})


def test_bfq_of_the_host() -> None:
    assert plan("v1-hybrid", {"blockIO": {"weight": 10}})[-1] == "write_cgroup blkio blkio.bfq.weight 10"
    assert plan("v2-root", {"blockIO": {"weight": 10}})[-1] == "write_cgroup io io.weight 1"


def test_systemd() -> None:
    with pytest.raises(
        HostError, match="systemd not running on this host, cannot use systemd cgroups manager"
    ):
        plan("v1-hybrid", systemd=True)
    with pytest.raises(SpecError, match="slice:prefix:name"):
        plan("v2-root", systemd=True)


def test_disabled() -> None:
    assert plan("v2-root", disabled=True) == []
    with pytest.raises(HostError, match="cgroups are disabled"):
        plan("v2-root", {"pids": {"limit": 5}}, disabled=True)


def test_warnings() -> None:
    warnings: list[str] = []
    plan("v2-root", {"memory": {"kernel": 5}}, warnings=warnings)
    assert len(warnings) == 1 and "memory.kernel" in warnings[0]


OWNED: dict[str, Any] = {
    "process": {"user": {"uid": 7, "gid": 7}},
    "mounts": [{"destination": "/proc"}, MOUNT],
    "linux": {"namespaces": [{"type": "cgroup"}]},
}


@pytest.mark.parametrize(
    ("change", "owner"),
    [
        ({}, 7),
        ({"process": {"user": {"uid": 0, "gid": 0}}}, None),
        ({"process": None}, None),
        ({"mounts": [MOUNT | {"options": ["ro"]}]}, None),
        ({"mounts": [MOUNT | {"source": "cgroup2"}]}, None),
        ({"mounts": []}, None),
        ({"linux": {"namespaces": []}}, None),
        ({"linux": {"namespaces": [{"type": "cgroup", "path": "/x"}]}}, None),
        (
            {"linux": OWNED["linux"] | {"uidMappings": [{"containerID": 0, "hostID": 100000, "size": 10}]}},
            100007,
        ),
        (
            {"linux": OWNED["linux"] | {"uidMappings": [{"containerID": 0, "hostID": 100000, "size": 7}]}},
            None,
        ),
    ],
)
def test_owner(change: dict[str, Any], owner: int | None) -> None:
    found = [op for op in plan_cgroups(OWNED | change, facts("v2-root"), "id") if op.name == "own_cgroup"]
    assert [op.args for op in found] == ([] if owner is None else [(owner, -1)])
    assert not any(op.name == "own_cgroup" for op in plan_cgroups(OWNED | change, facts("v1-hybrid"), "id"))


def test_bad_path_is_refused() -> None:
    with pytest.raises(SpecError):
        plan("v2-root", path="/a/../../b")
