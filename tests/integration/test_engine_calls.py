"""How containerd's shim, dockerd, conmon and podman call a runtime, without the engines.

Argument orders, minimal environments, log lines, leaked descriptors, end of
output, reparenting, texts that are parsed, and the table of state × command.
"""

from __future__ import annotations

import json
import os
import re
import select
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import cgroups
from tests.harness import (
    DEADLINE,
    Box,
    Bundle,
    peer_differs,
    reap,
    wait_child,
    wait_until,
)

SLEEP = ("/bin/sleep", "1000")


def stat_field(pid: int, number: int) -> int:
    """A field of /proc/PID/stat, counted from 1 as in proc(5)."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[number - 3])


def shim_flags(box: Box, bundle: Bundle) -> list[str]:
    """`--root R --log B/log.json --log-format json`, in this order."""
    return ["--root", str(box.root), "--log", str(bundle.directory / "log.json"), "--log-format", "json"]


def creation(bundle: Bundle, pid_file: Path, name: str) -> list[str]:
    """`create` as all engines call it."""
    return ["create", "--bundle", str(bundle.directory), "--pid-file", str(pid_file), name]


def read_until_up(reader: int) -> bytes:
    """What the program writes before the line "up"."""
    text = b""
    while b"up\n" not in text:
        assert select.select([reader], [], [], DEADLINE)[0], text
        text += os.read(reader, 4096)
    return text.removesuffix(b"up\n")


def call(box: Box, *args: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The runtime with exactly these arguments, standard output and error combined as shims do."""
    options.setdefault("env", {"PATH": os.environ["PATH"]})
    options.setdefault("stderr", subprocess.STDOUT)
    return subprocess.run(
        [*box.runtime.command, *args],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        timeout=DEADLINE,
        **options,
    )


class TestShim:
    """containerd-shim-runc-v2: pipes as standard streams, bundle as working directory, a leaked socket."""

    @pytest.fixture
    def made(self, box: Box) -> tuple[Bundle, str, int, int]:
        """A created container: bundle, id, pid, and the reading end of its output."""
        bundle, name = box.bundle("/bin/sh", "-c", "ls /proc/self/fd; echo up; exec sleep 1000"), box.name()
        box.place(bundle, name)
        reader, writer = os.pipe()
        leaked = socket.socket(socket.AF_UNIX)
        leaked.bind(str(box.directory / "leak"))
        leaked.listen()
        pid_file = bundle.directory / "init.pid"
        done = subprocess.run(
            [*box.runtime.command, *shim_flags(box, bundle), *creation(bundle, pid_file, name)],
            cwd=bundle.directory,
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=writer,
            pass_fds=[leaked.fileno()],
            env={**os.environ, "GOMAXPROCS": "2", "TTRPC_ADDRESS": "/x"},
            timeout=DEADLINE,
        )
        leaked.close()
        os.close(writer)
        assert done.returncode == 0
        pid = int(pid_file.read_text())
        return bundle, name, pid, reader

    def test_create(self, box: Box, made: tuple[Bundle, str, int, int]) -> None:
        bundle, name, pid, reader = made
        assert stat_field(pid, 4) == os.getpid(), "reparented to the nearest subreaper"
        assert stat_field(pid, 5) == stat_field(pid, 6) == pid, "leader of its session and process group"
        assert os.listdir(f"/proc/{pid}/fd")
        links = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
        assert not [link for link in links if "socket" in link], "the leaked socket is closed"
        assert call(box, *shim_flags(box, bundle), "start", name).returncode == 0
        assert set(read_until_up(reader).split()) <= {b"0", b"1", b"2", b"3"}, "ls itself opens one"
        os.close(reader)
        assert (
            not (bundle.directory / "log.json").exists() or (bundle.directory / "log.json").read_text() == ""
        )

    def test_life_and_end(self, box: Box, made: tuple[Bundle, str, int, int]) -> None:
        bundle, name, pid, reader = made
        flags = shim_flags(box, bundle)
        assert call(box, *flags, "start", name).returncode == 0
        read_until_up(reader)
        os.close(reader)
        done = call(box, *flags, "ps", "--format", "json", name)
        assert json.loads(done.stdout) == [pid]
        assert call(box, *flags, "pause", name).returncode == 0
        assert call(box, *flags, "resume", name).returncode == 0
        assert call(box, *flags, "kill", name, "15").returncode == 0
        assert call(box, *flags, "kill", name, "9").returncode == 0
        assert wait_child(pid) == 137
        done = call(box, *flags, "kill", name, "9")
        assert done.returncode != 0
        if box.runtime.name != "crun":
            assert "container not running" in done.stdout
        assert call(box, *flags, "delete", name).returncode == 0
        assert call(box, *flags, "delete", "--force", name).returncode == 0
        done = call(box, *flags, "kill", name, "9")
        assert done.returncode != 0
        assert "does not exist" in done.stdout or box.runtime.name == "crun"

    def test_kill_all(self, box: Box, made: tuple[Bundle, str, int, int]) -> None:
        bundle, name, pid, reader = made
        os.close(reader)
        flags = shim_flags(box, bundle)
        assert call(box, *flags, "start", name).returncode == 0
        assert call(box, *flags, "kill", "--all", name, "9").returncode == 0
        assert wait_child(pid) == 137
        assert call(box, *flags, "kill", "--all", name, "9").returncode == 0, "also when stopped"

    def test_delete_by_force_of_a_running_container(
        self, box: Box, made: tuple[Bundle, str, int, int]
    ) -> None:
        """After the shim was killed."""
        bundle, name, pid, reader = made
        os.close(reader)
        flags = shim_flags(box, bundle)
        assert call(box, *flags, "start", name).returncode == 0
        done = call(box, *flags, "delete", "--force", name, cwd="/")
        assert (done.returncode, done.stdout) == (0, "")
        assert wait_child(pid) == 137

    def test_failed_create(self, box: Box) -> None:
        bundle, name = box.bundle("/nonexist"), box.name()
        box.place(bundle, name)
        flags = shim_flags(box, bundle)
        done = call(box, *flags, *creation(bundle, bundle.directory / "init.pid", name))
        assert done.returncode == 1
        lines = (bundle.directory / "log.json").read_text().splitlines()
        last = json.loads([line for line in lines if '"error"' in line][-1])
        assert last["level"] == "error"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", last["time"])
        if box.runtime.name != "crun":
            assert '"/nonexist"' in last["msg"]
            assert "no such file or directory" in last["msg"]
            assert last["msg"] in done.stdout, "also on standard error"
        assert not (bundle.directory / "init.pid").exists()
        assert call(box, *flags, "delete", "--force", name).returncode == 0

    def test_exec_detached(self, box: Box, made: tuple[Bundle, str, int, int]) -> None:
        bundle, name, _, reader = made
        os.close(reader)
        flags = shim_flags(box, bundle)
        call(box, *flags, "start", name)
        process = {
            "user": {"uid": 0, "gid": 0},
            "args": ["/bin/sh", "-c", "exit 6"],
            "env": ["PATH=/bin"],
            "cwd": "/",
        }
        (box.directory / "runc-process1").write_text(json.dumps(process))
        pid_file = bundle.directory / "e1.pid"
        arguments = (
            "exec",
            "--process",
            str(box.directory / "runc-process1"),
            "--detach",
            "--pid-file",
            str(pid_file),
            name,
        )
        assert call(box, *flags, *arguments).returncode == 0
        pid = int(pid_file.read_text())
        assert wait_child(pid) == 6

    def test_single_dash_long_options(self, box: Box) -> None:
        """Go's flags accept `-no-subreaper`; docker passes it."""
        bundle, name = box.bundle("/bin/true"), box.name()
        box.place(bundle, name)
        done = call(
            box, *shim_flags(box, bundle), "run", "-no-subreaper", "-bundle", str(bundle.directory), name
        )
        peer_differs(box, crun="reads it as short flags")
        assert done.returncode == 0, done.stdout


class TestConmonAndPodman:
    """conmon creates and execs; podman starts, kills and deletes with hardly an environment."""

    def test_life(self, box: Box, tmp_path: Path) -> None:
        bundle, name = (
            box.bundle("/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done"),
            box.name(),
        )
        box.place(bundle, name)
        root = ["--root", str(box.root)]
        log, pid_file = bundle.directory / "oci-log", bundle.directory / "pidfile"
        made = subprocess.run(
            [*box.runtime.command, *root, "--log-format=json", "--log", str(log), *creation(bundle, pid_file, name)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=DEADLINE,
            env={"PATH": "/usr/bin:/bin", "HOME": "/root", "XDG_RUNTIME_DIR": "", "_OCI_SYNCPIPE": "3", "_OCI_STARTPIPE": "4"},
        )  # fmt: skip
        assert made.returncode == 0
        assert not log.exists() or log.read_text() == ""
        pid = int(pid_file.read_text())
        bare = {"XDG_RUNTIME_DIR": ""}
        assert (
            call(box, *root, "start", name, env={"PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": ""}).returncode
            == 0
        )
        assert json.loads(call(box, *root, "state", name, env=bare).stdout)["status"] == "running"
        for command in (("kill", name, "28"), ("pause", name), ("resume", name), ("kill", name, "15")):
            done = call(box, *root, *command, env=bare)
            assert (done.returncode, done.stdout) == (0, ""), command
        call(box, *root, "kill", name, "9", env=bare)
        assert wait_child(pid) in (0, 137)
        for _ in range(2):
            assert call(box, *root, "delete", "--force", name, env=bare).returncode == 0

    def test_exec_orders(self, box: Box) -> None:
        container = box.started(box.bundle(*SLEEP))
        process = {"user": {"uid": 0, "gid": 0}, "args": ["/bin/true"], "env": ["PATH=/bin"], "cwd": "/"}
        path, pid_file, log = (
            box.directory / "exec-process-1",
            box.directory / "exec_pid",
            box.directory / "oci-log",
        )
        path.write_text(json.dumps(process))
        done = call(
            box,
            "--log-format=json",
            "--log",
            str(log),
            "--root",
            str(box.root),
            "exec",
            "--pid-file",
            str(pid_file),
            "--process",
            str(path),
            "--detach",
            container.id,
        )
        assert done.returncode == 0, done.stdout
        assert wait_child(int(pid_file.read_text())) == 0

    def test_failed_create_writes_one_line(self, box: Box) -> None:
        """podman parses the whole file as one object."""
        bundle, name = box.bundle("nonexist"), box.name()
        box.place(bundle, name)
        log = bundle.directory / "oci-log"
        flags = ["--log-format=json", "--log", str(log), "--root", str(box.root)]
        done = call(box, *flags, *creation(bundle, bundle.directory / "p", name))
        assert done.returncode == 1
        entry = json.loads(log.read_text())
        assert "executable file not found in $path" in entry["msg"].lower() or box.runtime.name == "crun"

    def test_repeated_flags_are_accepted(self, box: Box) -> None:
        container = box.started(box.bundle(*SLEEP))
        assert (
            call(box, "--root", str(box.root), "delete", "--force", "--force", container.id).returncode == 0
        )


ENDS = ["create", "start", "kill", "exec", "delete"]


@pytest.mark.parametrize("command", ENDS)
def test_output_ends_with_the_runtime(box: Box, command: str) -> None:
    """No helper may keep the caller's pipe open."""
    bundle, name = box.bundle(*SLEEP), box.name()
    box.place(bundle, name)
    root = ["--root", str(box.root)]
    steps = {
        "create": ["create", "--bundle", str(bundle.directory), name],
        "start": ["start", name],
        "exec": ["exec", "--detach", name, "/bin/true"],
        "kill": ["kill", name, "9"],
        "delete": ["delete", "--force", name],
    }
    for step in ("create", "start", "exec", "kill", "delete"):
        reader, writer = os.pipe()
        streams = (
            {"stdout": writer, "stderr": writer}
            if step not in ("create", "exec")
            else {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        )
        done = subprocess.run(
            [*box.runtime.command, *root, *steps[step]], stdin=subprocess.DEVNULL, timeout=DEADLINE, **streams
        )  # type: ignore[call-overload]
        os.close(writer)
        if step == "exec":  # as shims do: an unreaped process of the pid namespace keeps its init from ending
            wait_until(lambda: len(box.new_processes(grace=0)) == 1)
        reap()
        ended = select.select([reader], [], [], DEADLINE)[0] and os.read(reader, 100) == b""
        os.close(reader)
        assert done.returncode == 0, step
        assert ended, f"{step} left its output open"
        if step == command:
            break


def test_version_lines(box: Box) -> None:
    """dockerd parses the first line and `commit:`."""
    lines = call(box, "--version").stdout.splitlines()
    assert re.fullmatch(r"\w+ version \S+", lines[0])
    assert any(re.fullmatch(r"commit: \S+", line) for line in lines)
    assert any(re.fullmatch(r"spec: 1\.\d+\.\d+.*", line) for line in lines)


@pytest.mark.parametrize(
    "flags", [["--log-format=json"], ["--log-format", "json"], ["--debug"], ["--log-format", "text"]]
)
def test_global_flag_forms(box: Box, flags: list[str]) -> None:
    box.root.mkdir()
    assert call(box, "--root", str(box.root), *flags, "list", "-q").returncode == 0


def test_unknown_log_format(box: Box) -> None:
    assert call(box, "--log-format", "xml", "list").returncode != 0


def test_shared_pid_namespace_counts_as_stopped(box: Box) -> None:
    """Its init is dead, others of its processes go on: stopped, and `kill --all` reaches them."""
    bundle = box.bundle("/bin/sh", "-c", "setsid sleep 1000 & exec sleep 1000").without_namespace("pid")
    container = box.started(bundle)
    wait_until(
        lambda: len(box.call("ps", "--format", "json", container.id).json()) == 2, what="the second process"
    )
    container.kill().ok()
    container.wait()
    assert container.status == "stopped"
    box.call("kill", "--all", container.id, "9").ok()
    container.delete().ok()
    assert box.new_processes() == []


def test_init_is_in_its_cgroup_when_create_returns(box: Box) -> None:
    """The shim opens /proc/PID/cgroup then and arms the OOM notification."""
    container = box.create(box.bundle(*SLEEP))
    directories = cgroups.of(container.pid)
    assert set(directories) >= cgroups.controllers()
    assert {directory.name for directory in directories.values()} == {container.id}


def test_list_is_quiet_about_an_empty_root(box: Box) -> None:
    box.root.mkdir()
    assert box.call("list", "--format", "json").ok().out.strip() in ("null", "[]")
    assert box.call("list", "-q").ok().out == ""


def test_notify_socket_is_proxied(box: Box) -> None:
    """What the program says to its NOTIFY_SOCKET arrives at the caller's."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.bind(str(box.directory / "notify"))
    server.settimeout(DEADLINE)
    bundle, name = box.bundle("/bin/probe", "notify:READY=1", "sleep:0.2"), box.name()
    box.place(bundle, name)
    environment = {"PATH": os.environ["PATH"], "NOTIFY_SOCKET": str(box.directory / "notify")}
    with (box.directory / "report").open("wb") as out:
        process = box.popen("run", "--bundle", str(bundle.directory), name, env=environment, stdout=out)
        received = b""
        while b"READY=1" not in received:
            received += server.recv(4096) + b"\n"
    server.close()
    assert process.wait(DEADLINE) == 0
    report = json.loads((box.directory / "report").read_text())
    assert report["actions"]["notify:READY=1"] == "ok"
    assert "NOTIFY_SOCKET=/run/notify/notify.sock" in report["env"]


def test_notify_directory_takes_no_files(box: Box) -> None:
    """It is the host's, below the state root, and goes with the container."""
    peer_differs(box, crun="has another directory")
    bundle = box.bundle("/bin/probe", "mkdir:/run/notify/deep")
    environment = {"PATH": os.environ["PATH"], "NOTIFY_SOCKET": str(box.directory / "nobody")}
    report = box.create(bundle, env=environment).start().report()
    assert report["actions"]["mkdir:/run/notify/deep"] == "EROFS"
