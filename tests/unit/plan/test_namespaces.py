"""namespaces.py and rootfs.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pyrunc import linux
from pyrunc.errors import HostError
from pyrunc.host.facts import Facts
from pyrunc.plan.namespaces import FLAGS, id_map_text, maps_id
from tests.unit.plan.build import ROOTLESS_MAP, at, calls, config, facts, make, namespaces, rootless_facts

FACTS = Path(__file__).resolve().parents[3] / "spec-fixtures/facts"
MAP = [{"containerID": 0, "hostID": 100000, "size": 1000}, {"containerID": 1000, "hostID": 5, "size": 1}]
USER = {"namespaces": namespaces("user"), "uidMappings": MAP, "gidMappings": MAP}


def init_names(linux: dict[str, Any], **host: Any) -> list[str]:
    return [op.name for op in make(config(linux=linux), facts(**host)).init]


def test_without_a_mount_namespace_the_root_covers_its_own_directory_only() -> None:
    plan = make({key: value for key, value in config().items() if key != "linux"})
    names = [op.name for op in plan.init]
    assert not {"set_propagation", "attach_root", "pivot_root", "move_root", "root_propagation"} & set(names)
    assert ("attach_root_at", "root", "/bundle/rootfs") in calls(plan.init)
    assert names.index("attach_root_at") < names.index("change_root")
    done = calls(plan.runtime)
    assert done.index(("wait", "attached")) < done.index(("record_root_mount", "/bundle/rootfs"))


def test_new_namespaces_come_with_the_clone() -> None:
    every = [kind for kind in FLAGS if kind not in ("mount", "user", "time")]
    plan = make(config(linux={"namespaces": namespaces(*every)}))
    flags = sum(FLAGS[kind] for kind in every if kind != "cgroup") | linux.CLONE_NEWNS
    # the cgroup namespace is rooted where the child began
    done = [("clone_init_into", flags, "cgroup"), ("unshare", linux.CLONE_NEWCGROUP)]
    assert calls(plan.init, "clone_init_into", "unshare") == done
    assert ("wait", "init") in calls(plan.runtime)


def test_on_v1_the_child_enters_before_it_has_its_cgroup_namespace() -> None:
    host = Facts.from_json(json.loads((FACTS / "v1-hybrid.json").read_text()))
    plan = make(config(linux={"namespaces": namespaces("pid", "cgroup")}), host)
    done = calls(plan.init, "clone_init", "unshare")
    assert done == [("clone_init", linux.CLONE_NEWNS | linux.CLONE_NEWPID), ("unshare", linux.CLONE_NEWCGROUP)]
    names = [op.name for op in plan.init]
    entries = [index for index, name in enumerate(names) if name == "enter_cgroup"]
    assert len(entries) == len({path for name, path in host.cgroup_mounts.items() if name})
    assert names.index("clone_init") < entries[0] and entries[-1] < names.index("unshare")
    assert "join_cgroup" not in [op.name for op in plan.runtime]


def test_on_v1_an_init_that_is_not_cloned_enters_before_its_namespaces() -> None:
    host = Facts.from_json(json.loads((FACTS / "v1-hybrid.json").read_text()))
    names = [op.name for op in make(config(linux={"namespaces": namespaces("cgroup")}), host).init]
    assert names.index("enter_cgroup") < names.index("unshare")


def test_without_a_pid_namespace_nothing_is_cloned() -> None:
    plan = make(config(linux={"namespaces": namespaces("ipc")}))
    assert calls(plan.init, "clone_init", "unshare") == [("unshare", linux.CLONE_NEWNS | linux.CLONE_NEWIPC)]
    assert ("wait", "init") not in calls(plan.runtime)


def test_who_cannot_copy_mounts_needs_a_mount_namespace() -> None:
    document = config(linux={"namespaces": [{"type": "user"}], "uidMappings": ROOTLESS_MAP, "gidMappings": ROOTLESS_MAP})
    with pytest.raises(HostError, match="without a mount namespace") as caught:
        make(document, rootless_facts())
    assert caught.value.pointer == "/linux/namespaces"


def test_joined_pid_namespace_needs_a_child() -> None:
    plan = make(config(linux={"namespaces": namespaces({"type": "pid", "path": "/run/ns/pid"})}))
    assert at(plan.init, "/linux/namespaces/1") == [
        ("open_namespace", "namespace/pid", "/run/ns/pid", linux.CLONE_NEWPID),
        ("setns", "namespace/pid", linux.CLONE_NEWPID),
    ]
    assert ("clone_init_into", linux.CLONE_NEWNS, "cgroup") in calls(plan.init)


def test_all_files_are_opened_before_any_is_joined() -> None:
    kinds = [{"type": kind, "path": f"/ns/{kind}"} for kind in FLAGS]
    ops = [op for op in make(config(linux={"namespaces": kinds})).init if op.name in ("open_namespace", "setns")]
    names = [op.name for op in ops]
    assert names == ["open_namespace"] * 8 + ["setns"] * 8
    assert [op.args[0] for op in ops[-2:]] == ["namespace/mount", "namespace/user"]
    host = rootless_facts()
    ops = [op for op in make(config(linux={"namespaces": kinds}), host).init if op.name == "setns"]
    assert [op.args[0] for op in (ops[0], ops[-1])] == ["namespace/user", "namespace/mount"]


def test_joined_user_namespace() -> None:
    names = init_names({"namespaces": namespaces({"type": "user", "path": "/ns"})})
    assert names.index("setns") < names.index("become_root") < names.index("unshare")


def test_new_user_namespace() -> None:
    plan = make(config(linux=USER))
    assert calls(plan.runtime, "write_id_map") == [
        ("write_id_map", "uid_map", "0 100000 1000\n1000 5 1\n"),
        ("write_id_map", "gid_map", "0 100000 1000\n1000 5 1\n"),
    ]
    done = calls(plan.init)
    start = done.index(("unshare", linux.CLONE_NEWUSER))
    assert done[start + 1 : start + 7] == [
        ("signal", "user namespace"), ("wait", "mapped"), ("become_root",), ("set_dumpable", 0),
        ("set_parent_death_signal", 9), ("unshare", linux.CLONE_NEWNS),
    ]  # fmt: skip


def test_the_maps_of_an_undumpable_process_are_closed_to_users() -> None:
    done = calls(make(config(linux=USER), rootless_facts()).init)
    start = done.index(("unshare", linux.CLONE_NEWUSER))
    assert done[start + 1] == ("set_dumpable", 1)
    assert done.index(("set_dumpable", 0), start) < done.index(("unshare", linux.CLONE_NEWNS))


def test_users_deny_setgroups_for_a_map_of_their_own_group() -> None:
    linux = USER | {"uidMappings": ROOTLESS_MAP, "gidMappings": ROOTLESS_MAP}
    plan = make(config(linux=linux), rootless_facts())
    assert [call[1] for call in calls(plan.runtime, "write_id_map")] == ["setgroups", "uid_map", "gid_map"]
    assert len(calls(make(config(linux=linux)).runtime, "write_id_map")) == 2


def test_without_a_root_inside_nobody_becomes_it() -> None:
    mapped = [{"containerID": 1000, "hostID": 1000, "size": 1}]
    names = init_names(USER | {"uidMappings": mapped, "gidMappings": mapped}, euid=1000)
    assert "become_root" not in names


def test_time_namespace() -> None:
    offsets = {"monotonic": {"secs": -5, "nanosecs": 7}, "boottime": {"secs": 3}}
    plan = make(config(linux={"namespaces": namespaces("time"), "timeOffsets": offsets}))
    done = calls(plan.init, "unshare", "write_timens_offsets", "clone_init_into")
    assert done == [
        ("unshare", linux.CLONE_NEWTIME),
        ("write_timens_offsets", "monotonic -5 7\nboottime 3 0\n"),
        ("clone_init_into", linux.CLONE_NEWNS, "cgroup"),
    ]


def test_time_namespace_without_offsets() -> None:
    assert "write_timens_offsets" not in init_names({"namespaces": namespaces("time")})


def test_names() -> None:
    done = calls(make(config(hostname="h", domainname="d", linux={"namespaces": namespaces("uts")})).init)
    assert ("set_hostname", "h") in done and ("set_domainname", "d") in done


def test_loopback_comes_up_in_a_new_network_namespace_only() -> None:
    assert "set_loopback_up" in init_names({"namespaces": namespaces("network")})
    assert "set_loopback_up" not in init_names({"namespaces": namespaces({"type": "network", "path": "/ns"})})
    assert "set_loopback_up" not in init_names({})


def test_id_maps() -> None:
    assert id_map_text([]) == ""
    assert maps_id(MAP, 999) and maps_id(MAP, 1000) and not maps_id(MAP, 1001)  # type: ignore[arg-type]


# --- the root --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "of_root", "of_host", "at_last"),
    [
        (None, linux.MS_SLAVE, linux.MS_SLAVE, None),
        ("rslave", linux.MS_SLAVE, linux.MS_SLAVE, linux.MS_SLAVE | linux.MS_REC),
        ("slave", linux.MS_SLAVE, linux.MS_SLAVE, linux.MS_SLAVE),
        ("rprivate", linux.MS_PRIVATE, linux.MS_PRIVATE, linux.MS_PRIVATE | linux.MS_REC),
        ("shared", linux.MS_SLAVE, linux.MS_SLAVE, linux.MS_SHARED),
        ("rshared", linux.MS_SLAVE, linux.MS_SLAVE, linux.MS_SHARED | linux.MS_REC),
        ("unbindable", linux.MS_PRIVATE, linux.MS_PRIVATE, linux.MS_UNBINDABLE),
        ("runbindable", linux.MS_PRIVATE, linux.MS_PRIVATE, linux.MS_UNBINDABLE | linux.MS_REC),
    ],
)
def test_propagation(name: str | None, of_root: int, of_host: int, at_last: int | None) -> None:
    plan = make(config(linux={"rootfsPropagation": name} if name else {}))
    done = calls(plan.init)
    assert ("mount_setattr", "root", 0, 0, of_root, 1) in done
    assert ("set_propagation", of_host | linux.MS_REC) in done
    assert calls(plan.init, "root_propagation") == ([] if at_last is None else [("root_propagation", at_last)])


def test_root() -> None:
    done = calls(make(config(root={"path": "/srv/root", "readonly": True})).init)
    assert ("open_tree", "root", "/srv/root", 1) in done
    assert done.index(("attach_root", "root")) < done.index(("pivot_root",)) < done.index(("readonly_root",))
    assert ("open_tree", "root", "/bundle/rootfs", 1) in calls(make(config()).init)


def test_no_pivot() -> None:
    names = [op.name for op in make(config(), no_pivot=True).init]
    assert "move_root" in names and "pivot_root" not in names
