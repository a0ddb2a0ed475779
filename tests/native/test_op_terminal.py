"""Terminal and stdio (csrc/op_terminal.c)."""

from __future__ import annotations

import array
import errno
import os
import select
import socket
import stat
from pathlib import Path

import pytest

from pyrunc.execute import conversation
from pyrunc.execute.conversation import parse_message
from pyrunc.plan import ops
from pyrunc.plan.ops import Op, Slot
from tests.native.init_process import InitProcess, error_of, in_root, looking_at
from tests.processes import DEADLINE

PRIMARY, REPLICA, PTS = Slot("primary"), Slot("replica"), Slot("pts")


def devpts(*options: str) -> list[Op]:
    return [
        ops.new_mount(PTS, "devpts", "devpts", ["newinstance", "ptmxmode=0666", "mode=0620", *options], 0),
        ops.move_mount(PTS, "/dev/pts", 0, 0),
    ]


def receive_descriptor(init: InitProcess) -> tuple[int, int]:
    """The slot's index and the descriptor of the next message, which must be FD."""
    data, ancillary, _, _ = init.socket.recvmsg(4096, socket.CMSG_LEN(4))
    message = parse_message(data)
    assert message.kind == conversation.FD, message.text
    return message.value, array.array("i", ancillary[0][2])[0]


def read_terminal(fd: int) -> str:
    """All that is written until the other side is closed (EIO)."""
    text = b""
    try:
        while select.select([fd], [], [], DEADLINE)[0] and (data := os.read(fd, 4096)):
            text += data
    except OSError as error:
        assert error.errno == errno.EIO
    return text.decode().replace("\r\n", "\n")


def test_a_program_on_a_terminal(tmp_path: Path) -> None:
    """The host's own tree is the root, in a mount namespace of its own."""
    script = "tty; stty size; stat -c '%u %g %a' $(tty); cat < /dev/tty; test -t 0 && test -t 1 && test -t 2; echo $?"
    operations = in_root(
        Path("/"), *devpts("gid=5"), ops.open_pty(PRIMARY, REPLICA), ops.set_window_size(PRIMARY, 33, 77),
        ops.bind_console(REPLICA, "/dev/console"), ops.pivot_root(), ops.setsid(), ops.use_terminal(REPLICA, 1234),
        ops.send_fd(PRIMARY), ops.find_executable("/bin/sh", ""), ops.exec(["sh", "-c", script], ["PATH=/usr/bin:/bin"]),
        swap=False,
    )[:-2]  # fmt: skip
    with InitProcess(operations) as init:
        slot, primary = receive_descriptor(init)
        assert slot > 0
        os.write(primary, b"\x04")
        text = read_terminal(primary)
        os.close(primary)
    assert text.splitlines() == ["/dev/pts/0", "33 77", "1234 5 620", "0"]


def test_bind_console(root: Path) -> None:
    operations = in_root(
        root, *devpts(), ops.open_pty(PRIMARY, REPLICA), ops.bind_console(REPLICA, "/dev/console")
    )
    with looking_at(operations) as init:
        status = os.stat(init.path("/dev/console"))
        assert stat.S_ISCHR(status.st_mode)
        assert status.st_rdev == os.stat(init.path("/dev/pts/0")).st_rdev
        mount = init.mounts()["/dev/console"]
        assert (mount.kind, mount.root) == ("devpts", "/0")
    assert (root / "dev" / "console").read_bytes() == b""


def test_bind_console_stays_inside(root: Path, tmp_path: Path) -> None:
    """CVE-2025-52565: a symlink in place of the console."""
    (tmp_path / "victim").write_text("")
    (root / "dev" / "console").symlink_to(tmp_path / "victim")
    operations = in_root(root, *devpts(), ops.open_pty(PRIMARY, REPLICA), ops.bind_console(REPLICA, "/dev/console"))
    with looking_at(operations) as init:
        assert not [point for point in init.mounts() if point.endswith("victim")] or (root / str(tmp_path)[1:]).exists()
    assert (tmp_path / "victim").read_text() == ""


def test_bind_console_not_on_procfs(root: Path) -> None:
    (root / "dev" / "console").symlink_to("/proc/self/attr/exec")
    proc = Slot("proc")
    operations = in_root(
        root, *devpts(), ops.new_mount(proc, "proc", "proc", [], 0), ops.move_mount(proc, "/proc", 0, 0),
        ops.open_pty(PRIMARY, REPLICA), ops.bind_console(REPLICA, "/dev/console"),
    )  # fmt: skip
    assert (error_of(operations).op, error_of(operations).errno) == ("bind_console", errno.EPERM)


def test_open_pty_without_devpts(root: Path) -> None:
    (root / "dev" / "pts").mkdir()
    assert error_of(in_root(root, ops.open_pty(PRIMARY, REPLICA))).errno == errno.ENOENT
    os.mknod(root / "dev" / "pts" / "ptmx", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    error = error_of(in_root(root, ops.open_pty(PRIMARY, REPLICA)))
    assert (error.op, error.errno) == ("open_pty", errno.EPERM)
    assert "devpts" in error.text


def test_open_pty_does_not_follow_a_planted_symlink(root: Path, tmp_path: Path) -> None:
    (root / "dev" / "pts").mkdir()
    (root / "dev" / "pts" / "ptmx").symlink_to("/etc/passwd")
    assert error_of(in_root(root, ops.open_pty(PRIMARY, REPLICA))).errno == errno.ELOOP


def test_set_window_size_of_no_terminal() -> None:
    null = os.open("/dev/null", os.O_RDWR)
    with InitProcess([ops.set_window_size(Slot("null"), 1, 1), ops.signal("look")], {"null": null}) as init:
        with pytest.raises(Exception, match="set_window_size"):
            init.until("look")
    os.close(null)
    assert error_of([ops.set_window_size(Slot("empty"), 1, 1)]).errno == errno.EBADF


def test_use_terminal_needs_a_session(root: Path) -> None:
    operations = in_root(root, *devpts(), ops.open_pty(PRIMARY, REPLICA), ops.use_terminal(REPLICA, 0))
    assert error_of(operations).errno == errno.EPERM


def test_own_stdio_takes_pipes_only(tmp_path: Path) -> None:
    """Host files and devices on stdio stay their owner's; so do FIFOs with a name."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    named = os.open(fifo, os.O_RDWR)
    reader, writer = os.pipe()
    program = tmp_path / "tool"
    program.write_text(f"#!/bin/sh\nstat -L -c %u /proc/self/fd/0 /proc/self/fd/2 > {tmp_path}/out")
    program.chmod(0o755)
    code = [ops.own_stdio(1234), ops.find_executable(str(program), ""), ops.exec(["x"], ["PATH=/usr/bin:/bin"])]
    saved = [os.dup(fd) for fd in (0, 1, 2)]
    try:
        for source, target in ((named, 0), (writer, 1), (os.open("/dev/null", os.O_WRONLY), 2)):
            os.dup2(source, target)
        with InitProcess(code) as init:
            init.receive()
            init.process.wait(DEADLINE)
    finally:
        for target, fd in enumerate(saved):
            os.dup2(fd, target)
    assert (tmp_path / "out").read_text().split() == ["0", "0"]
    assert os.stat("/dev/null").st_uid == 0
    assert os.fstat(writer).st_uid == 1234
    for fd in (*saved, named, reader, writer):
        os.close(fd)
