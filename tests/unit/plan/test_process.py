"""process.py and capabilities.py, by what they add to the plan of a create."""

from __future__ import annotations

from typing import Any

import pytest

from pyrunc import linux
from pyrunc.plan.capabilities import capability_masks, capability_names
from pyrunc.plan.process import bit_mask
from tests.unit.plan.build import calls, config, facts, make, namespaces


def init_of(process: dict[str, Any], host: dict[str, Any] | None = None, **linux: Any) -> list[tuple[Any, ...]]:
    return calls(make(config(process, linux=linux), facts(**(host or {}))).init)


def names_of(process: dict[str, Any], **linux: Any) -> list[str]:
    return [call[0] for call in init_of(process, **linux)]


def environment(*entries: str) -> list[str]:
    return next(call[2] for call in init_of({"env": list(entries)}) if call[0] == "exec")


def test_environment() -> None:
    assert environment("A=1", "B=2", "A=3") == ["B=2", "A=3"]
    assert environment("HOME=", "A=") == ["A="]
    assert environment("A=b=c") == ["A=b=c"]


@pytest.mark.parametrize(("env", "found"), [([], True), (["HOME="], True), (["HOME=/root"], False)])
def test_home_is_looked_up_only_if_it_is_not_given(env: list[str], found: bool) -> None:
    assert ("find_home" in names_of({"env": env})) is found


@pytest.mark.parametrize(
    ("env", "path"), [([], "/bin:/usr/bin"), (["PATH=/a:/b"], "/a:/b"), (["PATH="], ""), (["PATH=/a", "PATH=/b"], "/b")]
)
def test_path(env: list[str], path: str) -> None:
    assert ("find_executable", "sh", path) in init_of({"env": env, "args": ["sh", "-c", "x"]})


def test_identity() -> None:
    done = init_of({"user": {"uid": 1, "gid": 2, "additionalGids": [3, 4], "umask": 0o77}})
    wanted = [("set_groups", "3 4"), ("set_user", 1, 2), ("set_umask", 0o77)]
    assert [call for call in done if call in wanted] == wanted
    assert ("own_stdio", 1) in done


def test_identity_that_is_not_given_is_roots() -> None:
    document = config()
    del document["process"]["user"]
    done = calls(make(document, facts(umask=0o27)).init)
    assert ("set_user", 0, 0) in done and ("set_groups", "") in done and ("set_umask", 0o27) in done
    assert "own_stdio" not in [call[0] for call in done]


def test_working_directory() -> None:
    done = init_of({"cwd": "/srv/x"})
    assert ("make_directory", "/srv/x", 0o755) in done
    names = [call[0] for call in done]
    assert names.index("make_directory") < names.index("pivot_root") < names.index("change_directory")
    assert names.index("change_directory") < names.index("set_user")
    assert "make_directory" not in names_of({"cwd": "/"})


def test_limits_are_set_by_the_runtime_when_files_were_opened() -> None:
    limits = [
        {"type": "RLIMIT_NOFILE", "soft": 1, "hard": 2},
        {"type": "RLIMIT_CORE", "soft": 0, "hard": 2**64 - 1},
    ]
    plan = make(config({"rlimits": limits, "env": [], "apparmorProfile": "x"}), facts(apparmor=True))
    assert calls(plan.runtime, "set_rlimit") == [("set_rlimit", 7, 1, 2), ("set_rlimit", 4, 0, 2**64 - 1)]
    names = [call[0] for call in calls(plan.init)]
    limited = calls(plan.init).index(("wait", "limits"))
    assert max(names.index(name) for name in ("open_proc", "set_label", "find_home")) < limited


def test_no_rendezvous_without_limits() -> None:
    assert not [call for call in init_of({}) if call[0] in ("signal", "wait")]


def test_order_of_the_end() -> None:
    names = names_of({"noNewPrivileges": True}, seccomp={"defaultAction": "SCMP_ACT_ALLOW"})
    order = [
        "close_fds", "change_directory", "set_no_new_privs", "drop_bounding", "set_groups", "set_user",
        "find_executable", "set_capabilities", "set_ambient", "load_seccomp", "await_start", "exec",
    ]  # fmt: skip
    assert [name for name in names if name in order] == order
    assert names[-2:] == ["await_start", "exec"]


def test_filter_without_no_new_privs_comes_while_there_are_capabilities() -> None:
    names = names_of({}, seccomp={"defaultAction": "SCMP_ACT_ALLOW"})
    assert names.index("set_user") < names.index("load_seccomp") < names.index("set_capabilities")
    assert names[names.index("load_seccomp") - 1] == "raise_capabilities"
    assert "raise_capabilities" not in names_of({})


# --- capabilities ----------------------------------------------------------------------


def test_masks() -> None:
    sets = {"bounding": ["CAP_CHOWN", "CAP_KILL"], "ambient": ["CAP_KILL"], "inheritable": ["CAP_KILL"]}
    done = init_of({"capabilities": sets})
    assert ("drop_bounding", 0x21) in done
    assert ("set_capabilities", 0, 0, 0x20) in done
    assert ("set_ambient", 0x20) in done


def test_no_capabilities() -> None:
    done = init_of({})
    assert ("drop_bounding", 0) in done and ("set_capabilities", 0, 0, 0) in done and ("set_ambient", 0) in done


def test_unknown_capabilities_are_told_once() -> None:
    sets = {"bounding": ["CAP_CHECKPOINT_RESTORE", "CAP_NEW"], "effective": ["CAP_NEW"]}
    plan = make(config({"capabilities": sets}), facts(last_capability=39), valid=False)
    assert [text for text in plan.warnings if "CAP_CHECKPOINT_RESTORE, CAP_NEW" in text] == plan.warnings
    assert ("drop_bounding", 0) in calls(plan.init)
    warnings: list[str] = []
    assert capability_masks({"bounding": ["CAP_CHECKPOINT_RESTORE"]}, -1, warnings)["bounding"] == 1 << 40
    assert not warnings


def test_names() -> None:
    assert capability_names(0x21) == ["CAP_CHOWN", "CAP_KILL"]
    assert len(capability_names((1 << 41) - 1)) == 41


# --- labels -----------------------------------------------------------------------------


def test_apparmor() -> None:
    done = init_of({"apparmorProfile": "container"}, {"apparmor": True})
    assert ("set_label", "proc", "apparmor/exec", "exec container") in done
    assert [call[0] for call in done].index("open_proc") < [call[0] for call in done].index("set_label")
    plan = make(config({"apparmorProfile": "container"}))
    assert [text for text in plan.warnings if text.startswith("/process/apparmorProfile")]
    assert not make(config({"apparmorProfile": "unconfined"})).warnings
    assert "set_label" not in [call[0] for call in init_of({"apparmorProfile": "unconfined"})]
    assert "set_label" in [call[0] for call in init_of({"apparmorProfile": "unconfined"}, {"apparmor": True})]


def test_selinux() -> None:
    done = init_of({"selinuxLabel": "a:b:c:s0"}, {"selinux": True})
    labels = [call for call in done if call[0] == "set_label"]
    assert labels == [("set_label", "proc", "keycreate", "a:b:c:s0"), ("set_label", "proc", "exec", "a:b:c:s0")]
    names = [call[0] for call in done]
    assert names.index("open_proc") < names.index("set_label") < names.index("new_session_keyring")
    plan = make(config({"selinuxLabel": "a:b:c:s0"}))
    assert [text for text in plan.warnings if text.startswith("/process/selinuxLabel")]
    assert not calls(plan.init, "set_label")


def test_one_procfs_for_labels_and_parameters() -> None:
    document = config(
        {"apparmorProfile": "x"},
        linux={"namespaces": namespaces("ipc"), "sysctl": {"kernel.sem": "1"}},
    )
    assert len(calls(make(document, facts(apparmor=True)).init, "open_proc")) == 1


# --- scheduling, domain, memory ------------------------------------------------------------


def test_scheduler() -> None:
    scheduler = {
        "policy": "SCHED_DEADLINE", "runtime": 1, "deadline": 2, "period": 3,
        "flags": ["SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_RECLAIM"],
    }  # fmt: skip
    assert ("set_scheduler", 6, 0, 0, 3, 1, 2, 3) in init_of({"scheduler": scheduler})
    assert ("set_scheduler", 3, -5, 0, 0, 0, 0, 0) in init_of({"scheduler": {"policy": "SCHED_BATCH", "nice": -5}})


def test_io_priority() -> None:
    assert ("set_io_priority", 2, 4) in init_of({"ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 4}})


def test_personality() -> None:
    assert ("set_personality", 8) in init_of({}, personality={"domain": "LINUX32"})
    assert ("set_personality", 0) in init_of({}, personality={"domain": "LINUX"})


def test_memory_policy() -> None:
    policy = {"mode": "MPOL_BIND", "nodes": "0-2,64", "flags": ["MPOL_F_STATIC_NODES"]}
    mask = (7 | 1 << 64).to_bytes(16, "little")
    assert ("set_memory_policy", linux.MPOL_BIND | linux.MPOL_F_STATIC_NODES, mask) in init_of({}, memoryPolicy=policy)
    assert ("set_memory_policy", linux.MPOL_LOCAL, b"") in init_of({}, memoryPolicy={"mode": "MPOL_LOCAL"})


@pytest.mark.parametrize(
    ("text", "mask"), [("", b""), ("0", b"\1" + bytes(7)), ("1,3-4", b"\x1a" + bytes(7)), ("63", bytes(7) + b"\x80")]
)
def test_bit_mask(text: str, mask: bytes) -> None:
    assert bit_mask(text) == mask


def test_oom_score_is_written_before_the_init_begins() -> None:
    names = [op.name for op in make(config({"oomScoreAdj": 0})).runtime]
    assert names.index("start_init") < names.index("write_oom_score_adj") < names.index("send_plan")
    assert "write_oom_score_adj" not in [op.name for op in make(config()).runtime]


# --- terminal -----------------------------------------------------------------------------


def test_terminal() -> None:
    process = {"terminal": True, "consoleSize": {"height": 24, "width": 80}, "user": {"uid": 5, "gid": 5}}
    plan = make(config(process))
    names = ("open_pty", "set_window_size", "bind_console", "send_fd", "use_terminal", "own_stdio")
    assert calls(plan.init, *names) == [
        ("open_pty", "console", "replica"),
        ("set_window_size", "console", 24, 80),
        ("bind_console", "replica", "/dev/console"),
        ("send_fd", "console"),
        ("use_terminal", "replica", 5),
    ]
    assert calls(plan.runtime, "receive_fd", "deliver_console") == [
        ("receive_fd", "console"),
        ("deliver_console", "console"),
    ]


def test_size_without_a_terminal_is_ignored() -> None:
    assert "set_window_size" not in names_of({"consoleSize": {"height": 24, "width": 80}})
