"""containerd drives the runtime through its shim: `ctr` as a user would type it."""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from pathlib import Path

import pytest

from tests.engines.census import read
from tests.engines.daemon import wait_for
from tests.engines.engines import Containerd
from tests.engines.images import REFERENCE


def name() -> str:
    return f"t{uuid.uuid4().hex[:10]}"


def run(engine: Containerd, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`ctr run --rm` with the runtime under test: options first, then `--`, then the command."""
    split = arguments.index("--")
    options, command = arguments[:split], arguments[split + 1 :]
    return engine.ctr("run", "--rm", "--runc-binary", engine.runtime, *options, REFERENCE, name(), *command)


def is_alive(pid: int) -> bool:
    """Whether there is such a process that is no zombie."""
    status = read(Path(f"/proc/{pid}/status"))
    return bool(status) and "State:\tZ" not in status


class Live:
    """A detached container, killed and removed at the end."""

    def __init__(
        self,
        engine: Containerd,
        *options: str,
        command: tuple[str, ...] = ("sleep", "1000"),
        io: str = "--null-io",
    ) -> None:
        self.engine = engine
        self.name = name()
        words = ["run", "-d", io, "--runc-binary", engine.runtime, *options, REFERENCE, self.name]
        engine.ctr.ok(*words, *command)

    def __enter__(self) -> Live:
        return self

    def status(self) -> str:
        for line in self.engine.ctr.ok("task", "ls").splitlines()[1:]:
            fields = line.split()
            if fields[0] == self.name:
                return fields[2]
        return "GONE"

    def pid(self) -> int:
        for line in self.engine.ctr.ok("task", "ls").splitlines()[1:]:
            if line.split()[0] == self.name:
                return int(line.split()[1])
        raise AssertionError("no such task")

    def record(self) -> Path:
        """The runtime's directory of this container."""
        return Path("/run/containerd/runc/default", self.name)

    def cgroup(self, controller: str) -> Path:
        return Path("/sys/fs/cgroup", controller, "default", self.name)

    def __exit__(self, *_: object) -> None:
        self.engine.ctr("task", "kill", "-s", "9", self.name)
        wait_for(lambda: self.status() in ("STOPPED", "GONE"))
        self.engine.ctr("task", "rm", "-f", self.name)
        self.engine.ctr("c", "rm", self.name)


def test_exec(containerd: Containerd) -> None:
    with Live(containerd) as live:
        ctr = containerd.ctr
        assert ctr.ok("task", "exec", "--exec-id", name(), live.name, "echo", "hi") == "hi"
        assert ctr.ok("task", "exec", "--exec-id", name(), "--user", "1000", live.name, "id", "-u") == "1000"
        assert ctr("task", "exec", "--exec-id", name(), live.name, "sh", "-c", "exit 7").returncode == 7
        terminal = ctr.with_terminal("task", "exec", "-t", "--exec-id", name(), live.name, "tty")
        assert "/dev/pts/" in terminal.stdout
        failed = ctr("task", "exec", "--exec-id", name(), live.name, "/nonexist")
        assert failed.returncode != 0 and "no such file or directory" in failed.stderr


def test_detached_exec(containerd: Containerd) -> None:
    with Live(containerd) as live:
        containerd.ctr.ok("task", "exec", "-d", "--exec-id", name(), live.name, "sleep", "77")
        assert len(containerd.ctr.ok("task", "ps", live.name).splitlines()) == 3  # a title, two processes


def test_pause_and_resume(containerd: Containerd) -> None:
    with Live(containerd) as live:
        containerd.ctr.ok("task", "pause", live.name)
        assert live.status() == "PAUSED"
        refused = containerd.ctr("task", "exec", "--exec-id", name(), live.name, "true")
        assert refused.returncode != 0 and "paused" in refused.stderr
        containerd.ctr.ok("task", "resume", live.name)
        assert live.status() == "RUNNING"
        containerd.ctr.ok("task", "exec", "--exec-id", name(), live.name, "true")


def test_metrics_and_ps(containerd: Containerd) -> None:
    with Live(containerd) as live:
        rows = (
            line.split(maxsplit=1) for line in containerd.ctr.ok("task", "metrics", live.name).splitlines()
        )
        metrics = {row[0]: row[1] for row in rows if len(row) == 2}
        assert int(metrics["memory.usage_in_bytes"]) > 0 and int(metrics["pids.current"]) == 1
        assert str(live.pid()) in containerd.ctr.ok("task", "ps", live.name)


@pytest.mark.parametrize("every", [[], ["--all"]], ids=["kill", "kill-all"])
def test_kill(containerd: Containerd, every: list[str]) -> None:
    with Live(containerd) as live:
        containerd.ctr.ok("task", "exec", "-d", "--exec-id", name(), live.name, "sleep", "78")
        members = [int(pid) for pid in (live.cgroup("memory") / "cgroup.procs").read_text().split()]
        assert len(members) == 2
        containerd.ctr.ok("task", "kill", "-s", "SIGKILL", *every, live.name)
        wait_for(lambda: live.status() == "STOPPED")
        assert not [pid for pid in members if is_alive(pid)]
        again = containerd.ctr("task", "kill", live.name)
        assert "process already finished" in again.stderr


def test_kill_of_a_process_of_exec(containerd: Containerd) -> None:
    with Live(containerd) as live:
        second = name()
        containerd.ctr.ok("task", "exec", "-d", "--exec-id", second, live.name, "sleep", "79")
        containerd.ctr.ok("task", "kill", "-s", "SIGKILL", "--exec-id", second, live.name)
        wait_for(lambda: len((live.cgroup("memory") / "cgroup.procs").read_text().split()) == 1)
        assert live.status() == "RUNNING"


def test_forced_delete_of_a_running_task(containerd: Containerd) -> None:
    with Live(containerd) as live:
        containerd.ctr.ok("task", "rm", "-f", live.name)
        assert live.status() == "GONE"
        assert not live.record().exists() and not live.cgroup("memory").exists()


def test_killed_shim_leaves_nothing(containerd: Containerd) -> None:
    with Live(containerd) as live:
        pid = live.pid()
        status = Path(f"/proc/{pid}/status").read_text()
        os.kill(int(status.split("PPid:")[1].split()[0]), signal.SIGKILL)
        wait_for(lambda: not is_alive(pid))
        wait_for(lambda: live.status() in ("STOPPED", "GONE"))
        wait_for(lambda: not live.record().exists() and not live.cgroup("memory").exists())


def test_containerd_restarted_under_a_live_container(containerd: Containerd) -> None:
    with Live(containerd) as live:
        pid = live.pid()
        containerd.restart()
        assert live.pid() == pid
        assert containerd.ctr.ok("task", "exec", "--exec-id", name(), live.name, "echo", "alive") == "alive"
        containerd.ctr.ok("task", "pause", live.name)
        containerd.ctr.ok("task", "resume", live.name)
        containerd.ctr.ok("task", "kill", "-s", "SIGKILL", live.name)
        wait_for(lambda: live.status() == "STOPPED")
