"""dockerd drives the runtime through containerd: `docker` as a user would type it."""

from __future__ import annotations

import json
import time
import uuid
from pathlib import Path

import pytest

from tests.engines.daemon import Client, wait_for

RUN = ["run", "--rm", "--network=none"]


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


def test_output_and_exit_code(docker: Client) -> None:
    done = docker(*RUN, "bb", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 3)


@pytest.mark.parametrize(
    ("command", "code", "text"),
    [
        (["/nonexist"], 127, "no such file or directory"),
        (["nonexist"], 127, "executable file not found in $PATH"),
        (["/etc/passwd"], 126, "permission denied"),
    ],
    ids=["missing", "not-in-path", "not-executable"],
)
def test_exit_codes(docker: Client, command: list[str], code: int, text: str) -> None:
    done = docker(*RUN, "bb", *command)
    assert done.returncode == code, done.stderr
    assert text in done.stderr


def test_bad_mount_gives_125(docker: Client, scratch: Path) -> None:
    done = docker(*RUN, "-v", f"{scratch}/rootfs/etc:/etc/passwd", "bb", "true")
    assert done.returncode == 125, done.stderr
    assert "not a directory" in done.stderr


OPTIONS: dict[str, tuple[list[str], str, str]] = {
    "read-only": (["--read-only"], "touch /x 2>&1 || true", "Read-only file system"),
    "cap-drop": (["--cap-drop", "ALL"], "grep CapEff /proc/self/status", "0000000000000000"),
    "cap-add": (["--cap-add", "NET_ADMIN"], "grep CapEff /proc/self/status", "00000000a80435fb"),
    "unconfined": (["--security-opt", "seccomp=unconfined"], "grep Seccomp: /proc/self/status", "0"),
    "seccomp": ([], "grep Seccomp: /proc/self/status", "2"),
    "no-new-privileges": (["--security-opt", "no-new-privileges"], "grep NoNew /proc/self/status", "1"),
    "pids": (["--pids-limit", "50"], "cat /sys/fs/cgroup/pids/pids.max", "50"),
    "memory": (["-m", "64m"], "cat /sys/fs/cgroup/memory/memory.limit_in_bytes", "67108864"),
    "cpus": (["--cpus", "0.5"], "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000"),
    "cpuset": (["--cpuset-cpus", "0"], "cat /sys/fs/cgroup/cpuset/cpuset.cpus", "0"),
    "device": (["--device", "/dev/null:/dev/other"], "ls -l /dev/other", "1,   3"),
    "tmpfs": (["--tmpfs", "/t:size=1m"], "df -k /t | tail -1", "1024"),
    "shm": (["--shm-size", "2m"], "df -k /dev/shm | tail -1", "2048"),
    "volume": (["-v", "/v"], "touch /v/x && ls /v", "x"),
    "user": (["-u", "1000:1000"], "id -u; id -g", "1000\n1000"),
    "group-add": (["--group-add", "55"], "id -G", "55"),
    "init": (["--init"], "cat /proc/1/comm", "docker-init"),
    "host-network": (["--network=host"], "ls /sys/class/net", "lo"),
    "host-pid": (["--pid=host"], "echo $$", ""),
    "host-ipc": (["--ipc=host"], "ls -d /dev/shm", "/dev/shm"),
    "host-uts": (["--uts=host"], "hostname", ""),
    "sysctl": (["--sysctl", "net.ipv4.ip_forward=1"], "cat /proc/sys/net/ipv4/ip_forward", "1"),
    "ulimit": (["--ulimit", "nofile=99:99"], "ulimit -n", "99"),
    "cgroupns": (["--cgroupns=private"], "cat /proc/self/cgroup", ":/"),
    "hostname": (["-h", "name"], "hostname", "name"),
    "workdir": (["-w", "/made/here"], "pwd", "/made/here"),
    "env": (["-e", "A=b c"], "echo $A", "b c"),
    "cgroup-parent": (["--cgroup-parent", "/pyrunc-engines"], "cat /proc/self/cgroup", ""),
}


@pytest.mark.parametrize("option", OPTIONS)
def test_run_options(docker: Client, option: str) -> None:
    options, script, expected = OPTIONS[option]
    if option == "init" and not Path("/usr/bin/docker-init").exists():
        pytest.skip("needs docker-init (package tini)")
    network = [] if any(word.startswith("--network") for word in options) else ["--network=none"]
    done = docker("run", "--rm", *network, *options, "bb", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout


def test_bind_of_a_directory_and_a_file(docker: Client, scratch: Path) -> None:
    (scratch / "file").write_text("content\n")
    done = docker(
        *RUN, "-v", f"{scratch}/file:/f:ro", "-v", f"{scratch}:/d", "bb", "sh", "-c", "cat /f /d/file"
    )
    assert done.stdout == "content\ncontent\n", done.stderr


def test_terminal_and_stdin(docker: Client) -> None:
    assert "/dev/pts/0" in docker.with_terminal(*RUN, "-it", "bb", "tty").stdout
    assert docker.ok(*RUN, "-i", "bb", "cat", stdin="through\n") == "through"


def test_exec(docker: Client) -> None:
    with Live(docker) as live:
        assert docker.ok("exec", "-u", "1000", live.name, "id", "-u") == "1000"
        assert docker.ok("exec", "-w", "/tmp", live.name, "pwd") == "/tmp"
        assert docker.ok("exec", "-e", "X=y", live.name, "sh", "-c", "echo $X") == "y"
        assert docker("exec", live.name, "sh", "-c", "exit 5").returncode == 5
        assert "/dev/pts/" in docker.with_terminal("exec", "-it", live.name, "tty").stdout
        docker.ok("exec", "-d", live.name, "sleep", "55")
        assert "sleep 55" in docker.ok("top", live.name)
        assert docker("exec", live.name, "nonexist").returncode in (126, 127)


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


def test_pause_update_stats_top_logs(docker: Client) -> None:
    with Live(docker, command=("sh", "-c", "echo logged; sleep 1000")) as live:
        docker.ok("pause", live.name)
        assert live.state("Status") == "paused"
        docker.ok("unpause", live.name)
        docker.ok(
            "update", "-m", "64m", "--memory-swap", "64m", "--cpus", "0.5", "--pids-limit", "50", live.name
        )
        inside = docker.ok("exec", live.name, "cat", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
        assert inside == "67108864"
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
        attached = docker("attach", live.name)
        assert attached.returncode == 4 and "bye" in attached.stdout
        assert docker.ok("wait", live.name) == "4"


def test_healthcheck(docker: Client) -> None:
    with Live(docker, "--health-cmd", "true", "--health-interval", "1s") as live:
        wait_for(lambda: live.state("Health.Status") == "healthy")


def test_out_of_memory_is_noticed(docker: Client) -> None:
    script = "x=a; while :; do x=$x$x$x$x; done"
    with Live(docker, "-m", "16m", "--memory-swap", "16m", command=("sh", "-c", script)) as live:
        wait_for(lambda: live.state("Status") == "exited")
        assert (live.state("OOMKilled"), live.state("ExitCode")) == ("true", "137")


def test_shared_namespaces(docker: Client) -> None:
    with Live(docker) as first:
        options = [f"--network=container:{first.name}", f"--pid=container:{first.name}"]
        done = docker("run", "--rm", *options, "bb", "ps")
        assert "sleep 1000" in done.stdout, done.stderr
        with Live(docker, f"--pid=container:{first.name}") as second:
            docker.ok("stop", "-t", "0", second.name)
            assert first.state("Status") == "running"


def test_many_at_once(docker: Client) -> None:
    lives = [Live(docker) for _ in range(5)]
    time.sleep(0.2)
    for live in lives:
        with live:
            assert live.state("Status") == "running"
