"""Commands that may open only a few files: they fail or work, but never believe what they could not look at."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests import cgroups
from tests.harness import DEADLINE, Box, only_ours

FEW = range(4, 20)
"""Limits of open files: 3 are the streams; Python starts with 4, a create needs some thirty."""


def call_with(box: Box, files: int, *args: str) -> tuple[int, str]:
    """Exit code and standard error of a command that may have so many open files."""
    only_ours(box, "how many files others open is their affair")
    errors = box.directory / "errors"
    command = ["prlimit", f"--nofile={files}", *box.runtime.command, "--root", str(box.root), *args]
    null = subprocess.DEVNULL
    with errors.open("wb") as file:
        code = subprocess.run(
            command, stdin=null, stdout=null, stderr=file, timeout=DEADLINE, check=False
        ).returncode
    return code, errors.read_text()


@pytest.mark.parametrize("files", FEW)
def test_create(box: Box, files: int) -> None:
    """What could not be undone can be deleted: no cgroup is left without a record."""
    bundle, name = box.bundle("/bin/sleep", "100"), box.name()
    box.place(bundle, name)
    code, errors = call_with(box, files, "create", "--bundle", str(bundle.directory), name)
    assert code == 1
    assert "too many open files" in errors
    assert not cgroups.find(name) or (box.root / name / "state.json").exists()
    assert box.new_processes() == []
    box.call("delete", "--force", name).ok()
    assert cgroups.find(name) == []
    assert not (box.root / name).exists()


@pytest.mark.parametrize("command", ["state", "kill", "exec", "pause", "delete"])
def test_running(box: Box, command: str) -> None:
    """A running container is never taken for a stopped one."""
    container = box.started(box.bundle("/bin/sleep", "100"))
    more = {"kill": ["CONT"], "exec": ["/bin/true"]}.get(command, [])
    for files in FEW:
        code, errors = call_with(box, files, command, container.id, *more)
        assert "stopped container" not in errors, files
        assert "not running" not in errors, files
        assert not code or "too many open files" in errors or command == "delete", files
        if command == "pause":
            container.call("resume")
    assert container.status == "running"


def test_start(box: Box) -> None:
    for files in FEW:
        container = box.create(box.bundle("/bin/sleep", "100"))
        code, errors = call_with(box, files, "start", container.id)
        assert not code or "too many open files" in errors, files
        assert container.status == ("created" if code else "running"), files
        container.delete("--force").ok()


def test_more_processes_than_files(box: Box) -> None:
    """They are signalled and killed in portions that fit."""
    if "pids" not in cgroups.controllers():
        pytest.skip("needs the cgroup controller pids")
    script = (
        "for i in $(seq 40); do sleep 100 & done; trap 'echo got' USR1; echo up; while true; do wait; done"
    )
    bundle = box.bundle().shell(script).without_namespace("pid")
    bundle.mount("/proc", "bind", "/proc", "rbind")
    container = box.started(bundle)
    container.wait_output("up")
    members = [
        int(pid) for pid in Path(f"{cgroups.of(container.pid)['pids']}/cgroup.procs").read_text().split()
    ]
    assert len(members) > 40
    assert call_with(box, 32, "kill", "--all", container.id, "USR1") == (0, "")
    container.wait_output("got")
    assert call_with(box, 32, "kill", "--all", container.id, str(int(signal.SIGKILL))) == (0, "")
    assert not any(os.path.exists(f"/proc/{pid}/exe") for pid in members)
