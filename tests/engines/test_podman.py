"""podman drives the runtime through conmon: `podman` as root would type it."""

from __future__ import annotations

import subprocess
import uuid
from pathlib import Path

import pytest

from tests.engines.daemon import Client, wait_for

RUN = ["run", "--rm", "--network=none"]


class Live:
    """A detached container that sleeps, removed by force at the end."""

    def __init__(self, podman: Client, *options: str) -> None:
        self.podman = podman
        self.name = f"t{uuid.uuid4().hex[:10]}"
        podman.ok("run", "-d", "--name", self.name, "--network=none", *options, "bb", "sleep", "1000")

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        self.podman("rm", "--force", "--time", "0", self.name)

    def status(self) -> str:
        return self.podman.ok("inspect", "-f", "{{.State.Status}}", self.name)


def test_output_and_exit_code(podman: Client) -> None:
    done = podman(*RUN, "bb", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 3)


@pytest.mark.parametrize(
    ("command", "code"),
    [("/nonexist", 127), ("nonexist", 127), ("/etc/passwd", 126)],
)
def test_exit_codes(podman: Client, command: str, code: int) -> None:
    assert podman(*RUN, "bb", command).returncode == code


OPTIONS: dict[str, tuple[list[str], str, str]] = {
    "read-only": (["--read-only"], "touch /x 2>&1 || true", "Read-only"),
    "cap-drop": (["--cap-drop", "all"], "grep CapEff /proc/self/status", "0000000000000000"),
    "memory": (["-m", "64m"], "cat /sys/fs/cgroup/memory/memory.limit_in_bytes", "67108864"),
    "user": (["-u", "1000:1000"], "id -u", "1000"),
    "tmpfs": (["--tmpfs", "/t"], "mount | grep ' /t '", "tmpfs"),
    "uidmap": (
        ["--uidmap", "0:100000:2000", "--gidmap", "0:100000:2000"],
        "cat /proc/self/uid_map",
        "100000",
    ),
    "privileged": (["--privileged"], "id -u", "0"),
    "device": (["--device", "/dev/null:/dev/other"], "ls -l /dev/other", "1,   3"),
    "sysctl": (["--sysctl", "net.ipv4.ip_forward=1"], "cat /proc/sys/net/ipv4/ip_forward", "1"),
    "hostname": (["-h", "name"], "hostname", "name"),
    "seccomp": ([], "grep Seccomp: /proc/self/status", "2"),
    "init-off": ([], "cat /run/.containerenv | head -1", ""),
}


@pytest.mark.parametrize("option", OPTIONS)
def test_run_options(podman: Client, option: str) -> None:
    options, script, expected = OPTIONS[option]
    done = podman(*RUN, *options, "bb", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout


def test_terminal_and_stdin(podman: Client) -> None:
    assert "/dev/pts/0" in podman.with_terminal(*RUN, "-t", "bb", "tty").stdout
    assert podman.ok(*RUN, "-i", "bb", "cat", stdin="through\n") == "through"


def test_exec(podman: Client) -> None:
    with Live(podman) as live:
        assert podman.ok("exec", live.name, "echo", "hi") == "hi"
        assert podman.ok("exec", "-u", "1000", live.name, "id", "-u") == "1000"
        assert podman("exec", live.name, "sh", "-c", "exit 6").returncode == 6
        assert podman("exec", live.name, "nonexist").returncode == 127
        assert "/dev/pts/" in podman.with_terminal("exec", "-it", live.name, "tty").stdout
        podman.ok("exec", "-d", live.name, "sleep", "44")
        assert "sleep 44" in podman.ok("top", live.name, "args")


def test_preserved_descriptors(podman: Client, tmp_path: Path) -> None:
    (tmp_path / "given").write_text("from outside\n")
    with Live(podman) as live:
        command = [*podman.prefix, "exec", "--preserve-fds", "1", live.name, "sh", "-c", "cat <&3"]
        shell = ["sh", "-c", f'exec 3<{tmp_path}/given; exec "$@"', "sh"]
        done = subprocess.run(
            [*shell, *command],
            capture_output=True,
            text=True,
            env=podman.environment,
            timeout=60,
            check=False,
        )
        assert done.stdout == "from outside\n", done.stderr


def test_stop_kill_pause_update(podman: Client) -> None:
    with Live(podman) as live:
        podman.ok("pause", live.name)
        assert live.status() == "paused"
        podman.ok("unpause", live.name)
        podman.ok("update", "--memory", "64m", "--cpus", "0.5", live.name)
        inside = podman.ok("exec", live.name, "cat", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
        assert inside == "67108864"
        podman.ok("stop", "-t", "1", live.name)
        assert live.status() == "exited"
        podman.ok("start", live.name)
        podman.ok("kill", live.name)
        wait_for(lambda: live.status() == "exited")


def test_create_init_start(podman: Client) -> None:
    name = f"t{uuid.uuid4().hex[:10]}"
    podman.ok("create", "--name", name, "--network=none", "bb", "echo", "late")
    podman.ok("init", name)
    assert podman.ok("inspect", "-f", "{{.State.Status}}", name) == "initialized"
    podman.ok("start", name)
    podman.ok("wait", name)
    assert podman.ok("logs", name) == "late"
    podman.ok("rm", name)


def test_healthcheck(podman: Client) -> None:
    with Live(podman, "--health-cmd", "true", "--health-interval", "disable") as live:
        podman.ok("healthcheck", "run", live.name)


def test_pod_without_an_infra_container(podman: Client) -> None:
    pod = f"p{uuid.uuid4().hex[:10]}"
    podman.ok("pod", "create", "--infra=false", "--name", pod)
    try:
        for _ in range(2):
            podman.ok("create", "--pod", pod, "--network=none", "bb", "sleep", "1000")
        podman.ok("pod", "start", pod)
        assert podman.ok("pod", "ps", "--format", "{{.Status}}", "--filter", f"name={pod}") == "Running"
    finally:
        podman.ok("pod", "rm", "--force", "--time", "0", pod)


def test_notify_socket(podman: Client) -> None:
    name = f"t{uuid.uuid4().hex[:10]}"
    script = 'printf "READY=1" | nc -u -U "$NOTIFY_SOCKET" 2>/dev/null; echo "$NOTIFY_SOCKET"'
    done = podman(*RUN, "--name", name, "--sdnotify=ignore", "bb", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
