"""Hooks of the runtime's namespaces: input, environment, output, time."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from pyrunc.errors import HookError
from pyrunc.execute.hooks import run_hook, run_poststop
from tests.processes import alive, wait_until

STATE: dict[str, object] = {"id": "x", "pid": 7, "annotations": {"big": "y" * 200_000}}


def hook(script: str, **more: Any) -> dict[str, Any]:
    return {"path": "/bin/sh", "args": ["sh", "-c", script], **more}


def run(value: dict[str, Any], directory: Path) -> None:
    run_hook("prestart", 0, value, STATE, str(directory))


def test_state_and_directory(tmp_path: Path) -> None:
    run(hook("cat >state; pwd >where"), tmp_path)
    assert json.loads((tmp_path / "state").read_text()) == STATE
    assert (tmp_path / "where").read_text().strip() == str(tmp_path)


def test_input_that_is_not_read(tmp_path: Path) -> None:
    run(hook("exit 0"), tmp_path)


def test_argument_zero(tmp_path: Path) -> None:
    """docker's hook is a link to its daemon, which looks at its name."""
    run({"path": "/proc/self/exe", "args": ["a-name", "-c", "pass"]}, tmp_path)
    run({"path": "/bin/sh", "args": ["a-name", "-c", 'echo "$0" >name']}, tmp_path)
    assert (tmp_path / "name").read_text() == "a-name\n"


def test_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "1")
    run(hook('echo "$OURS$A" >own'), tmp_path)
    run(hook('echo "$OURS$A" >given', env=["A=2"]), tmp_path)
    run(hook('echo "$OURS$A" >empty', env=[]), tmp_path)
    read = {name: (tmp_path / name).read_text().strip() for name in ("own", "given", "empty")}
    assert read == {"own": "1", "given": "2", "empty": ""}


def test_failure(tmp_path: Path) -> None:
    with pytest.raises(HookError) as caught:
        run(hook("echo out; echo err >&2; exit 3"), tmp_path)
    assert caught.value.text == "error running prestart hook #0: exit status 3, stdout: out, stderr: err"
    assert caught.value.pointer == "/hooks/prestart/0"


def test_signal(tmp_path: Path) -> None:
    with pytest.raises(HookError, match="signal: 9"):
        run(hook("kill -9 $$"), tmp_path)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(HookError, match="/proc/nonexist: no such file or directory"):
        run({"path": "/proc/nonexist"}, tmp_path)


def test_timeout_kills_and_reaps(tmp_path: Path) -> None:
    with pytest.raises(HookError, match="timed out after 1 s"):
        run(hook("echo $$ >pid; exec sleep 1000", timeout=1), tmp_path)
    assert not os.path.exists(f"/proc/{(tmp_path / 'pid').read_text().strip()}")


def test_timeout_kills_children_too(tmp_path: Path) -> None:
    with pytest.raises(HookError, match="timed out after 1 s"):
        run(hook("sleep 1000 & echo $! >pid; wait", timeout=1), tmp_path)
    child = int((tmp_path / "pid").read_text())
    wait_until(lambda: not alive(child), what="the end of the hook's child")


@pytest.mark.parametrize("script", ["sleep 100 & echo $! >pid", "sleep 100 & echo $! >pid; exit 1"])
def test_a_child_of_a_hook_in_time_stays(tmp_path: Path, script: str) -> None:
    try:
        run(hook(script, timeout=60), tmp_path)
    except HookError:
        assert script.endswith("1")
    child = int((tmp_path / "pid").read_text())
    assert alive(child)
    os.kill(child, 9)


def test_without_a_timeout_it_stays_in_our_process_group(tmp_path: Path) -> None:
    run(hook("cut -d' ' -f5 /proc/self/stat >group"), tmp_path)
    assert int((tmp_path / "group").read_text()) == os.getpgrp()


def test_a_child_that_stays_does_not_block(tmp_path: Path) -> None:
    run(hook("sleep 100 & echo $! >pid"), tmp_path)
    child = int((tmp_path / "pid").read_text())
    assert alive(child)
    os.kill(child, 9)


def test_no_descriptor_is_left(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    run(hook("ls /proc/self/fd >fds"), tmp_path)
    with pytest.raises(HookError):
        run({"path": "/proc/nonexist"}, tmp_path)
    assert os.listdir("/proc/self/fd") == before
    assert len((tmp_path / "fds").read_text().split()) <= 5


def test_poststop_goes_on(tmp_path: Path) -> None:
    warnings: list[str] = []
    run_poststop([hook("exit 1"), hook("touch second")], STATE, str(tmp_path), warnings.append)
    assert (tmp_path / "second").exists()
    assert len(warnings) == 1
    assert "poststop hook #0" in warnings[0]
