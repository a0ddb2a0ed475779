"""The words that engines parse are runc's; every failed operation has some."""

from __future__ import annotations

import errno
import os
import signal
from typing import Any

import pytest

from pyrunc.errors import HookError, HostError, OperationError
from pyrunc.execute.conversation import ERROR, WARNING, Message
from pyrunc.execute.wording import explain_end, explain_failure, explain_runtime, explain_warning
from pyrunc.plan import ops
from pyrunc.plan.ops import Op, Slot

CONFIG: Any = {"mounts": [{"destination": "/x", "source": "/nonexist"}, {"destination": "/proc", "type": "proc"}]}
START = "unable to start container process: "
INIT = START + "error during container init: "

CASES = {
    "program missing": (
        ops.find_executable("/nonexist", "/bin"), errno.ENOENT, "",
        START + 'exec: "/nonexist": stat /nonexist: no such file or directory',
    ),
    "name not in PATH": (
        ops.find_executable("nope", "/bin"), errno.ENOENT, "", START + 'exec: "nope": executable file not found in $PATH',
    ),
    "not executable": (
        ops.find_executable("/etc/passwd", ""), errno.EACCES, "", START + 'exec: "/etc/passwd": permission denied',
    ),
    "bind source": (
        ops.open_tree(Slot("source/0"), "/nonexist", 1).at("/mounts/0/source"), errno.ENOENT, "",
        INIT + 'error mounting "/nonexist" to rootfs at "/x": stat /nonexist: no such file or directory',
    ),
    "mount": (
        ops.new_mount(Slot("mount"), "proc", "proc", [], 0).at("/mounts/1"), errno.EPERM, "proc: Unknown parameter",
        INIT + 'error mounting "proc" to rootfs at "/proc": new mount: proc: Unknown parameter: operation not permitted',
    ),
    "root": (
        ops.open_tree(Slot("root"), "/nowhere", 1).at("/root/path"), errno.ENOENT, "",
        "invalid rootfs: stat /nowhere: no such file or directory",
    ),
    "cwd": (
        ops.change_directory("/nonexist"), errno.ENOENT, "",
        START + 'chdir to cwd ("/nonexist") set in config.json failed: no such file or directory',
    ),
    "cwd under a file": (
        ops.make_directory("/etc/passwd/x", 0o755).at("/process/cwd"), errno.ENOTDIR, "",
        INIT + "make directory /etc/passwd/x: not a directory",
    ),
    "capabilities": (ops.set_capabilities(1, 1, 0), errno.EPERM, "", INIT + "unable to apply caps: operation not permitted"),
    "SELinux label": (
        ops.set_label(Slot("proc"), "exec", "u:r:t:s0").at("/process/selinuxLabel"), errno.EINVAL, "",
        INIT + "unable to apply label u:r:t:s0: invalid argument",
    ),
    "AppArmor profile": (
        ops.set_label(Slot("proc"), "apparmor/exec", "exec some").at("/process/apparmorProfile"), errno.ENOENT, "",
        INIT + "unable to apply apparmor profile exec some: it is not loaded",
    ),
    "exec format": (ops.exec(["/x"], []), errno.ENOEXEC, "", START + 'exec: "/x": exec format error'),
    "exec format at start": (Op("exec", "/x"), errno.ENOEXEC, "", START + 'exec: "/x": exec format error'),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_words(name: str) -> None:
    op, number, detail, text = CASES[name]
    error = explain_failure(op, Message(ERROR, error=number, text=detail), CONFIG)
    assert error.text == text
    assert (error.errno, error.pointer, error.step) == (number, op.pointer, op.name)


def test_hook() -> None:
    op = ops.run_hook("/bin/hook", [], [], 0, "").at("/hooks/createContainer/1")
    error = explain_failure(op, Message(ERROR, error=errno.ECANCELED, text="exit status 1"), CONFIG)
    assert isinstance(error, HookError)
    assert error.text == INIT + "error running createContainer hook #1: exit status 1"


def test_before_the_plan() -> None:
    error = explain_failure(None, Message(ERROR, error=errno.EINVAL, text="plan: bad magic"), CONFIG)
    assert "plan: bad magic" in error.text


def test_rlimit() -> None:
    error = explain_runtime(ops.set_rlimit(7, 1, 1), PermissionError(errno.EPERM, ""))
    expected = "error setting rlimits for ready process: error setting rlimit type 7: operation not permitted"
    assert error.text == INIT + expected


def test_sysctl() -> None:
    op = ops.write_proc(Slot("proc"), "sys/net/no/such", "1", 0).at("/linux/sysctl/net.no.such")
    text = explain_failure(op, Message(ERROR, error=errno.ENOENT), CONFIG).text
    assert text == INIT + "write '1' to /proc/sys/net/no/such: no such file or directory"


@pytest.mark.parametrize("op", [ops.attach_root(Slot("root")), ops.attach_root_at(Slot("root"), "/r")])
def test_root_that_is_no_directory(op: Op) -> None:
    config: Any = {**CONFIG, "root": {"path": "/etc/passwd"}}
    text = explain_failure(op.at("/root/path"), Message(ERROR, error=errno.ENOTDIR), config).text
    assert text == "invalid rootfs: /etc/passwd: not a directory"


@pytest.mark.parametrize("op", [ops.write_cgroup("memory", "memory.max", "1"), ops.make_cgroup("", "/x"), ops.join_cgroup()])
def test_cgroup(op: Op) -> None:
    error = explain_runtime(op, OSError(errno.EBUSY, "", "/sys/fs/cgroup/x"))
    assert isinstance(error, HostError)
    assert "device or resource busy" in error.text


@pytest.mark.parametrize(
    ("status", "oom_killed", "lacked_memory"),
    [(signal.SIGKILL, True, True), (-1, True, True), (signal.SIGKILL, False, True)],
)
def test_oom(status: int, oom_killed: bool, lacked_memory: bool) -> None:
    error = explain_end(status, "wait", oom_killed, lacked_memory)
    assert isinstance(error, HostError)
    assert "memory limit" in error.text


@pytest.mark.parametrize(
    ("status", "lacked_memory", "words"),
    [
        (signal.SIGKILL, False, "killed by signal 9"),
        (signal.SIGTERM, True, "killed by signal 15"),
        (256, True, "ended with status 1"),
        (-1, True, "is gone"),
    ],
)
def test_end(status: int, lacked_memory: bool, words: str) -> None:
    error = explain_end(status, "wait", oom_killed=False, lacked_memory=lacked_memory)
    assert isinstance(error, OperationError)
    assert words in error.text


def test_every_operation_has_words() -> None:
    import inspect

    for name, function in inspect.getmembers(ops, inspect.isfunction):
        values: list[Any] = []
        for parameter in inspect.signature(function).parameters.values():
            kind = str(parameter.annotation)
            values.append({"int": 1, "str": "/a", "bytes": b"", "list[str]": ["a"], "Slot": Slot("s")}[kind])
        op = function(*values).at("/x")
        text = explain_failure(op, Message(ERROR, error=errno.EIO), CONFIG).text
        assert os.strerror(errno.EIO).lower() in text, name
        assert explain_runtime(op, OSError(errno.EIO, "")).text
        assert explain_warning(op, Message(WARNING, error=errno.EIO))


def test_warning_names_capabilities() -> None:
    """config.md#linux-process: "[…] or cannot be granted otherwise MUST be logged as a warning"."""
    for op, step in (
        (ops.drop_bounding(1), "drop bounding"),
        (ops.set_capabilities(1, 1, 1), "set capabilities"),
        (ops.set_ambient(1), "set ambient"),
    ):
        text = explain_warning(op, Message(WARNING, error=errno.EPERM, text="0x0000000000000021"))
        assert text == f"{step}: CAP_CHOWN CAP_KILL: operation not permitted"
