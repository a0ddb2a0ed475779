"""Where the cgroup is: absolute, relative, absent; nothing leads out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrunc.cgroup.path import cgroup_paths
from pyrunc.errors import SpecError
from pyrunc.host.facts import Facts

V1 = Facts.from_json(
    {
        "cgroup_version": 1,
        "cgroup_mounts": {"memory": "/m", "name=systemd": "/s", "": "/u"},
        "own_cgroups": {"memory": "/own/mem", "name=systemd": "/", "": "/own"},
    }
)
V2 = Facts.from_json(
    {"cgroup_version": 2, "cgroup_mounts": {"": "/c"}, "own_cgroups": {"": "/user/app/run.scope"}}
)


def config(path: str | None) -> dict[str, Any]:
    return {"linux": {} if path is None else {"cgroupsPath": path}}


def test_absolute_is_below_the_mount() -> None:
    assert cgroup_paths(config("/docker/x"), V1, "i") == {
        "memory": "/m/docker/x", "name=systemd": "/s/docker/x", "": "/u/docker/x",
    }  # fmt: skip
    assert cgroup_paths(config("//a/./b/"), V2, "i") == {"": "/c/a/b"}


def test_relative_is_below_our_own() -> None:
    assert cgroup_paths(config("a/b"), V1, "i") == {
        "memory": "/m/own/mem/a/b",
        "name=systemd": "/s/a/b",
        "": "/u/own/a/b",
    }


@pytest.mark.parametrize("path", [None, "", "."])
def test_absent_is_the_id(path: str | None) -> None:
    assert cgroup_paths(config(path), V1, "i")["memory"] == "/m/own/mem/i"
    assert cgroup_paths({}, V1, "i")["name=systemd"] == "/s/i"


def test_v2_relative_is_beside_our_own() -> None:
    assert cgroup_paths(config("a"), V2, "i") == {"": "/c/user/app/a"}
    assert cgroup_paths(config(None), V2, "i") == {"": "/c/user/app/i"}
    root = Facts.from_json(V2.to_json() | {"own_cgroups": {"": "/"}})
    assert cgroup_paths(config(None), root, "i") == {"": "/c/i"}


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/", "root of the cgroup hierarchy"), ("/./", "root of the cgroup hierarchy"), ("/a/../b", r"`\.\.`"),
        ("..", r"`\.\."), ("/a\0b", "NUL"), ("/a\nb", "newline"), ("system.slice:docker:x", "systemd"),
    ],
)  # fmt: skip
def test_refused(path: str, words: str) -> None:
    with pytest.raises(SpecError, match=words) as caught:
        cgroup_paths(config(path), V2, "i")
    assert caught.value.pointer == "/linux/cgroupsPath"


@given(st.text(alphabet="/.ab:\0\n~ ", max_size=12))
def test_never_leaves_the_mount(path: str) -> None:
    try:
        paths = cgroup_paths(config(path), V1, "i")
    except SpecError:
        return
    for controller, directory in paths.items():
        parts = directory.removeprefix(V1.cgroup_mounts[controller] + "/").split("/")
        assert directory.startswith(V1.cgroup_mounts[controller] + "/")
        assert parts and not {"", ".", ".."} & set(parts)
