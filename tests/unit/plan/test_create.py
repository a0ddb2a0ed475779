"""create.py: the options and the frame of the story."""

from __future__ import annotations

from typing import Any

import pytest

from pyrunc.errors import HostError
from tests.unit.plan.build import calls, config, facts, make, namespaces, rootless_facts

V1 = {
    "cgroup_version": 1, "cgroup_mounts": {"pids": "/c/pids"}, "own_cgroups": {"pids": "/"}, "cgroup_writable": ["pids"],
}  # fmt: skip


def test_record_comes_before_everything_and_pid_file_after() -> None:
    plan = make(config(), pid_file="/run/p", pidfd_socket="/run/s")
    done = calls(plan.runtime)
    assert done[0] == ("write_record", "creating")
    assert done[-4:] == [
        ("wait", "created"),
        ("write_record", "created"),
        ("deliver_pidfd", "/run/s"),
        ("write_pid_file", "/run/p"),
    ]


def test_init_begins_by_hiding() -> None:
    assert calls(make(config()).init)[:2] == [("set_dumpable", 0), ("set_parent_death_signal", 9)]


def test_cgroups() -> None:
    names = [op.name for op in make(config(), facts(**V1)).runtime]
    assert names.index("make_cgroup") < names.index("start_init") < names.index("send_plan")
    user = [op.name for op in make(config(), facts(**V1 | {"euid": 1000})).runtime]
    assert user.index("start_init") < user.index("join_cgroup") < user.index("send_plan")
    assert "join_cgroup" not in [op.name for op in make(config()).runtime]
    assert "join_cgroup" not in [op.name for op in make(config(), facts(**V1 | {"cgroup_writable": []})).runtime]
    assert "make_cgroup" not in [op.name for op in make(config(), no_cgroup=True).runtime]


def test_on_v1_root_enters_each_hierarchy_once() -> None:
    mounts = {"cpu": "/c/cpu,cpuacct", "cpuacct": "/c/cpu,cpuacct", "pids": "/c/pids", "": "/c/unified"}
    host = facts(**V1 | {"cgroup_mounts": mounts, "own_cgroups": dict.fromkeys(mounts, "/"), "cgroup_writable": [*mounts]})
    plan = make(config(), host)
    assert calls(plan.init, "enter_cgroup") == [("enter_cgroup", "tasks/cpuacct"), ("enter_cgroup", "tasks/pids")]
    assert {"tasks/cpuacct", "tasks/pids"} <= set(plan.provided) and "cgroup" not in plan.provided


@pytest.mark.parametrize(
    "sections",
    [
        {"hooks": {"createRuntime": [{"path": "/bin/true"}]}},
        {"hooks": {"createContainer": [{"path": "/bin/true"}]}},
        {"process": {"scheduler": {"policy": "SCHED_BATCH"}}},
        {"linux": {"memoryPolicy": {"mode": "MPOL_LOCAL", "nodes": ""}}},
    ],
)
def test_enters_its_cgroups_last_unless_somebody_looks(sections: dict[str, Any]) -> None:
    """After all that is looked up, for which it is not charged then; before the wait for start."""
    own = {"namespaces": namespaces("pid")}
    names = [op.name for op in make(config(linux=own), facts(**V1)).init]
    assert names.index("find_executable") < names.index("enter_cgroup") < names.index("await_start")
    document = config(**sections | {"linux": own | sections.get("linux", {})})
    names = [op.name for op in make(document, facts(**V1)).init]
    assert names.index("enter_cgroup") < names.index("pivot_root") < names.index("find_executable")


def test_on_v2_the_clone_begins_in_the_cgroup() -> None:
    """But for a cgroup namespace that is joined: cgroups outside of it are out of reach from there (nsdelegate)."""
    assert "cgroup" in make(config(linux={"namespaces": namespaces("pid", "cgroup")})).provided
    joined = namespaces("pid", {"type": "cgroup", "path": "/proc/1/ns/cgroup"})
    assert "cgroup" not in make(config(linux={"namespaces": joined})).provided


def test_some_limits_wait_until_all_else_is_done() -> None:
    document = config(linux={"resources": {"pids": {"limit": 1}}})
    done = calls(make(document, facts(cgroup_controllers=["pids"])).runtime)
    limit = next(call for call in done if call[0] == "write_cgroup")
    assert done.index(("wait", "created")) < done.index(limit) < done.index(("write_record", "created"))


def test_warnings_of_cgroups() -> None:
    assert make(config(), rootless_facts()).warnings


def test_systemd() -> None:
    with pytest.raises(HostError):
        make(config(), systemd_cgroup=True)


def test_keyring() -> None:
    assert ("new_session_keyring", "_ses.example") in calls(make(config()).init)
    assert not calls(make(config(), no_new_keyring=True).init, "new_session_keyring")


def test_descriptors_that_stay() -> None:
    assert ("close_fds", 0) in calls(make(config()).init)
    plan = make(config({"env": ["LISTEN_FDS=7"]}), preserve_fds=2, listen_fds=1)
    assert ("close_fds", 3) in calls(plan.init)
    assert calls(plan.init, "exec")[0][2] == ["LISTEN_FDS=1", "LISTEN_PID=1"]


def test_notify_socket() -> None:
    plan = make(config({"env": ["NOTIFY_SOCKET=/wrong"]}), notify_socket="/run/systemd/notify")
    done = calls(plan.init)
    assert ("open_tree", "notify", "/run/pyrunc/example/notify", 0) in done
    assert ("move_mount", "notify", "/run/notify", 0, 0) in done
    assert calls(plan.init, "exec")[0][2] == ["NOTIFY_SOCKET=/run/notify/notify.sock"]


def test_container_without_a_process() -> None:
    document = config(linux={"namespaces": namespaces("pid"), "seccomp": {"defaultAction": "SCMP_ACT_ALLOW"}})
    del document["process"]
    plan = make(document)
    assert plan.init[-1].name == "await_start"
    assert not calls(plan.init, "load_seccomp", "set_user", "find_executable", "exec")


def test_every_operation_of_the_configuration_says_where_it_is_from() -> None:
    plan = make(config({"terminal": True}, linux={"namespaces": namespaces("pid", "ipc", "uts", "network")}))
    own = {
        "set_dumpable", "set_parent_death_signal", "set_umask", "reset_signals", "reset_affinity", "setsid",
        "new_session_keyring", "close_fds", "await_start", "signal", "wait", "write_record", "start_init", "send_plan",
    }  # fmt: skip
    assert {op.name for op in plan.init + plan.runtime if not op.pointer} <= own
