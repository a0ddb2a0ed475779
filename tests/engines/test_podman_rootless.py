"""podman without root: the runtime runs as uid 0 of podman's own user namespace."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.conftest import need
from tests.engines.daemon import Client, wait_for
from tests.engines.test_podman import NotifyServer

RUN = ["run", "--rm", "--network=none"]


@pytest.fixture(scope="module")
def user() -> Iterator[pwd.struct_passwd]:
    """An ordinary user with subordinate ids, removed with its home at the end."""
    need("podman", "conmon", "newuidmap", "setpriv", "useradd")
    name = f"pyrunc{uuid.uuid4().hex[:6]}"
    subprocess.run(["useradd", "--create-home", name], check=True)
    entry = pwd.getpwnam(name)
    try:
        assert name in Path("/etc/subuid").read_text()
        yield entry
    finally:
        end_processes_of(entry.pw_uid)
        for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
            if line.split()[4].startswith(f"{entry.pw_dir}/"):
                subprocess.run(["umount", "--lazy", line.split()[4]], check=False)
        subprocess.run(["userdel", "--force", name], capture_output=True, check=False)
        subprocess.run(["rm", "-rf", "--one-file-system", entry.pw_dir], check=False)


def end_processes_of(uid: int) -> None:
    """End what podman leaves running for its user (its pause process), by pid."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.stat().st_uid == uid:
                os.kill(int(process.name), signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError):
            continue


@pytest.fixture(scope="module")
def podman(user: pwd.struct_passwd, runtime: str, image_tar: Path) -> Iterator[Client]:
    home = Path(user.pw_dir)
    conf = home / ".config/containers"
    conf.mkdir(parents=True)
    (conf / "containers.conf").write_text(
        '[containers]\ndefault_ulimits = ["nofile=20000:20000", "nproc=30000:30000"]\n'
        '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        f'[engine.runtimes]\nrunc = ["{runtime}"]\n'
    )
    (conf / "storage.conf").write_text('[storage]\ndriver = "vfs"\n')
    (home / "run").mkdir(mode=0o700)
    shutil.copy(image_tar, home / "rootfs.tar")
    subprocess.run(["chown", "-R", f"{user.pw_uid}:{user.pw_gid}", str(home)], check=True)
    env = {"HOME": str(home), "USER": user.pw_name, "XDG_RUNTIME_DIR": f"{home}/run"}
    env["PATH"] = "/usr/local/bin:/usr/bin:/bin:/usr/sbin"
    prefix = ["setpriv", "--reuid", user.pw_name, "--regid", str(user.pw_gid), "--init-groups", "--"]
    shell = [*prefix, "sh", "-c", f'cd {home}; exec podman --runtime runc "$@"', "podman"]
    client = Client(shell, env)
    client.ok("import", f"{home}/rootfs.tar", "bb")
    yield client
    client("rm", "--all", "--force", "--time", "0")


def test_output_and_exit_code(podman: Client) -> None:
    done = podman(*RUN, "bb", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 3)


def test_missing_command_gives_127(podman: Client) -> None:
    assert podman(*RUN, "bb", "/nonexist").returncode == 127


OPTIONS: dict[str, tuple[list[str], str, str]] = {
    "read-only": (["--read-only"], "touch /x 2>&1 || true", "Read-only"),
    "cap-drop": (["--cap-drop", "all"], "grep CapEff /proc/self/status", "0000000000000000"),
    "user": (["-u", "1000:1000"], "id -u", "1000"),
    "tmpfs": (["--tmpfs", "/t"], "mount | grep ' /t '", "tmpfs"),
    "hostname": (["-h", "name"], "hostname", "name"),
    "privileged": (["--privileged"], "id -u; grep Seccomp: /proc/self/status", "0\nSeccomp:\t0"),
    "bind": (["-v", "/etc:/host:ro"], "ls /host/passwd; touch /host/x 2>&1 || true", "Read-only"),
    "volume": (["-v", "/v"], "touch /v/x && ls /v", "x"),
    "env": (["-e", "A=b c"], "echo $A", "b c"),
    "device": (["--device", "/dev/null:/dev/other"], "ls /dev/other", "/dev/other"),
}


@pytest.mark.parametrize("option", OPTIONS)
def test_run_options(podman: Client, option: str) -> None:
    options, script, expected = OPTIONS[option]
    done = podman(*RUN, *options, "bb", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout


def test_keep_id(podman: Client, user: pwd.struct_passwd) -> None:
    """The user has the same id inside as outside."""
    script = "id -u; touch /tmp/mine; stat -c %u /tmp/mine"
    uid = str(user.pw_uid)
    assert podman.ok(*RUN, "--userns=keep-id", "bb", "sh", "-c", script).split() == [uid, uid]


def test_preserved_descriptors(podman: Client, user: pwd.struct_passwd) -> None:
    given = Path(user.pw_dir, "given")
    given.write_text("from outside\n")
    shell = Client(["sh", "-c", f'exec 3<{given}; exec "$@"', "sh", *podman.prefix], podman.environment)
    assert shell.ok(*RUN, "--preserve-fds", "1", "bb", "sh", "-c", "cat <&3") == "from outside"


def test_service_manager_is_notified(podman: Client, user: pwd.struct_passwd) -> None:
    name = f"t{uuid.uuid4().hex[:10]}"
    with NotifyServer(Path(user.pw_dir, "notify")) as server:
        os.chown(server.path, user.pw_uid, user.pw_gid)
        client = Client(podman.prefix, {**podman.environment, "NOTIFY_SOCKET": str(server.path)})
        options = ["-d", "--name", name, "--network=none", "--sdnotify=container"]
        try:
            client.ok("run", *options, "bb", "/bin/probe", "notify:READY=1", "sleep:30")
            assert "READY=1" in server.hear("READY=1")
        finally:
            podman("rm", "--force", "--time", "0", name)


def test_limits_without_a_cgroup(podman: Client) -> None:
    """On cgroup v1 podman itself leaves the limits out, and does not pause."""
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        pytest.skip("needs cgroup v1")
    name = f"t{uuid.uuid4().hex[:10]}"
    done = podman("run", "-d", "--name", name, "--network=none", "-m", "64m", "bb", "sleep", "1000")
    try:
        assert done.returncode == 0 and "Resource limits are not supported" in done.stderr
        paused = podman("pause", name)
        assert paused.returncode != 0 and "cgroup" in paused.stderr
        assert podman.ok("exec", name, "echo", "alive") == "alive"
    finally:
        podman("rm", "--force", "--time", "0", name)


def test_pod(podman: Client) -> None:
    pod = f"p{uuid.uuid4().hex[:10]}"
    infra = ["--infra-image", "localhost/bb", "--infra-command", "/bin/sleep 1000", "--network=none"]
    podman.ok("pod", "create", *infra, "--name", pod)
    try:
        names = [podman.ok("create", "--pod", pod, "bb", "sleep", "1000") for _ in range(2)]
        podman.ok("pod", "start", pod)
        assert len({podman.ok("exec", name, "readlink", "/proc/self/ns/ipc") for name in names}) == 1
        podman.ok("pod", "stop", "--time", "0", pod)
        podman.ok("pod", "start", pod)
    finally:
        podman.ok("pod", "rm", "--force", "--time", "0", pod)


def test_terminal(podman: Client) -> None:
    assert "/dev/pts/0" in podman.with_terminal(*RUN, "-t", "bb", "tty").stdout


def test_a_container_in_the_background(podman: Client) -> None:
    name = f"t{uuid.uuid4().hex[:10]}"
    podman.ok("run", "-d", "--name", name, "--network=none", "bb", "sleep", "1000")
    try:
        assert podman.ok("exec", name, "echo", "hi") == "hi"
        assert "sleep 1000" in podman.ok("top", name, "args")
        podman.ok("stop", "-t", "1", name)
        podman.ok("start", name)
        podman.ok("kill", name)
        wait_for(lambda: podman.ok("inspect", "-f", "{{.State.Status}}", name) == "exited")
    finally:
        podman("rm", "--force", "--time", "0", name)
