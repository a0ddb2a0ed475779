"""podman drives the runtime through conmon: `podman` as root would type it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import uuid
from pathlib import Path

import pytest

from tests.engines.daemon import Client, wait_for

RUN = ["run", "--rm", "--network=none"]


class Live:
    """A detached container, removed by force at the end."""

    def __init__(self, podman: Client, *options: str, command: tuple[str, ...] = ("sleep", "1000")) -> None:
        self.podman = podman
        self.name = f"t{uuid.uuid4().hex[:10]}"
        podman.ok("run", "-d", "--name", self.name, "--network=none", *options, "bb", *command)

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


def own_capabilities() -> str:
    """Our bounding set, as the kernel prints it: what a privileged container has."""
    return Path("/proc/self/status").read_text().split("CapBnd:")[1].split()[0]


OPTIONS: dict[str, tuple[list[str], str, str]] = {
    "read-only": (["--read-only"], "touch /x 2>&1 || true", "Read-only"),
    "cap-drop": (["--cap-drop", "all"], "grep CapEff /proc/self/status", "0000000000000000"),
    "memory": (["-m", "64m"], "cat /sys/fs/cgroup/memory/memory.limit_in_bytes", "67108864"),
    "user": (["-u", "1000:1000"], "id -u", "1000"),
    "tmpfs": (["--tmpfs", "/t"], "mount | grep ' /t '", "tmpfs"),
    "cpus": (["--cpus", "0.5"], "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000"),
    "pids": (["--pids-limit", "50"], "cat /sys/fs/cgroup/pids/pids.max", "50"),
    "pids-unlimited": (["--pids-limit", "-1"], "cat /sys/fs/cgroup/pids/pids.max", "max"),
    "unconfined": (["--security-opt", "seccomp=unconfined"], "grep Seccomp: /proc/self/status", "0"),
    "no-new-privileges": (["--security-opt", "no-new-privileges"], "grep NoNew /proc/self/status", "1"),
    "volume": (["-v", "/v"], "touch /v/x && ls /v", "x"),
    "bind": (["-v", "/etc:/host:ro"], "ls /host/passwd; touch /host/x 2>&1 || true", "Read-only"),
    "ulimit": (["--ulimit", "nofile=99:99", "--ulimit", "nproc=999:999"], "ulimit -n", "99"),
    "workdir": (["-w", "/tmp"], "pwd", "/tmp"),
    "env": (["-e", "A=b c"], "echo $A", "b c"),
    "no-conmon": (["--cgroups=no-conmon"], "grep memory: /proc/self/cgroup", "memory:/libpod_parent/"),
    "host-pid": (["--pid=host"], "readlink /proc/self/ns/pid", os.readlink("/proc/self/ns/pid")),
    "uidmap": (
        ["--uidmap", "0:100000:2000", "--gidmap", "0:100000:2000"],
        "cat /proc/self/uid_map",
        "100000",
    ),
    "privileged": (["--privileged"], "grep CapEff /proc/self/status", own_capabilities()),
    "privileged-terminals": (["--privileged"], "readlink /dev/ptmx", "pts/ptmx"),
    "device": (["--device", "/dev/null:/dev/other"], "ls -l /dev/other", "1,   3"),
    "sysctl": (["--sysctl", "net.ipv4.ip_forward=1"], "cat /proc/sys/net/ipv4/ip_forward", "1"),
    "hostname": (["-h", "name"], "hostname", "name"),
    "seccomp": ([], "grep Seccomp: /proc/self/status", "2"),
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
        assert podman.ok("exec", "-w", "/tmp", live.name, "pwd") == "/tmp"
        assert podman.ok("exec", "-e", "X=y", live.name, "sh", "-c", "echo $X") == "y"
        assert podman.ok("exec", "-i", live.name, "cat", stdin="through\n") == "through"
        assert podman("exec", live.name, "/etc/passwd").returncode == 126
        podman.ok("exec", "-d", live.name, "sleep", "44")
        wait_for(lambda: "sleep 44" in podman.ok("top", live.name, "args"))


def with_descriptor(podman: Client, file: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run podman with descriptor 3 open on `file`."""
    shell = Client(["sh", "-c", f'exec 3<{file}; exec "$@"', "sh", *podman.prefix], podman.environment)
    return shell(*arguments)


def test_preserved_descriptors(podman: Client, tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.write_text("from outside\n")
    with Live(podman) as live:
        done = with_descriptor(podman, given, "exec", "--preserve-fds", "1", live.name, "sh", "-c", "cat <&3")
        assert done.stdout == "from outside\n", done.stderr
        without = with_descriptor(podman, given, "exec", live.name, "ls", "/proc/self/fd/3")
        assert without.returncode != 0
    done = with_descriptor(podman, given, *RUN, "--preserve-fds", "1", "bb", "sh", "-c", "cat <&3")
    assert done.stdout == "from outside\n", done.stderr


def test_stop_kill_pause_update(podman: Client) -> None:
    with Live(podman) as live:
        podman.ok("pause", live.name)
        assert live.status() == "paused"
        podman.ok("unpause", live.name)
        podman.ok("update", "--memory", "64m", "--cpus", "0.5", live.name)
        inside = podman.ok("exec", live.name, "cat", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
        assert inside == "67108864"
        podman.ok("update", "--memory-swap", "80m", live.name)
        quota = podman.ok("exec", live.name, "cat", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us")
        assert quota == "50000"
        podman.ok("stop", "-t", "1", live.name)
        assert live.status() == "exited"
        podman.ok("start", live.name)
        podman.ok("restart", "-t", "0", live.name)
        assert live.status() == "running"
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


def test_removed_before_its_start(podman: Client) -> None:
    """podman deletes with force what the runtime has only created."""
    name = f"t{uuid.uuid4().hex[:10]}"
    podman.ok("create", "--name", name, "--network=none", "bb", "sleep", "1000")
    podman.ok("init", name)
    pid = int(podman.ok("inspect", "-f", "{{.State.Pid}}", name))
    podman.ok("rm", "--force", name)
    wait_for(lambda: not Path(f"/proc/{pid}").exists())


def test_shared_namespaces(podman: Client) -> None:
    with Live(podman) as first:
        options = [f"--{kind}=container:{first.name}" for kind in ("network", "pid", "ipc")]
        links = ["sh", "-c", "for kind in net pid ipc; do readlink /proc/self/ns/$kind; done"]
        assert podman.ok("run", "--rm", *options, "bb", *links) == podman.ok("exec", first.name, *links)


def test_healthcheck(podman: Client) -> None:
    with Live(podman, "--health-cmd", "test ! -e /ill", "--health-interval", "disable") as live:
        podman.ok("healthcheck", "run", live.name)
        podman.ok("exec", live.name, "touch", "/ill")
        assert podman("healthcheck", "run", live.name).returncode == 1


def test_stats_and_copy(podman: Client, tmp_path: Path) -> None:
    with Live(podman, "-m", "64m") as live:
        stats = json.loads(podman.ok("stats", "--no-stream", "--format", "json", live.name))
        assert "67.11MB" in stats[0]["mem_usage"]
        (tmp_path / "copied").write_text("data\n")
        podman.ok("cp", f"{tmp_path}/copied", f"{live.name}:/tmp/copied")
        assert podman.ok("exec", live.name, "cat", "/tmp/copied") == "data"


def test_attach_and_wait(podman: Client) -> None:
    script = "while [ ! -e /go ]; do echo tick; sleep 0.1; done; echo bye; exit 4"
    with Live(podman, command=("sh", "-c", script)) as live:
        attached = subprocess.Popen(
            [*podman.prefix, "attach", "--no-stdin", live.name],
            stdout=subprocess.PIPE,
            text=True,
            env=podman.environment,
        )
        assert attached.stdout is not None and attached.stdout.readline() == "tick\n"
        podman.ok("exec", live.name, "touch", "/go")
        assert "bye" in attached.communicate(timeout=30)[0]
        assert podman.ok("wait", live.name) == "4"


@pytest.mark.parametrize("infra", [True, False], ids=["infra", "no-infra"])
def test_pod(podman: Client, infra: bool) -> None:
    pod = f"p{uuid.uuid4().hex[:10]}"
    with_infra = ["--infra-image", "localhost/bb", "--infra-command", "/bin/sleep 1000", "--network=none"]
    podman.ok("pod", "create", *(with_infra if infra else ["--infra=false"]), "--name", pod)
    try:
        network = [] if infra else ["--network=none"]
        names = [podman.ok("create", "--pod", pod, *network, "bb", "sleep", "1000") for _ in range(2)]
        podman.ok("pod", "start", pod)
        status = ["pod", "ps", "--format", "{{.Status}}", "--filter", f"name={pod}"]
        assert podman.ok(*status) == "Running"
        spaces = {podman.ok("exec", name, "readlink", "/proc/self/ns/ipc") for name in names}
        assert len(spaces) == (1 if infra else 2)
        podman.ok("pod", "pause", pod)
        assert podman.ok(*status) == "Paused"
        podman.ok("pod", "unpause", pod)
        podman.ok("pod", "stop", "--time", "0", pod)
        assert podman.ok(*status) == "Exited"
    finally:
        podman.ok("pod", "rm", "--force", "--time", "0", pod)


class NotifyServer:
    """The socket on which a service manager hears from its services."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(20)

    def __enter__(self) -> NotifyServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def hear(self, word: str) -> str:
        """The first message with `word` in it."""
        while word not in (message := self.socket.recv(4096).decode()):
            pass
        return message


@pytest.mark.parametrize("mode", ["container", "conmon"])
def test_service_manager_is_notified(podman: Client, mode: str, scratch: Path) -> None:
    """By the container itself, or by conmon as soon as the container runs."""
    name = f"t{uuid.uuid4().hex[:10]}"
    says = ["/bin/probe", "notify:READY=1", "sleep:30"]
    with NotifyServer(scratch / f"notify-{mode}") as server:
        client = Client(podman.prefix, {**podman.environment, "NOTIFY_SOCKET": str(server.path)})
        options = ["-d", "--name", name, "--network=none", f"--sdnotify={mode}"]
        try:
            client.ok("run", *options, "bb", *(says if mode == "container" else ["sleep", "30"]))
            assert "READY=1" in server.hear("READY=1")
        finally:
            podman("rm", "--force", "--time", "0", name)
