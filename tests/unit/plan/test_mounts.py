"""mounts.py and cgroup_mounts.py."""

from __future__ import annotations

from typing import Any

import pytest

from pyrunc import linux
from pyrunc.errors import SpecError
from pyrunc.plan.plan import Plan
from tests.unit.plan.build import at, calls, config, facts, make, namespaces, rootless_facts

MAP = [{"containerID": 0, "hostID": 100000, "size": 65536}]
SAFE = linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV | linux.MOUNT_ATTR_NOEXEC


def plan_mount(
    mount: dict[str, Any], linux: dict[str, Any] | None = None, **host: Any
) -> list[tuple[Any, ...]]:
    plan = make(config(mounts=[{"destination": "/x", **mount}], linux=linux or {}), facts(**host))
    return at(plan.init, "/mounts/0")


def bind(*options: str, **more: Any) -> list[tuple[Any, ...]]:
    return plan_mount({"source": "/src", "options": list(options), **more})


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["bind"], [(0, 0, linux.MS_SLAVE, 0)]),
        (["rbind"], [(0, 0, linux.MS_SLAVE, 1)]),
        (["rbind", "rprivate"], [(0, 0, linux.MS_PRIVATE, 1)]),
        (["rbind", "private"], [(0, 0, linux.MS_SLAVE, 1), (0, 0, linux.MS_PRIVATE, 0)]),
        (["bind", "private"], [(0, 0, linux.MS_PRIVATE, 0)]),
        (["rbind", "rslave"], [(0, 0, linux.MS_SLAVE, 1)]),
        (["rbind", "rshared"], [(0, 0, linux.MS_SLAVE, 1), (0, 0, linux.MS_SHARED, 1)]),
        (["bind", "ro"], [(1, 0, linux.MS_SLAVE, 0)]),
        (["rbind", "ro"], [(0, 0, linux.MS_SLAVE, 1), (1, 0, 0, 0)]),
        (["rbind", "rro"], [(1, 0, linux.MS_SLAVE, 1)]),
        (["bind", "rro", "nosuid"], [(3, 0, linux.MS_SLAVE, 0)]),
        (["rbind", "rro", "dev", "noatime"], [(1, 0, linux.MS_SLAVE, 1), (0x11, 0x74, 0, 0)]),
    ],
)
def test_attributes_of_binds(options: list[str], expected: list[tuple[int, ...]]) -> None:
    done = bind(*options)
    assert done[:2] == [
        ("open_source", "source/0", "/src"),
        ("clone_mount", "source/0", int("rbind" in options)),
    ]
    assert [call[2:] for call in done if call[0] == "mount_setattr"] == expected
    assert done[-1] == ("move_mount", "source/0", "/x", 0, 0)


@pytest.mark.parametrize(
    ("propagation", "option", "expected"),
    [
        ("shared", "bind", []),
        ("rshared", "bind", []),
        ("private", "bind", [linux.MS_PRIVATE]),
        ("rprivate", "slave", [linux.MS_PRIVATE, linux.MS_SLAVE]),
        ("slave", "shared", [linux.MS_SLAVE, linux.MS_SHARED]),
        ("unbindable", "bind", [linux.MS_PRIVATE]),
    ],
)
def test_propagation_of_the_root_is_that_of_binds(propagation: str, option: str, expected: list[int]) -> None:
    done = plan_mount({"source": "/src", "options": ["bind", option]}, {"rootfsPropagation": propagation})
    assert [call[4] for call in done if call[0] == "mount_setattr"] == expected


def test_sources() -> None:
    assert bind("bind", source="data")[0][2] == "/bundle/data"
    assert plan_mount({"type": "bind", "source": "/src"})[1] == ("clone_mount", "source/0", 0)


def test_words_for_a_file_system_do_nothing_on_binds() -> None:
    plan = make(config(mounts=[{"destination": "/x", "source": "/src", "options": ["bind", "size=1m"]}]))
    assert [text for text in plan.warnings if text.startswith("/mounts/0/options/1")]
    assert "size=1m" not in str(calls(plan.init))


def test_root_copies_sources_first_and_others_in_their_own_namespaces() -> None:
    document = config(
        mounts=[{"destination": "/x", "source": "/src", "options": ["bind"]}],
        linux={"namespaces": namespaces("user", "pid"), "uidMappings": MAP, "gidMappings": MAP},
    )
    done = calls(make(document).init)
    names = [call[0] for call in done]
    assert (
        done.index(("open_tree", "source/0", "/src", 0)) < names.index("unshare") < names.index("move_mount")
    )
    for host in (rootless_facts(), facts(user_namespace=True, copies_mounts=False)):
        done = calls(make(document, host).init)
        names = [call[0] for call in done]
        opened = done.index(("open_source", "source/0", "/src"))
        assert names.index("clone_init") < names.index("open_tree") < opened < names.index("attach_root")


def test_peers_of_host_mounts_are_copied_from_the_host_itself() -> None:
    mounts = [{"destination": "/x", "source": "/src", "options": ["rbind", "rshared"]}]
    done = calls(make(config(mounts=mounts, linux={"rootfsPropagation": "rshared"})).init)
    assert done.index(("open_tree", "source/0", "/src", 1)) < done.index(("unshare", linux.CLONE_NEWNS))


def test_a_user_namespace_has_no_peers_on_the_host() -> None:
    mounts = [{"destination": "/x", "source": "/src", "options": ["rbind", "rshared"]}]
    section = {"namespaces": namespaces("user"), "uidMappings": MAP, "gidMappings": MAP}
    done = calls(make(config(mounts=mounts, linux={"rootfsPropagation": "rshared"} | section)).init)
    start = done.index(("open_tree", "source/0", "/src", 1))
    assert done[start + 1] == ("mount_setattr", "source/0", 0, 0, linux.MS_SLAVE, 1)


def test_new_file_systems() -> None:
    assert plan_mount(
        {"type": "tmpfs", "source": "shm", "options": ["nosuid", "mode=1777", "sync", "noatime"]}
    ) == [
        ("new_mount", "mount", "tmpfs", "shm", ["mode=1777", "sync"], linux.MOUNT_ATTR_NOSUID | 0x10),
        ("move_mount", "mount", "/x", 0, 0),
    ]
    assert plan_mount({"type": "ext4", "source": "/dev/sdb", "options": ["ro", "async"]})[0] == (
        "new_mount", "mount", "ext4", "/dev/sdb", ["ro"], linux.MOUNT_ATTR_RDONLY,
    )  # fmt: skip
    assert plan_mount({"type": "tmpfs", "options": ["private", "rshared", "unbindable"]})[1:3] == [
        ("mount_setattr", "mount", 0, 0, linux.MS_SHARED, 1),
        ("mount_setattr", "mount", 0, 0, linux.MS_UNBINDABLE, 0),
    ]


def test_recursive_attributes_count_for_new_file_systems() -> None:
    assert plan_mount({"type": "sysfs", "options": ["rro", "nosuid"]})[0][5] == 3


def test_tmpfs_without_a_mode_takes_that_of_what_it_covers() -> None:
    assert [call[0] for call in plan_mount({"type": "tmpfs"})] == ["new_mount", "copy_mode", "move_mount"]
    given = plan_mount({"type": "tmpfs", "options": ["mode=700"]})
    assert [call[0] for call in given] == ["new_mount", "move_mount"]


def test_tmpfs_becomes_read_only_after_what_is_made_in_it() -> None:
    plan = make(config(mounts=[{"destination": "/x", "type": "tmpfs", "options": ["ro", "tmpcopyup"]}]))
    done = at(plan.init, "/mounts/0")
    assert [call[0] for call in done] == ["new_mount", "copy_up", "move_mount", "remount"]
    assert done[0][5] == 0 and done[3] == ("remount", "/x", linux.MOUNT_ATTR_RDONLY, 0, [])
    names = [op.name for op in plan.init]
    assert names.index("pivot_root") < names.index("remount")


def test_dev_of_any_type_becomes_read_only_late() -> None:
    done = plan_mount({"destination": "/dev", "type": "devtmpfs", "options": ["ro"]})
    assert [call[0] for call in done] == ["new_mount", "move_mount", "remount"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["private", "slave"], []),
        (["shared", "private"], [linux.MS_SHARED, linux.MS_PRIVATE]),
        (["slave", "unbindable", "shared"], [linux.MS_UNBINDABLE, linux.MS_SHARED]),
    ],
)
def test_the_last_propagation_holds_for_new_mounts(options: list[str], expected: list[int]) -> None:
    done = plan_mount({"type": "tmpfs", "options": options})
    assert [call[4] for call in done if call[0] == "mount_setattr"] == expected


@pytest.mark.parametrize(
    "mount",
    [
        {"type": "sysfs"},
        {"type": "cgroup"},
        {"type": "tmpfs", "source": "/s", "options": ["bind"]},
    ],
)
def test_tmpcopyup_is_for_tmpfs(mount: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="tmpcopyup is for tmpfs"):
        plan_mount({**mount, "options": [*mount.get("options", ()), "tmpcopyup"]})


@pytest.mark.parametrize("options", [["remount"], ["remount", "idmap"]])
def test_remount_maps_no_ids(options: list[str]) -> None:
    """config.md#linux-mount-options: the mount MUST have an idmapping applied, which needs a new one."""
    mappings = [{"containerID": 0, "hostID": 1000, "size": 1}]
    with pytest.raises(SpecError, match="maps no ids"):
        plan_mount({"options": options, "uidMappings": mappings, "gidMappings": mappings})


def test_remount() -> None:
    assert plan_mount({"options": ["remount", "ro", "size=2m", "sync"], "type": "tmpfs"}) == [
        ("remount", "/x", 1, 0, ["sync", "size=2m"])
    ]
    assert plan_mount({"options": ["remount", "bind", "rw", "async"]}) == [("remount", "/x", 0, 1, [])]
    with pytest.raises(SpecError):
        plan_mount({"options": ["remount", "bind", "size=2m"]})


@pytest.mark.parametrize(
    ("path", "target"), [("x", "/x"), ("/a//b/./c/", "/a/b/c"), ("//a", "/a"), ("/a/../../b", "/b")]
)
def test_targets_are_cleaned(path: str, target: str) -> None:
    assert plan_mount({"destination": path, "type": "tmpfs"})[-1][2] == target


@pytest.mark.parametrize("path", ["/", "", "/.", "/a/.."])
def test_the_root_is_not_covered(path: str) -> None:
    with pytest.raises(SpecError):
        make(config(mounts=[{"destination": path, "type": "tmpfs"}]), valid=False)


# --- /proc and /sys -------------------------------------------------------------------


def test_procfs_and_sysfs_go_on_plain_directories() -> None:
    assert plan_mount({"destination": "/proc", "type": "proc"})[-1] == ("move_mount", "mount", "/proc", 1, 1)
    assert plan_mount({"destination": "/elsewhere", "type": "sysfs"})[-1][3] == 1
    assert plan_mount({"destination": "/sys", "source": "/sys", "options": ["rbind"]})[-1][3] == 1


def test_some_files_of_procfs_can_be_covered() -> None:
    done = plan_mount({"destination": "/proc/cpuinfo", "source": "/x", "options": ["bind"]})
    assert done[-1] == ("move_mount", "source/0", "/proc/cpuinfo", 0, 1)


@pytest.mark.parametrize("path", ["/proc/self", "/proc/../proc/sys", "/proc/cpuinfo/x", "/x/../proc/1"])
def test_others_cannot(path: str) -> None:
    with pytest.raises(SpecError, match="inside /proc"):
        plan_mount({"destination": path, "source": "/x", "options": ["bind"]})


def test_proc_is_not_faked() -> None:
    with pytest.raises(SpecError, match="not of type proc"):
        plan_mount({"destination": "/proc", "type": "tmpfs"})
    done = plan_mount(
        {"destination": "/proc", "source": "/x", "options": ["rbind"]}
    )  # the host's, in nested containers
    assert ("require_proc", "source/0") in done
    plan_mount({"destination": "/process", "type": "tmpfs"})


# --- id mappings ------------------------------------------------------------------------


def idmapped(option: str, linux: dict[str, Any] | None = None, **mount: Any) -> Plan:
    mounts = [{"destination": "/x", "source": "/src", "options": ["rbind", option], **mount}]
    return make(config(mounts=mounts, linux=linux or {}))


def test_mappings_of_the_mount() -> None:
    plan = idmapped("ridmap", uidMappings=MAP, gidMappings=MAP)
    assert plan.user_namespaces == {"userns/0": ("0 100000 65536\n", "0 100000 65536\n")}
    assert "userns/0" in plan.provided
    assert calls(plan.init, "idmap_mount") == [("idmap_mount", "source/0", "userns/0", 1)]


def test_mappings_without_the_option() -> None:
    plan = idmapped("ro", uidMappings=MAP, gidMappings=MAP)
    assert calls(plan.init, "idmap_mount") == [("idmap_mount", "source/0", "userns/0", 0)]


def test_mappings_of_the_container() -> None:
    linux = {"namespaces": namespaces("user"), "uidMappings": MAP, "gidMappings": MAP}
    assert idmapped("idmap", linux).user_namespaces == {"userns/0": ("0 100000 65536\n", "0 100000 65536\n")}


def test_user_namespace_that_is_joined() -> None:
    plan = idmapped("idmap", {"namespaces": namespaces({"type": "user", "path": "/run/ns"})})
    assert plan.user_namespaces == {}
    assert ("open_namespace", "userns/joined", "/run/ns", linux.CLONE_NEWUSER) in calls(plan.init)


def test_equal_mappings_share_a_namespace() -> None:
    mount = {"source": "/src", "options": ["bind"], "uidMappings": MAP, "gidMappings": MAP}
    plan = make(config(mounts=[{"destination": "/x", **mount}, {"destination": "/y", **mount}]))
    assert list(plan.user_namespaces) == ["userns/0"]


# --- devpts and labels --------------------------------------------------------------------


def test_group_of_terminals_is_left_out_where_it_is_not_mapped() -> None:
    mount = {"destination": "/dev/pts", "type": "devpts", "options": ["gid=5", "mode=620"]}
    small = [{"containerID": 0, "hostID": 1000, "size": 1}]
    linux = {"namespaces": namespaces("user"), "uidMappings": small, "gidMappings": small}
    assert plan_mount(mount, linux)[0][4] == ["mode=620"]
    assert plan_mount(mount, linux | {"gidMappings": MAP})[0][4] == ["gid=5", "mode=620"]
    assert plan_mount(mount)[0][4] == ["gid=5", "mode=620"]


def test_mount_label() -> None:
    label = {"mountLabel": "system_u:object_r:x_t:s0:c1,c2"}
    assert plan_mount({"type": "tmpfs"}, label, selinux=True)[0][4] == [
        "context=system_u:object_r:x_t:s0:c1,c2"
    ]
    for kind in ("sysfs", "mqueue"):
        assert plan_mount({"type": kind}, label, selinux=True)[0][4] == []
    bind = plan_mount({"type": "none", "source": "/etc", "options": ["bind"]}, label, selinux=True)
    assert not [call for call in bind if "context" in str(call)]
    plan = make(config(mounts=[{"destination": "/x", "type": "tmpfs"}] * 2, linux=label))
    assert len([text for text in plan.warnings if text.startswith("/linux/mountLabel")]) == 1
    assert calls(plan.init, "new_mount")[0][4] == []


# --- cgroups ------------------------------------------------------------------------------

CGROUP = {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]}
V1: dict[str, Any] = {
    "cgroup_version": 1,
    "cgroup_mounts": {
        "cpuacct": "/sys/fs/cgroup/cpu,cpuacct", "name=systemd": "/sys/fs/cgroup/systemd", "": "/sys/fs/cgroup/unified",
        "cpu": "/sys/fs/cgroup/cpu,cpuacct",
    },
    "own_cgroups": {"cpuacct": "/", "name=systemd": "/user", "": "/", "cpu": "/"},
    "cgroup_writable": ["cpu", "cpuacct"],
}  # fmt: skip


def test_v2_without_a_namespace_shows_the_own_cgroup() -> None:
    done = plan_mount(CGROUP)
    assert done == [
        ("open_source", "source/0", "/sys/fs/cgroup/example"),
        ("clone_mount", "source/0", 0),
        ("mount_setattr", "source/0", 1 | SAFE, 0, linux.MS_PRIVATE, 0),
        ("move_mount", "source/0", "/sys/fs/cgroup", 0, 0),
    ]


def test_v2_without_a_cgroup_shows_the_runtimes() -> None:
    assert plan_mount(CGROUP, cgroup_writable=[])[0][2] == "/sys/fs/cgroup/init.scope"


def test_v2_with_a_namespace() -> None:
    assert plan_mount(CGROUP, {"namespaces": namespaces("cgroup")}) == [
        ("new_mount", "mount", "cgroup2", "cgroup", [], 1 | SAFE),
        ("move_mount", "mount", "/sys/fs/cgroup", 0, 0),
    ]


def test_v1_without_a_namespace() -> None:
    done = plan_mount(CGROUP, **V1)
    assert [call[1:] for call in done if call[0] == "open_source"] == [
        ("source/0/cpu,cpuacct", "/sys/fs/cgroup/cpu,cpuacct/example"),
        ("source/0/systemd", "/sys/fs/cgroup/systemd/user"),
    ]
    assert ("make_symlink", "/sys/fs/cgroup/cpu", "cpu,cpuacct", "") in done
    assert ("make_symlink", "/sys/fs/cgroup/cpuacct", "cpu,cpuacct", "") in done
    assert [call[1] for call in done if call[0] == "make_symlink"][2:] == []
    assert done[-1] == ("remount", "/sys/fs/cgroup", 1, 0, [])


def test_v1_with_a_namespace() -> None:
    done = plan_mount(CGROUP | {"options": []}, {"namespaces": namespaces("cgroup")}, **V1)
    assert [call[2:5] for call in done if call[0] == "new_mount"] == [
        ("tmpfs", "tmpfs", ["mode=755"]),
        ("cgroup", "cgroup", ["cpu", "cpuacct"]),
        ("cgroup", "cgroup", ["name=systemd"]),
    ]
    assert done[-1][0] != "remount"


def test_v2_type_on_a_v1_host_is_a_file_system_like_others() -> None:
    done = plan_mount(CGROUP | {"type": "cgroup2"}, **V1)
    assert done[0] == ("new_mount", "mount", "cgroup2", "cgroup", [], 1)


def test_no_cgroups_at_all() -> None:
    assert plan_mount(CGROUP, cgroup_mounts={}, own_cgroups={}, cgroup_writable=[]) == []


@pytest.mark.parametrize("change", [{"options": ["ro", "idmap"]}, {"uidMappings": MAP, "gidMappings": MAP}])
@pytest.mark.parametrize("version", [1, 2])
def test_ids_of_a_cgroup_mount_cannot_be_mapped(change: dict[str, Any], version: int) -> None:
    section = {"namespaces": namespaces("user"), "uidMappings": MAP, "gidMappings": MAP}
    with pytest.raises(SpecError) as caught:
        plan_mount({**CGROUP, **change}, section, cgroup_version=version)
    assert caught.value.pointer == "/mounts/0"
