"""dockerd drives the runtime through containerd: what `docker` does to a live container."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.engines.daemon import Client, wait_for


class Live:
    """A detached container that sleeps, removed by force at the end."""

    def __init__(self, docker: Client, *options: str, command: tuple[str, ...] = ("sleep", "1000")) -> None:
        self.docker = docker
        self.name = f"t{uuid.uuid4().hex[:10]}"
        docker.ok("run", "-d", "--name", self.name, "--network=none", *options, "bb", *command)

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None:
        self.docker("rm", "-f", self.name)

    def state(self, field: str) -> str:
        return self.docker.ok("inspect", "-f", "{{.State." + field + "}}", self.name)


def test_exec(docker: Client) -> None:
    with Live(docker) as live:
        assert docker.ok("exec", "-u", "1000", live.name, "id", "-u") == "1000"
        assert docker.ok("exec", "-w", "/tmp", live.name, "pwd") == "/tmp"
        assert docker.ok("exec", "-e", "X=y", live.name, "sh", "-c", "echo $X") == "y"
        assert docker("exec", live.name, "sh", "-c", "exit 5").returncode == 5
        assert "/dev/pts/" in docker.with_terminal("exec", "-it", live.name, "tty").stdout
        docker.ok("exec", "-d", live.name, "sleep", "55")
        wait_for(lambda: "sleep 55" in docker.ok("top", live.name))
        assert docker.ok("exec", "-i", live.name, "cat", stdin="through\n") == "through"
        failed = docker("exec", live.name, "nonexist")
        assert failed.returncode == 126
        assert "executable file not found in $PATH" in failed.stdout + failed.stderr


def test_stop_kill_and_restart(docker: Client) -> None:
    with Live(docker) as live:
        docker.ok("stop", "-t", "1", live.name)
        assert live.state("ExitCode") == "137"
        docker.ok("start", live.name)
        docker.ok("restart", "-t", "0", live.name)
        assert live.state("Status") == "running"
        docker.ok("kill", live.name)
        wait_for(lambda: live.state("Status") == "exited")


def test_stop_by_sigterm(docker: Client) -> None:
    with Live(docker, command=("sh", "-c", "trap 'exit 9' TERM; while :; do sleep 0.1; done")) as live:
        docker.ok("stop", "-t", "10", live.name)
        assert live.state("ExitCode") == "9"


def test_signals(docker: Client) -> None:
    script = "trap 'echo got USR1' USR1; while :; do sleep 0.1; done"
    with Live(docker, command=("sh", "-c", script)) as live:
        docker.ok("exec", live.name, "true")
        docker.ok("kill", "-s", "USR1", live.name)
        wait_for(lambda: docker.ok("logs", live.name) == "got USR1")
        docker.ok("kill", live.name)
        assert docker.ok("wait", live.name) == "137"
        refused = docker("kill", live.name)
        assert refused.returncode != 0 and "is not running" in refused.stderr


def test_restart_policy(docker: Client) -> None:
    with Live(docker, "--restart", "on-failure:2", command=("sh", "-c", "echo again; exit 6")) as live:
        wait_for(lambda: live.state("Status") == "exited")
        assert docker.ok("logs", live.name).split() == ["again"] * 3
        assert live.state("ExitCode") == "6"


def test_pause_update_stats_top_logs(docker: Client) -> None:
    with Live(docker, command=("sh", "-c", "echo logged; sleep 1000")) as live:
        docker.ok("pause", live.name)
        assert live.state("Status") == "paused"
        assert docker("exec", live.name, "true").returncode != 0
        docker.ok("unpause", live.name)
        docker.ok(
            "update", "-m", "64m", "--memory-swap", "64m", "--cpus", "0.5", "--pids-limit", "50", live.name
        )
        inside = docker.ok("exec", live.name, "cat", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
        assert inside == "67108864"
        assert docker.ok("exec", live.name, "cat", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us") == "50000"
        assert docker.ok("exec", live.name, "cat", "/sys/fs/cgroup/pids/pids.max") == "50"
        docker.ok("update", "--restart", "no", live.name)
        stats = json.loads(docker.ok("stats", "--no-stream", "--format", "{{json .}}", live.name))
        assert "64MiB" in stats["MemUsage"]
        assert "sleep 1000" in docker.ok("top", live.name)
        assert docker.ok("logs", live.name) == "logged"


def test_copy_attach_and_wait(docker: Client, scratch: Path) -> None:
    with Live(docker, command=("sh", "-c", "sleep 2; echo bye; exit 4")) as live:
        (scratch / "copied").write_text("data\n")
        docker.ok("cp", f"{scratch}/copied", f"{live.name}:/tmp/copied")
        assert docker.ok("exec", live.name, "cat", "/tmp/copied") == "data"
        docker.ok("cp", f"{live.name}:/etc/passwd", f"{scratch}/copied")
        assert "guest" in (scratch / "copied").read_text()
        attached = docker("attach", live.name)
        assert attached.returncode == 4 and "bye" in attached.stdout
        assert docker.ok("wait", live.name) == "4"


def test_healthcheck(docker: Client) -> None:
    with Live(
        docker, "--health-cmd", "test ! -e /ill", "--health-interval", "1s", "--health-retries", "1"
    ) as live:
        wait_for(lambda: live.state("Health.Status") == "healthy")
        docker.ok("exec", live.name, "touch", "/ill")
        wait_for(lambda: live.state("Health.Status") == "unhealthy")


def test_out_of_memory_is_noticed(docker: Client) -> None:
    script = "x=a; while :; do x=$x$x$x$x; done"
    with Live(docker, "-m", "16m", "--memory-swap", "16m", command=("sh", "-c", script)) as live:
        wait_for(lambda: live.state("Status") == "exited")
        assert (live.state("OOMKilled"), live.state("ExitCode")) == ("true", "137")


def test_shared_namespaces(docker: Client) -> None:
    with Live(docker, "--ipc=shareable") as first:
        options = [f"--{kind}=container:{first.name}" for kind in ("network", "pid", "ipc")]
        links = ["sh", "-c", "for kind in net pid ipc; do readlink /proc/self/ns/$kind; done"]
        assert docker.ok("run", "--rm", *options, "bb", *links) == docker.ok("exec", first.name, *links)
        assert "sleep 1000" in docker.ok("run", "--rm", *options, "bb", "ps")
        with Live(docker, f"--pid=container:{first.name}") as second:
            docker.ok("stop", "-t", "0", second.name)
            assert first.state("Status") == "running"


def test_many_at_once(docker: Client) -> None:
    with ThreadPoolExecutor(5) as pool:
        lives = list(pool.map(lambda _: Live(docker), range(5)))
        assert [live.state("Status") for live in lives] == ["running"] * 5
        list(pool.map(lambda live: live.__exit__(), lives))
