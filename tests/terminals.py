"""Terminals for tests: a console socket as shims have, and the runtime run on a pty."""

from __future__ import annotations

import errno
import fcntl
import os
import pty
import select
import socket
import struct
import termios
import time
from pathlib import Path

from tests.harness import DEADLINE, Box


class ConsoleSocket:
    """Receives the primary side of a terminal, as shims do."""

    def __init__(self, directory: Path) -> None:
        self.path = str(directory / "console.sock")
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self.listener.bind(self.path)
        self.listener.listen(1)
        self.listener.settimeout(DEADLINE)

    def receive(self) -> tuple[int, bytes]:
        """The descriptor and the payload; asserts that it is one message and then the end."""
        connection, _ = self.listener.accept()
        with connection:
            connection.settimeout(DEADLINE)
            payload, fds, _, _ = socket.recv_fds(connection, 4096, 4)
            assert len(fds) == 1
            os.set_inheritable(fds[0], False)
            assert connection.recv(100) == b"", "more than one message"
        return fds[0], payload

    def close(self) -> None:
        self.listener.close()
        os.unlink(self.path)


def read_all(fd: int, seconds: float = DEADLINE) -> str:
    """Everything up to the end of the terminal."""
    data, deadline = b"", time.monotonic() + seconds
    while True:
        assert time.monotonic() < deadline, f"no end of the terminal; got {data!r}"
        if not select.select([fd], [], [], 1)[0]:
            continue
        try:
            chunk = os.read(fd, 65536)
        except OSError as error:
            assert error.errno == errno.EIO
            break
        if not chunk:
            break
        data += chunk
    return data.decode(errors="replace").replace("\r\n", "\n")


def read_until(fd: int, text: str) -> str:
    data, deadline = "", time.monotonic() + DEADLINE
    while text not in data:
        assert time.monotonic() < deadline, f"{text!r} did not come; got {data!r}"
        if select.select([fd], [], [], 0.2)[0]:
            data += os.read(fd, 65536).decode(errors="replace").replace("\r\n", "\n")
    return data


def spawn_on_terminal(box: Box, *args: str, rows: int = 24, columns: int = 80) -> tuple[int, int]:
    """Run the runtime with a terminal of our own as its standard streams: (pid, primary)."""
    pid, primary = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.execvpe(box.runtime.command[0], [*box.runtime.command, "--root", str(box.root), *args], os.environ)
    return pid, primary
