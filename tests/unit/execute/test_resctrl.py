"""Resource control groups in a tree that behaves as the kernel's: a new directory has its files."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pyrunc.errors import HostError, OperationError, PyruncError
from pyrunc.execute.creation import Creation
from pyrunc.execute.resctrl import Groups, join_group, parse_schemata, remove_groups
from pyrunc.host.facts import Facts
from pyrunc.plan.network import plan_net_devices
from pyrunc.plan.resctrl import MUST_BE_NEW, MUST_BE_SAME, MUST_EXIST, TAKE, plan_resctrl
from pyrunc.state.record import Record

ALL = "L3:0=fffff;1=fffff\nMB:0=100;1=100\n"


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def fill(path: str) -> None:
        Path(path, "tasks").touch()
        Path(path, "schemata").write_text(ALL)
        real(f"{path}/mon_groups")

    def mkdir(path: str, mode: int = 0o777) -> None:
        real(path)
        fill(path)

    def rmdir(path: str) -> None:
        for name in ("tasks", "schemata"):
            os.unlink(f"{path}/{name}")
        real_rmdir(f"{path}/mon_groups")
        real_rmdir(path)

    real, real_rmdir = os.mkdir, os.rmdir
    real(f"{tmp_path}/info")
    fill(str(tmp_path))
    monkeypatch.setattr(os, "mkdir", mkdir)
    monkeypatch.setattr(os, "rmdir", rmdir)
    return tmp_path


def test_new_group_with_schemata(tree: Path) -> None:
    path = f"{tree}/g"
    assert Groups().make(path, MUST_BE_SAME, ["L3:0=f"], ["MB:0=50"])
    assert Path(path, "schemata").read_text().startswith("MB:0=50\n")  # the kernel takes line by line
    join_group(path, 77)
    assert Path(path, "tasks").read_text() == "77"
    remove_groups([path])
    assert not Path(path).exists()
    remove_groups([path])


def test_existing_group_must_have_the_same(tree: Path) -> None:
    path = f"{tree}/g"
    os.mkdir(path)
    groups = Groups()
    assert not groups.make(path, MUST_BE_SAME, ["L3:0=0fffff", "MB:1=100"], [])
    with pytest.raises(HostError, match="L3 differs"):
        groups.make(path, MUST_BE_SAME, ["L3:1=3"], ["L3:1=3"])
    assert Path(path, "schemata").read_text() == ALL


def test_schemata_are_written_to_an_existing_group(tree: Path) -> None:
    """ "If `schemata` field is set, runtimes MUST write the value": only the two older ones are compared."""
    path = f"{tree}/g"
    os.mkdir(path)
    groups, written = Groups(), []
    assert not groups.make(path, MUST_BE_SAME, ["L3:0=fffff"], ["MB:0=20;1=50"])
    assert Path(path, "schemata").read_text().startswith("MB:0=20;1=50\n")
    assert groups.make(f"{path}/mon_groups/id", MUST_BE_NEW, [], [])
    groups.undo()
    assert not Path(path, "mon_groups/id").exists()
    written = Path(path, "schemata").read_text().splitlines()
    assert written[0] == ALL.splitlines()[1]  # the last of the lines that were there


def test_monitoring_group_is_dedicated(tree: Path) -> None:
    os.mkdir(f"{tree}/mon_groups/id")
    with pytest.raises(OperationError, match="mon_groups/id: file exists"):
        Groups().make(f"{tree}/mon_groups/id", MUST_BE_NEW, [], [])


def test_group_that_must_exist(tree: Path) -> None:
    with pytest.raises(OperationError, match="no such file"):
        Groups().make(f"{tree}/g", MUST_EXIST, [], [])
    assert not Groups().make(str(tree), MUST_EXIST, [], [])


def test_own_group_is_taken_as_it_is(tree: Path) -> None:
    path = f"{tree}/g"
    os.mkdir(path)
    assert not Groups().make(path, TAKE, ["MB:0=20"], [])
    assert Path(path, "schemata").read_text().startswith("MB:0=20\n")


def test_refused_schemata_leave_nothing(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree / "info/last_cmd_status").write_text("mask 0x0 is invalid\n")

    def refuse(fd: int, data: bytes) -> int:
        raise OSError(22, "Invalid argument")

    groups = Groups()
    monkeypatch.setattr(os, "write", refuse)
    with pytest.raises(OperationError, match="invalid argument .mask 0x0 is invalid"):
        groups.make(f"{tree}/g", TAKE, ["L3:0=0"], [])
    groups.undo()
    assert not (tree / "g").exists()


def test_monitoring_group_that_cannot_be_made(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: str, mode: int = 0o777) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "mkdir", full)
    with pytest.raises(OperationError, match="mon_groups/x: no space left on device"):
        Groups().make(f"{tree}/mon_groups/x", MUST_BE_NEW, [], [])


@pytest.mark.parametrize(("rule", "kept"), [(MUST_BE_SAME, True), (TAKE, False), (MUST_BE_NEW, False)])
def test_class_named_by_closid_outlives_the_container(tree: Path, rule: int, kept: bool) -> None:
    """ "If `closID` is set […], the runtime MUST NOT remove the sub-directory when the container is deleted"."""
    record = Record("id", "/b")
    creation: Any = SimpleNamespace(
        _groups=None, record=record, entry=SimpleNamespace(write=lambda record: None)
    )
    Creation.make_resctrl_group(creation, f"{tree}/g", rule, ["L3:0=f"], [])
    remove_groups(record.resctrl)
    assert Path(f"{tree}/g").exists() == kept
    creation._groups.undo()  # of a create that fails later
    assert not Path(f"{tree}/g").exists()


def test_schemata() -> None:
    assert parse_schemata(["    L3:0=0FF;01=0", "MB:0=100"]) == {
        "L3": {"0": "ff", "1": "0"},
        "MB": {"0": "100"},
    }


# --- plans ------------------------------------------------------------------------------


def facts(**values: object) -> Facts:
    return Facts.from_json({"resctrl": "/r", **values})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("rdt", "path", "rule", "same", "written"),
    [
        ({}, "/r/id", TAKE, [], []),
        ({"schemata": ["MB:0=1"]}, "/r/id", TAKE, [], ["MB:0=1"]),
        ({"l3CacheSchema": "L3:0=1\nL2:0=1"}, "/r/id", TAKE, ["L3:0=1", "L2:0=1"], []),
        ({"closID": "c"}, "/r/c", MUST_EXIST, [], []),
        ({"closID": "/"}, "/r", MUST_EXIST, [], []),
        (
            {"closID": "c", "schemata": ["L2:0=1"], "memBwSchema": "MB:0=2", "l3CacheSchema": "L3:0=3"},
            "/r/c", MUST_BE_SAME, ["L3:0=3", "MB:0=2"], ["L2:0=1"],
        ),
    ],
)  # fmt: skip
def test_classes_of_service(
    rdt: dict[str, object], path: str, rule: int, same: list[str], written: list[str]
) -> None:
    make, join = plan_resctrl(rdt, facts(), "id")
    assert make.args == (path, rule, same, written)
    assert join.args == (path,)


def test_monitoring_has_a_group_of_its_own() -> None:
    plan = plan_resctrl({"closID": "c", "enableMonitoring": True}, facts(), "id")
    assert [op.args[0] for op in plan] == ["/r/c", "/r/c", "/r/c/mon_groups/id", "/r/c/mon_groups/id"]


def test_no_resctrl() -> None:
    with pytest.raises(HostError, match="not mounted"):
        plan_resctrl({}, facts(resctrl=""), "id")


@pytest.mark.parametrize("values", [{"euid": 1000}, {"user_namespace": True}])
def test_network_devices_need_root(values: dict[str, object]) -> None:
    with pytest.raises(PyruncError, match="only root") as caught:
        plan_net_devices({"eth1": {}}, facts(**values))
    assert caught.value.pointer == "/linux/netDevices"
