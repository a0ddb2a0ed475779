"""Terminals: the console socket, foreground relay, size, ownership."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import termios
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness import DEADLINE, Box, Bundle, Container, peer_differs, wait_child, wait_until
from tests.terminals import ConsoleSocket, read_all, read_until, spawn_on_terminal


@pytest.fixture
def console(box: Box) -> Iterator[ConsoleSocket]:
    made = ConsoleSocket(box.directory)
    yield made
    made.close()


def terminal_bundle(box: Box, *args: str) -> Bundle:
    bundle = box.bundle(*args)
    bundle.process["terminal"] = True
    return bundle


def created(box: Box, console: ConsoleSocket, bundle: Bundle) -> tuple[Container, int]:
    container = box.create(bundle, "--console-socket", console.path)
    return container, console.receive()[0]


def report_of(box: Box, console: ConsoleSocket, bundle: Bundle, *actions: str) -> dict[str, Any]:
    container, primary = created(box, console, bundle.probe(*actions))
    container.start()
    text = read_all(primary)
    os.close(primary)
    assert container.wait() == 0
    report: dict[str, Any] = json.loads(text)
    return report


def test_console_socket_gets_one_message(box: Box, console: ConsoleSocket) -> None:
    container = box.create(terminal_bundle(box, "/bin/sleep", "100"), "--console-socket", console.path)
    primary, payload = console.receive()
    assert os.isatty(primary)
    assert len(payload) >= 1
    assert payload.startswith(b"/dev/") or payload == b" "
    assert container.status == "created"
    os.close(primary)


def test_terminal_from_inside(box: Box, console: ConsoleSocket) -> None:
    report = report_of(
        box, console, terminal_bundle(box), "stat:/dev/console", "openw:/dev/console", "openw:/dev/tty"
    )
    assert set(report["terminal"]) == {"0", "1", "2", "controlling"}
    assert report["terminal"]["controlling"] == "yes"
    assert {report["fds"][fd] for fd in "012"} in ({"/dev/pts/0"}, {"/dev/console"})
    assert report["terminal"]["0"]["name"] in ("/dev/pts/0", "/dev/console")
    node = report["actions"]["stat:/dev/console"]
    assert (node["type"], node["major"]) == ("char", 136)
    assert report["actions"]["openw:/dev/console"] == "ok"
    assert report["actions"]["openw:/dev/tty"] == "ok"
    assert report["sid"] == report["pid"]


def test_terminal_belongs_to_the_user(box: Box, console: ConsoleSocket) -> None:
    bundle = terminal_bundle(box)
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    terminal = report_of(box, console, bundle, "openw:/dev/pts/0")["terminal"]
    assert terminal["0"]["owner"] == 1000
    assert terminal["0"]["group"] == 5
    assert terminal["0"]["mode"] == 0o620


def test_console_size(box: Box, console: ConsoleSocket) -> None:
    bundle = terminal_bundle(box)
    bundle.process["consoleSize"] = {"height": 33, "width": 77}
    terminal = report_of(box, console, bundle)["terminal"]
    assert (terminal["0"]["rows"], terminal["0"]["columns"]) == (33, 77)


def test_input_and_resize_through_the_primary(box: Box, console: ConsoleSocket) -> None:
    script = "trap 'stty size; exit 4' WINCH; echo up; while :; do sleep 0.02; done"
    container, primary = created(box, console, terminal_bundle(box, "/bin/sh", "-c", script))
    container.start()
    read_until(primary, "up")
    fcntl.ioctl(primary, termios.TIOCSWINSZ, struct.pack("HHHH", 11, 22, 0, 0))
    assert "11 22" in read_all(primary)
    assert container.wait() == 4
    os.close(primary)


def test_control_c_reaches_the_program(box: Box, console: ConsoleSocket) -> None:
    script = "trap 'echo interrupted; exit 5' INT; echo up; while :; do sleep 0.02; done"
    container, primary = created(box, console, terminal_bundle(box, "/bin/sh", "-c", script))
    container.start()
    read_until(primary, "up")
    os.write(primary, b"\x03")
    assert "interrupted" in read_all(primary)
    assert container.wait() == 5
    os.close(primary)


def test_terminal_in_a_user_namespace(box: Box, console: ConsoleSocket) -> None:
    report = report_of(box, console, terminal_bundle(box).user_namespace())
    assert report["terminal"]["controlling"] == "yes"
    assert report["terminal"]["0"]["owner"] == 0


def test_no_dev_mount(box: Box, console: ConsoleSocket) -> None:
    """Console and devices then live in the root itself."""
    bundle = terminal_bundle(box)
    bundle.config["mounts"] = [
        m for m in bundle.config["mounts"] if m["destination"] not in ("/dev", "/dev/shm")
    ]
    (bundle.rootfs / "dev/pts").mkdir()
    assert report_of(box, console, bundle)["terminal"]["controlling"] == "yes"


def test_runtime_streams_are_not_kept(box: Box, console: ConsoleSocket) -> None:
    """With a terminal, the container must not hold the caller's pipes."""
    bundle, name = terminal_bundle(box, "/bin/sleep", "100"), box.name()
    box.place(bundle, name)
    process = box.popen(
        "create",
        "--bundle",
        str(bundle.directory),
        "--console-socket",
        console.path,
        name,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    primary = console.receive()[0]
    assert process.wait(DEADLINE) == 0
    assert process.stdout is not None
    assert select.select([process.stdout], [], [], DEADLINE)[0]
    assert process.stdout.read() == b""
    process.stdout.close()
    os.close(primary)


@pytest.mark.parametrize(
    ("terminal", "flags", "command"),
    [(True, [], "create"), (False, ["--console-socket"], "create"), (True, ["--detach"], "run")],
)
def test_console_socket_and_terminal_belong_together(
    box: Box, console: ConsoleSocket, terminal: bool, flags: list[str], command: str
) -> None:
    bundle = box.bundle()
    bundle.process["terminal"] = terminal
    if "--console-socket" in flags:
        flags = ["--console-socket", console.path]
        peer_differs(box, crun="does not mind")
    box.try_create(bundle, *flags, command=command).failed("console")


def test_a_console_socket_that_is_not_there(box: Box) -> None:
    bundle = terminal_bundle(box)
    box.try_create(bundle, "--console-socket", "/no/such/socket").failed("no such file or directory")


def run_on_terminal(box: Box, bundle: Bundle, **size: int) -> tuple[int, int]:
    name = box.name()
    box.place(bundle, name)
    return spawn_on_terminal(box, "run", "--bundle", str(bundle.directory), name, **size)


def test_run_relays_output_and_exit_code(box: Box) -> None:
    pause = "" if box.runtime.is_ours else "sleep 0.3; "  # runc sets the size after the start
    bundle = terminal_bundle(box, "/bin/sh", "-c", f"{pause}tty; stty size; exit 9")
    pid, primary = run_on_terminal(box, bundle, rows=31, columns=71)
    text = read_all(primary)
    assert wait_child(pid) == 9
    os.close(primary)
    assert "31 71" in text
    assert "/dev/" in text


def test_run_relays_input(box: Box) -> None:
    pid, primary = run_on_terminal(
        box, terminal_bundle(box, "/bin/sh", "-c", "echo ready; read line; echo got:$line")
    )
    read_until(primary, "ready")
    os.write(primary, b"hello\n")
    text = read_all(primary)
    assert wait_child(pid) == 0
    os.close(primary)
    assert "got:hello" in text


def test_run_relays_control_c_and_resize(box: Box) -> None:
    script = "trap 'stty size' WINCH; trap 'exit 6' INT; echo ready; while :; do sleep 0.02; done"
    pid, primary = run_on_terminal(box, terminal_bundle(box, "/bin/sh", "-c", script))
    read_until(primary, "ready")
    fcntl.ioctl(primary, termios.TIOCSWINSZ, struct.pack("HHHH", 12, 34, 0, 0))
    read_until(primary, "12 34")
    os.write(primary, b"\x03")
    read_all(primary)
    assert wait_child(pid) == 6
    os.close(primary)


def test_run_restores_the_terminal(box: Box) -> None:
    primary, replica = pty.openpty()
    before = termios.tcgetattr(replica)
    bundle, name = terminal_bundle(box, "/bin/true"), box.name()
    box.place(bundle, name)
    process = box.popen(
        "run",
        "--bundle",
        str(bundle.directory),
        name,
        log=False,
        stdin=replica,
        stdout=replica,
        stderr=replica,
    )
    drained = b""

    def ended() -> bool:
        nonlocal drained
        if select.select([primary], [], [], 0)[0]:
            drained += os.read(primary, 4096)
        return process.poll() is not None

    wait_until(ended, what="the end of run")
    assert process.returncode == 0, drained
    assert termios.tcgetattr(replica) == before
    os.close(primary)
    os.close(replica)


def test_run_whose_terminal_hangs_up(box: Box) -> None:
    """The program lives until SIGHUP or another signal ends it; then all is as at every end."""
    name = box.name()
    bundle = terminal_bundle(box, "/bin/sh", "-c", "trap '' HUP; echo up; sleep 1000")
    box.place(bundle, name)
    pid, primary = spawn_on_terminal(box, "run", "--bundle", str(bundle.directory), name)
    read_until(primary, "up")
    os.close(primary)
    box.call("kill", name, "KILL").ok()
    assert wait_child(pid) == 137
    box.call("state", name).failed("container does not exist")


def test_run_as_a_job_in_the_background(box: Box) -> None:
    """It is stopped as every program that wants the terminal, and goes on in the foreground."""
    peer_differs(box, runc="1.1 asks for the terminal for ever", crun="1.8 ends with an error after it")
    name = box.name()
    bundle = terminal_bundle(box, "/bin/sh", "-c", "exit 3")
    box.place(bundle, name)
    run = [*box.runtime.command, "--root", str(box.root), "run", "--bundle", str(bundle.directory), name]
    shell, primary = pty.fork()
    if shell == 0:
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        job = os.posix_spawn(run[0], run, os.environ, setpgroup=0, setsigdef=[signal.SIGTTOU])
        _, stopped = os.waitpid(job, os.WUNTRACED)
        os.tcsetpgrp(0, job)
        os.kill(job, signal.SIGCONT)
        _, ended = os.waitpid(job, 0)
        was_stopped = os.WIFSTOPPED(stopped) and os.WSTOPSIG(stopped) == signal.SIGTTOU
        os._exit(os.waitstatus_to_exitcode(ended) if was_stopped else 99)
    read_all(primary)
    assert wait_child(shell) == 3
    os.close(primary)


def test_run_moves_much_output(box: Box) -> None:
    pid, primary = run_on_terminal(
        box,
        terminal_bundle(
            box,
            "/bin/sh",
            "-c",
            "i=0; while [ $i -lt 3000 ]; do echo line-number-$i-of-many; i=$((i+1)); done",
        ),
    )
    text = read_all(primary)
    assert wait_child(pid) == 0
    os.close(primary)
    lines = text.split()
    assert lines == [f"line-number-{number}-of-many" for number in range(3000)]


def test_run_relays_without_a_terminal_of_its_own(box: Box) -> None:
    peer_differs(box, runc="wants a /dev/tty")
    result = box.run(terminal_bundle(box, "/bin/sh", "-c", "echo out; exit 3"))
    assert result.rc == 3
    assert result.out == "out\r\n"


def test_exec_with_terminal(box: Box) -> None:
    container = box.started(box.bundle("/bin/sleep", "100"))
    pid, primary = spawn_on_terminal(
        box, "exec", "-t", container.id, "/bin/sh", "-c", "tty; stty size; exit 5", rows=21, columns=41
    )
    text = read_all(primary)
    assert wait_child(pid) == 5
    os.close(primary)
    assert "/dev/" in text
    assert "21 41" in text


def test_exec_with_console_socket(box: Box, console: ConsoleSocket) -> None:
    container = box.started(box.bundle("/bin/sleep", "100"))
    process = {
        "terminal": True,
        "user": {"uid": 1000, "gid": 1000},
        "args": ["/bin/probe"],
        "env": ["PATH=/bin"],
        "cwd": "/",
        "consoleSize": {"height": 9, "width": 19},
    }
    path, pid_file = box.directory / "process.json", box.directory / "exec.pid"
    path.write_text(json.dumps(process))
    flags = (
        "--process",
        str(path),
        "--console-socket",
        console.path,
        "--detach",
        "--pid-file",
        str(pid_file),
    )
    running = box.popen("exec", *flags, container.id)
    primary, _ = console.receive()
    report = json.loads(read_all(primary))
    assert running.wait(DEADLINE) == 0
    assert wait_child(int(pid_file.read_text())) == 0
    os.close(primary)
    assert report["terminal"]["controlling"] == "yes"
    assert report["terminal"]["0"]["owner"] == 1000
    if box.runtime.is_ours:
        assert (report["terminal"]["0"]["rows"], report["terminal"]["0"]["columns"]) == (9, 19)


def test_pidfd_socket(box: Box, console: ConsoleSocket) -> None:
    peer_differs(box, runc="1.1 has no --pidfd-socket", crun="has none")
    container = box.create(box.bundle("/bin/sleep", "100"), "--pidfd-socket", console.path)
    fd, _ = console.receive()
    signal.pidfd_send_signal(fd, signal.SIGKILL)
    os.close(fd)
    assert container.wait() == 137
