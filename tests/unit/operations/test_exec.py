"""How the flags of exec change the container's process."""

from __future__ import annotations

from typing import Any

import pytest

from pyrunc.errors import UsageError
from pyrunc.execute.joining import choose_cgroups
from pyrunc.operations.exec import merge_process, parse_id

CONFIG: Any = {
    "process": {
        "terminal": True,
        "user": {"uid": 5, "gid": 6, "additionalGids": [7]},
        "args": ["a"],
        "env": ["A=1"],
        "cwd": "/",
        "capabilities": {"bounding": ["CAP_KILL"], "ambient": ["CAP_KILL"], "inheritable": ["CAP_KILL"]},
    }
}


def merge(**flags: Any) -> Any:
    values: dict[str, Any] = {
        "args": ["b"], "cwd": "", "env": [], "tty": False, "user": "", "additional_gids": [], "label": "",
        "apparmor": "", "no_new_privs": False, "cap": [],
    }  # fmt: skip
    return merge_process(CONFIG, **{**values, **flags})


def test_plain() -> None:
    process = merge()
    assert process["args"] == ["b"]
    assert process["terminal"] is False
    assert process["user"] == CONFIG["process"]["user"]


def test_flags() -> None:
    process = merge(cwd="/x", env=["A=2,3"], tty=True, user="1000:1001", additional_gids=["8"], label="l",
                    apparmor="p", no_new_privs=True)  # fmt: skip
    assert process["cwd"] == "/x"
    assert process["env"] == ["A=1", "A=2,3"]
    assert process["terminal"] is True
    assert process["user"] == {"uid": 1000, "gid": 1001, "additionalGids": [7, 8]}
    assert (process["selinuxLabel"], process["apparmorProfile"], process["noNewPrivileges"]) == ("l", "p", True)
    assert CONFIG["process"]["user"]["uid"] == 5


def test_user_without_group_keeps_it() -> None:
    assert merge(user="0")["user"] == {"uid": 0, "gid": 6, "additionalGids": [7]}


def test_capabilities_are_never_inheritable() -> None:
    sets = merge(cap=["CAP_NET_RAW", "sys_admin", "CAP_KILL"])["capabilities"]
    assert sets["bounding"] == ["CAP_KILL", "CAP_NET_RAW", "CAP_SYS_ADMIN"]
    assert sets["effective"] == sets["permitted"] == ["CAP_NET_RAW", "CAP_SYS_ADMIN", "CAP_KILL"]
    assert sets["inheritable"] == sets["ambient"] == ["CAP_KILL"]


@pytest.mark.parametrize("text", ["", "x", "-1", "+1", "1 ", " 1", "0x1", "1_0", "4294967295", "99999999999", "root", "١"])
def test_not_ids(text: str) -> None:
    with pytest.raises(UsageError):
        parse_id(text, "--user")


@pytest.mark.parametrize("user", [":", "1:", ":1", "1:2:3", "root:1"])
def test_not_users(user: str) -> None:
    with pytest.raises(UsageError):
        merge(user=user)


def test_wants_arguments_and_an_absolute_directory() -> None:
    with pytest.raises(UsageError):
        merge(args=[])
    with pytest.raises(UsageError):
        merge(cwd="x")


def test_cgroups_below(tmp_path: Any) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    saved = {"driver": "cgroupfs", "version": 1, "paths": {"cpu": f"{tmp_path}/a", "pids": f"{tmp_path}/a"}}
    assert choose_cgroups(saved, ["cpu:b"])["paths"] == {"cpu": f"{tmp_path}/a/b", "pids": f"{tmp_path}/a"}
    assert choose_cgroups(saved, ["/b/."])["paths"]["pids"] == f"{tmp_path}/a/b"
    for wrong in ("..", "b/../..", "memory:b", "cpu:c"):
        with pytest.raises(UsageError):
            choose_cgroups(saved, [wrong])
    with pytest.raises(UsageError):
        choose_cgroups({**saved, "version": 2, "paths": {"": f"{tmp_path}/a"}}, ["cpu:b"])


@pytest.mark.parametrize("entry", ["NAME", "=value", ""])
def test_variables_have_names_and_values(entry: str) -> None:
    """As in config.json, where the schema says so."""
    with pytest.raises(UsageError, match="want NAME=VALUE"):
        merge(env=["A=1", entry])
