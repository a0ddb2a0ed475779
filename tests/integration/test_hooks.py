"""config.md#posix-platform-hooks: where each kind runs, what it gets, how failures end."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from tests.harness import DEADLINE, Box, Bundle, peer_differs

RUNTIME_HOOKS = ("prestart", "createRuntime", "poststart", "poststop")
CONTAINER_HOOKS = ("createContainer", "startContainer")


@pytest.fixture
def log(box: Box) -> Path:
    path = box.directory / "log"
    path.mkdir()
    return path


def with_log(box: Box, log: Path, *args: str) -> Bundle:
    return box.bundle(*(args or ("/bin/true",))).mount("/log", "bind", str(log), "bind")


def lifecycle(box: Box, bundle: Bundle) -> Any:
    container = box.create(bundle)
    container.start()
    container.wait()
    container.delete().ok()
    return container


def test_state_on_standard_input(box: Box, log: Path) -> None:
    bundle = with_log(box, log)
    bundle.config["annotations"] = {"a.key": "value"}
    for kind in (*RUNTIME_HOOKS, "createContainer"):
        bundle.hook(kind, f"cat >{log}/{kind}")
    bundle.hook("startContainer", "cat >/log/startContainer")
    container = lifecycle(box, bundle)
    peer_differs(box, runc="runs poststart in create, with status created")
    wanted = {
        "prestart": {"creating", "created"},
        "createRuntime": {"creating", "created"},
        "createContainer": {"creating", "created"},
        "startContainer": {"created"},
        "poststart": {"running"},
        "poststop": {"stopped"},
    }
    for kind, statuses in wanted.items():
        state = json.loads((log / kind).read_text())
        assert state["id"] == container.id
        assert state["bundle"] == str(bundle.directory)
        assert state["status"] in statuses, kind
        assert state["annotations"] == {"a.key": "value"}
        if kind == "poststop":
            assert state.get("pid", 0) == 0
        elif kind in CONTAINER_HOOKS:
            assert state["pid"] in (1, container.pid), kind
        else:
            assert state["pid"] == container.pid, kind


def test_runtime_hooks_run_in_the_runtime_namespaces(box: Box, log: Path) -> None:
    bundle = with_log(box, log)
    for kind in RUNTIME_HOOKS:
        bundle.hook(kind, f"for n in mnt pid net uts; do readlink /proc/self/ns/$n; done >{log}/{kind}")
    lifecycle(box, bundle)
    ours = [os.readlink(f"/proc/self/ns/{kind}") for kind in ("mnt", "pid", "net", "uts")]
    for kind in RUNTIME_HOOKS:
        assert (log / kind).read_text().split() == ours, kind


def test_container_hooks_run_in_the_container_namespaces(box: Box, log: Path) -> None:
    bundle = with_log(box, log)
    names = "for n in mnt net uts ipc; do readlink /proc/self/ns/$n; done"
    bundle.hook("createContainer", f"{names} >{log}/createContainer; hostname >>{log}/createContainer")
    bundle.hook("startContainer", f"{names} >/log/startContainer; hostname >>/log/startContainer")
    bundle.shell(f"{names} >/log/program; hostname >>/log/program")
    lifecycle(box, bundle)
    program = (log / "program").read_text().split()
    assert program[-1] == "box"
    assert (log / "startContainer").read_text().split() == program
    assert (log / "createContainer").read_text().split()[:-1] == program[:-1]


def test_create_container_sees_the_host_root(box: Box, log: Path) -> None:
    """It runs before pivot_root, its path is resolved in the runtime's namespace."""
    bundle = with_log(box, log)
    bundle.hook("createContainer", f"test -e {bundle.directory}/config.json && echo host >{log}/seen")
    lifecycle(box, bundle)
    assert (log / "seen").read_text() == "host\n"


def test_environment_is_built_before_the_runtime_hooks(box: Box, log: Path) -> None:
    """createRuntime comes after the namespaces and mounts are made, before pivot_root."""
    bundle = with_log(box, log)
    read = "pid=$(sed 's/.*\"pid\": *\\([0-9]*\\).*/\\1/'); "
    bundle.hook(
        "createRuntime",
        f"{read} readlink /proc/$pid/ns/net >{log}/net; cat /proc/$pid/mountinfo >{log}/mounts",
    )
    lifecycle(box, bundle)
    assert (log / "net").read_text().strip() != os.readlink("/proc/self/ns/net")
    assert "/dev/shm" in (log / "mounts").read_text()


def test_arguments_environment_and_directory(box: Box, log: Path) -> None:
    bundle = with_log(box, log)
    script = 'echo "$0 $1 $2"; env; pwd'
    entry = {
        "path": "/bin/sh",
        "args": ["zero", "-c", f"({script}) >{log}/seen", "name", "one", "two words"],
        "env": ["A=1", "B=b c"],
    }
    bundle.config["hooks"] = {"createRuntime": [entry]}
    lifecycle(box, bundle)
    lines = (log / "seen").read_text().splitlines()
    assert lines[0] == "name one two words"
    assert "A=1" in lines
    assert "B=b c" in lines
    assert not [line for line in lines if line.startswith("HOME=")]
    assert lines[-1] == str(bundle.directory)


@pytest.mark.parametrize("given", ["", "LC_CTYPE=C", "LC_CTYPE=C.UTF-8"])
def test_environment_of_the_caller(box: Box, log: Path, given: str) -> None:
    """A hook without `env` gets what the runtime was started with, and no locale that an interpreter sets."""
    bundle = with_log(box, log).hook("createRuntime", f"env >{log}/seen")
    name, _, value = given.partition("=")
    env = {"PATH": os.environ["PATH"], "A": "b"} | ({name: value} if name else {})
    box.create(bundle, env=env)
    lines = (log / "seen").read_text().splitlines()
    assert "A=b" in lines
    assert [line for line in lines if line.startswith("LC_")] == ([given] if given else [])


def test_argument_zero_is_given(box: Box, log: Path) -> None:
    """Engines dispatch on args[0] while path is a binary of another name."""
    bundle = with_log(box, log)
    bundle.config["hooks"] = {"prestart": [{"path": "/bin/busybox", "args": ["touch", f"{log}/by-argv0"]}]}
    if not Path("/bin/busybox").exists():
        pytest.skip("needs busybox on the host")
    lifecycle(box, bundle)
    assert (log / "by-argv0").exists()


def test_several_of_one_kind_run_in_order(box: Box, log: Path) -> None:
    bundle = with_log(box, log)
    for number in range(5):
        bundle.hook("createRuntime", f"echo {number} >>{log}/order")
    lifecycle(box, bundle)
    assert (log / "order").read_text().split() == list("01234")


def test_the_first_failure_ends_the_rest(box: Box, log: Path) -> None:
    bundle = with_log(box, log)
    bundle.hook("createRuntime", f"echo a >>{log}/order").hook("createRuntime", "echo reason >&2; exit 9")
    bundle.hook("createRuntime", f"echo c >>{log}/order").hook("createContainer", f"echo d >>{log}/order")
    result = box.try_create(bundle).failed("hook")
    assert (log / "order").read_text().split() == ["a"]
    assert "9" in result.message


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
def test_timeout_ends_a_hook(box: Box, log: Path, kind: str) -> None:
    bundle = with_log(box, log).hook(kind, "exec sleep 1000", timeout=1)
    before = time.monotonic()
    box.try_create(bundle).failed()
    assert 0.9 < time.monotonic() - before < DEADLINE


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
def test_a_missing_hook_fails_create(box: Box, kind: str) -> None:
    bundle = box.bundle()
    bundle.config["hooks"] = {kind: [{"path": "/no/such/hook"}]}
    box.try_create(bundle).failed("no such file")


def test_a_hook_that_does_not_read_its_input_is_fine(box: Box) -> None:
    bundle = box.bundle()
    bundle.config["annotations"] = {"long": "x" * 200000}
    bundle.hook("createRuntime", "exec <&-; exit 0").hook("createContainer", "exec <&-; exit 0")
    lifecycle(box, bundle)


def test_failing_poststart_is_an_error(box: Box, log: Path) -> None:
    bundle = (
        with_log(box, log, "/bin/sleep", "100")
        .hook("poststart", "exit 5")
        .hook("poststop", f"echo ran >{log}/poststop")
    )
    peer_differs(box, runc="runs poststart in create")
    container = box.create(bundle)
    container.call("start").failed("poststart")
    assert container.wait() == 137
    assert (log / "poststop").exists()


def test_failing_poststop_is_only_a_warning(box: Box, log: Path) -> None:
    bundle = with_log(box, log).hook("poststop", "exit 5").hook("poststop", f"echo ran >{log}/second")
    lifecycle(box, bundle)
    peer_differs(box, runc="stops at the first failing poststop")
    assert (log / "second").exists()
    warnings = [line["msg"] for line in box.log_lines() if line["level"] == "warning"]
    assert [text for text in warnings if "poststop hook #0" in text] or not box.runtime.is_ours


def test_start_container_hook_has_its_own_environment_or_that_of_the_process(box: Box, log: Path) -> None:
    bundle = with_log(box, log)
    bundle.process["env"].append("FROM=process")
    bundle.hook("startContainer", "env >/log/own", env=["PATH=/bin", "OWN=yes"])
    bundle.hook("startContainer", "env >/log/none")
    lifecycle(box, bundle)
    own, none = ((log / name).read_text().split() for name in ("own", "none"))
    assert "OWN=yes" in own
    assert "FROM=process" not in own
    assert "FROM=process" in none


def test_run_runs_every_hook(box: Box, log: Path) -> None:
    bundle = with_log(box, log)
    for kind in RUNTIME_HOOKS:
        bundle.hook(kind, f"echo {kind} >>{log}/order")
    box.run(bundle).ok()
    assert (log / "order").read_text().split() == list(RUNTIME_HOOKS)
