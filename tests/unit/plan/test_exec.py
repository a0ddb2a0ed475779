"""exec.py."""

from __future__ import annotations

from typing import Any

from pyrunc import linux
from pyrunc.plan.exec import ExecOptions, plan_exec
from pyrunc.plan.plan import Plan, simulate
from pyrunc.state.record import Record
from tests.unit.plan.build import calls, facts, namespaces

PROCESS: dict[str, Any] = {"cwd": "/", "args": ["true"], "user": {"uid": 0, "gid": 0}}


def make(process: dict[str, Any] | None = None, version: int = 2, euid: int = 0, **section: Any) -> Plan:
    record = Record("example", "/bundle")
    record.cgroup = {"version": version, "paths": {"": "/c"} if version == 2 else {"pids": "/c"}} if version else {}
    options = ExecOptions({"namespaces": namespaces("pid"), **section})  # type: ignore[typeddict-item]
    plan = plan_exec(PROCESS | (process or {}), record, facts(euid=euid), options)  # type: ignore[arg-type]
    simulate(plan)
    return plan


def test_an_selinux_label() -> None:
    record, options = Record("example", "/bundle"), ExecOptions({"namespaces": namespaces("pid")})
    process: Any = PROCESS | {"selinuxLabel": "u:r:t:s0"}
    plan = plan_exec(process, record, facts(selinux=True), options)
    names = [op.name for op in plan.init]
    assert calls(plan.init, "set_label")[-1] == ("set_label", "proc", "exec", "u:r:t:s0")
    assert names.index("setns") < names.index("open_proc") < names.index("set_label") < names.index("exec")
    without = plan_exec(process, record, facts(), options)
    assert not calls(without.init, "set_label")
    assert [text for text in without.warnings if text.startswith("/process/selinuxLabel: SELinux is not enabled")]


def test_the_keyring_is_what_create_was_told() -> None:
    record, options = Record("example", "/bundle"), ExecOptions({"namespaces": namespaces("pid")})
    plan = plan_exec(PROCESS, record, facts(), options)  # type: ignore[arg-type]
    assert calls(plan.init, "new_session_keyring") == [("new_session_keyring", "_ses.example")]
    record.no_new_keyring = True
    plan = plan_exec(PROCESS, record, facts(), options)  # type: ignore[arg-type]
    assert not calls(plan.init, "new_session_keyring")


def test_all_namespaces_at_once() -> None:
    plan = make(namespaces=namespaces("pid", {"type": "network", "path": "/gone"}))
    assert plan.provided == ["pidfd"]
    done = calls(plan.init)
    assert ("setns", "pidfd", linux.CLONE_NEWNS | linux.CLONE_NEWPID | linux.CLONE_NEWNET) in done
    assert done.index(("set_dumpable", 0)) < done.index(("open_root",)) < done.index(("clone_init", 0))
    assert "become_root" not in [call[0] for call in done]


def test_without_a_mount_namespace_the_root_is_changed() -> None:
    record, options = Record("example", "/bundle"), ExecOptions({"namespaces": [{"type": "pid"}]})
    record.root_mount = ["/bundle/rootfs", 77]
    plan = plan_exec(PROCESS, record, facts(), options)  # type: ignore[arg-type]
    assert plan.provided == ["pidfd", "root"]
    done = calls(plan.init)
    begin = done.index(("use_root", "root"))
    assert done.index(("setns", "pidfd", linux.CLONE_NEWPID)) < begin < done.index(("clone_init", 0))
    assert done[begin + 1] == ("change_root",) and ("open_root",) not in done


def test_without_a_pid_namespace_nothing_is_cloned() -> None:
    plan = make(namespaces=namespaces())
    assert not calls(plan.init, "clone_init") and ("wait", "init") not in calls(plan.runtime)


def test_user_namespace() -> None:
    names = [op.name for op in make(namespaces=namespaces("user", "pid")).init]
    assert names.index("setns") < names.index("become_root") < names.index("clone_init")
    assert names[names.index("become_root") + 1] == "set_dumpable"


def test_end() -> None:
    plan = make()
    assert plan.init[-1].name == "exec"
    assert plan.runtime[-1].name == "wait" and plan.runtime[-1].args == ("end",)
    assert not calls(plan.init, "await_start")
    assert ("set_parent_death_signal", 0) in calls(plan.init)


def test_v1_cgroups_are_entered_before_the_namespaces() -> None:
    plan = make(version=1)
    names = [op.name for op in plan.init]
    assert names.index("enter_cgroup") < names.index("setns")
    assert "tasks/pids" in plan.provided and "join_cgroup" not in [op.name for op in plan.runtime]


def test_v1_cgroups_of_a_user_are_joined_before_the_plan_is_known() -> None:
    names = [op.name for op in make(version=1, euid=1000).runtime]
    assert names.index("join_cgroup") < names.index("send_plan")
    assert "join_cgroup" not in [op.name for op in make().runtime]
    assert "join_cgroup" not in [op.name for op in make(version=0).runtime]


def test_affinity() -> None:
    plan = make({"execCPUAffinity": {"initial": "0", "final": "1"}})
    names = [call for call in calls(plan.init) if call[0] in ("set_affinity", "signal", "wait", "reset_affinity")]
    assert names == [
        ("set_affinity", b"\1" + bytes(7)), ("signal", "affinity"), ("wait", "cgroup"),
        ("set_affinity", b"\2" + bytes(7)),
    ]  # fmt: skip
    done = calls(plan.runtime)
    assert done.index(("wait", "affinity")) < done.index(("join_cgroup",)) < done.index(("signal", "cgroup"))
    assert calls(make().init, "reset_affinity")
    names = [op.name for op in make({"execCPUAffinity": {"initial": "0"}}, version=1).init]
    assert names.index("set_affinity") < names.index("enter_cgroup") < names.index("setns")
    assert not calls(make({"execCPUAffinity": {"final": "1"}}).runtime, "join_cgroup")


def test_attributes_of_the_container_hold_too() -> None:
    done = calls(
        make(
            {"rlimits": [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}], "oomScoreAdj": 5},
            personality={"domain": "LINUX32"},
            seccomp={"defaultAction": "SCMP_ACT_ALLOW"},
        ).init
    )
    assert ("set_personality", 8) in done and ("load_seccomp", b"", 4, 0) in done


def test_terminal_is_not_bound_to_the_console() -> None:
    plan = make({"terminal": True})
    assert calls(plan.init, "open_pty", "bind_console", "use_terminal") == [
        ("open_pty", "console", "replica"),
        ("use_terminal", "replica", 0),
    ]
    assert calls(plan.runtime, "deliver_console")
