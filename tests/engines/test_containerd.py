"""containerd drives the runtime through its shim: `ctr` as a user would type it."""

from __future__ import annotations

import os
import signal
import subprocess
import uuid
from pathlib import Path

import pytest

from tests.engines.conftest import Containerd
from tests.engines.daemon import wait_for
from tests.engines.images import REFERENCE


def name() -> str:
    return f"t{uuid.uuid4().hex[:10]}"


def run(engine: Containerd, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`ctr run --rm` with the runtime under test: options first, then `--`, then the command."""
    split = arguments.index("--")
    options, command = arguments[:split], arguments[split + 1 :]
    return engine.ctr("run", "--rm", "--runc-binary", engine.runtime, *options, REFERENCE, name(), *command)


class Live:
    """A detached container that sleeps, killed and removed at the end."""

    def __init__(self, engine: Containerd, *options: str) -> None:
        self.engine = engine
        self.name = name()
        engine.ctr.ok(
            "run",
            "-d",
            "--null-io",
            "--runc-binary",
            engine.runtime,
            *options,
            REFERENCE,
            self.name,
            "sleep",
            "1000",
        )

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

    def __exit__(self, *_: object) -> None:
        self.engine.ctr("task", "kill", "-s", "9", self.name)
        wait_for(lambda: self.status() in ("STOPPED", "GONE"))
        self.engine.ctr("task", "rm", "-f", self.name)
        self.engine.ctr("c", "rm", self.name)


@pytest.mark.parametrize("snapshotter", ["overlayfs", "native"])
def test_run_gives_output_and_exit_code(containerd: Containerd, snapshotter: str) -> None:
    done = run(containerd, "--snapshotter", snapshotter, "--", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 3)


def test_run_on_a_terminal(containerd: Containerd) -> None:
    command = ["run", "--rm", "-t", "--runc-binary", containerd.runtime, REFERENCE, name(), "tty"]
    assert "/dev/pts/0" in containerd.ctr.with_terminal(*command).stdout


def test_missing_command_is_named(containerd: Containerd) -> None:
    done = run(containerd, "--", "/nonexist")
    assert done.returncode != 0
    assert "/nonexist" in done.stderr and "no such file or directory" in done.stderr


@pytest.mark.parametrize(
    ("options", "command", "expected"),
    [
        (["--memory-limit", "67108864"], "cat /proc/self/cgroup", "memory"),
        (["--seccomp"], "grep Seccomp: /proc/self/status", "2"),
        (["--read-only"], "touch /x 2>&1 || true", "Read-only"),
        (["--env", "A=b c"], "echo $A", "b c"),
        (["--cwd", "/tmp"], "pwd", "/tmp"),
        (["--net-host"], "ls /sys/class/net", "lo"),
        (["--mount", "type=bind,src=/etc,dst=/host,options=rbind:ro"], "ls /host/passwd", "/host/passwd"),
    ],
    ids=["memory", "seccomp", "read-only", "env", "cwd", "net-host", "bind"],
)
def test_run_options(containerd: Containerd, options: list[str], command: str, expected: str) -> None:
    done = run(containerd, *options, "--", "sh", "-c", command)
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout


def test_user_namespace(containerd: Containerd) -> None:
    done = run(
        containerd,
        "--snapshotter",
        "native",
        "--uidmap",
        "0:100000:1000",
        "--gidmap",
        "0:100000:1000",
        "--",
        "cat",
        "/proc/self/uid_map",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["0", "100000", "1000"]


def test_existing_network_namespace(containerd: Containerd) -> None:
    with Live(containerd) as live:
        done = run(
            containerd,
            "--with-ns",
            f"network:/proc/{live.pid()}/ns/net",
            "--",
            "readlink",
            "/proc/self/ns/net",
        )
        assert done.stdout.strip() == os.readlink(f"/proc/{live.pid()}/ns/net"), done.stderr


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
        listed = containerd.ctr.ok("task", "ps", live.name)
        assert len(listed.splitlines()) == 3


def test_pause_and_resume(containerd: Containerd) -> None:
    with Live(containerd) as live:
        containerd.ctr.ok("task", "pause", live.name)
        assert live.status() == "PAUSED"
        containerd.ctr.ok("task", "resume", live.name)
        assert live.status() == "RUNNING"


def test_metrics_and_ps(containerd: Containerd) -> None:
    with Live(containerd) as live:
        assert "memory" in containerd.ctr.ok("task", "metrics", live.name)
        assert str(live.pid()) in containerd.ctr.ok("task", "ps", live.name)


@pytest.mark.parametrize("every", [[], ["--all"]], ids=["kill", "kill-all"])
def test_kill(containerd: Containerd, every: list[str]) -> None:
    with Live(containerd) as live:
        containerd.ctr.ok("task", "kill", "-s", "SIGKILL", *every, live.name)
        wait_for(lambda: live.status() == "STOPPED")


def test_forced_delete_of_a_running_task(containerd: Containerd) -> None:
    with Live(containerd) as live:
        containerd.ctr.ok("task", "rm", "-f", live.name)
        assert live.status() == "GONE"


def test_killed_shim_leaves_nothing(containerd: Containerd) -> None:
    with Live(containerd) as live:
        pid = live.pid()
        status = Path(f"/proc/{pid}/status").read_text()
        shim = int(status.split("PPid:")[1].split()[0])
        os.kill(shim, signal.SIGKILL)
        wait_for(
            lambda: (
                not Path(f"/proc/{pid}").exists() or "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
            )
        )
        wait_for(lambda: live.status() in ("STOPPED", "GONE"))


def test_containerd_restarted_under_a_live_container(containerd: Containerd) -> None:
    with Live(containerd) as live:
        pid = live.pid()
        containerd.restart()
        assert live.pid() == pid
        assert containerd.ctr.ok("task", "exec", "--exec-id", name(), live.name, "echo", "alive") == "alive"
