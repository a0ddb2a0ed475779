"""Terminals: hand the pty to a console socket, or relay it in the foreground."""

from __future__ import annotations

import os
import select
from errno import EAGAIN

from pyrunc.cores import SEND_SECONDS, send_with_descriptors, unix_socket
from pyrunc.errors import HostError, reason_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BLOCK = 32768
SURE = 4096  # what a pipe that poll(2) calls writable takes without blocking


def send_descriptor(path: str, descriptor: int, payload: bytes, what: str) -> None:
    """Send one message with one descriptor to the unix stream socket `path`.  HostError if that fails."""
    connection = unix_socket()
    try:
        connection.connect(path)
        send_with_descriptors(connection, payload, [descriptor])
    except OSError as error:
        nobody = error.errno == EAGAIN
        reason = f"nobody takes it within {SEND_SECONDS} s" if nobody else reason_of(error)
        text = f"cannot send the {what} to {path}: {reason}"
        raise HostError(text, step=f"deliver {what}", path=path, errno=error.errno or 0) from error
    finally:
        connection.close()


def send_console(path: str, primary: int) -> None:
    """Send the pty's primary end over `--console-socket`."""
    send_descriptor(path, primary, b"/dev/ptmx", "console")


def terminal_size() -> tuple[int, int] | None:
    """Rows and columns of our own terminal; None if standard input is none."""
    try:
        columns, rows = os.get_terminal_size(0)
    except OSError:
        return None
    return (rows, columns) if rows and columns else None


class Relay:
    """Our own terminal, or what we have instead, connected with a container's pty.

    The terminal is in raw mode between `start` and `stop`; `stop` always
    restores it.  `pump` moves what is ready; call it when poll says so.
    """

    __slots__ = ("_saved", "_to_container", "_to_us", "input_open", "output_open", "primary")

    def __init__(self, primary: int) -> None:
        self.primary = primary
        self.input_open = True
        self.output_open = True
        self._saved: list[Any] | None = None
        self._to_container = b""
        self._to_us = b""

    def start(self) -> None:
        """Raw mode, if standard input is a terminal; take over its size."""
        import termios

        os.set_blocking(self.primary, False)
        try:
            self._saved = termios.tcgetattr(0)
        except termios.error:
            return
        raw = termios.tcgetattr(0)
        raw[0] &= ~(
            termios.IGNBRK | termios.BRKINT | termios.PARMRK | termios.ISTRIP
            | termios.INLCR | termios.IGNCR | termios.ICRNL | termios.IXON
        )  # fmt: skip
        raw[1] &= ~termios.OPOST
        raw[2] = raw[2] & ~(termios.CSIZE | termios.PARENB) | termios.CS8
        raw[3] &= ~(termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN)
        raw[6][termios.VMIN], raw[6][termios.VTIME] = 1, 0
        try:
            termios.tcsetattr(0, termios.TCSANOW, raw)
        except termios.error:
            return
        self.resize()

    def resize(self) -> None:
        """Give the pty the size of our terminal, if we have one."""
        import fcntl
        import termios

        try:
            size = fcntl.ioctl(0, termios.TIOCGWINSZ, b"\0" * 8)
            if size[:4] != b"\0" * 4:
                fcntl.ioctl(self.primary, termios.TIOCSWINSZ, size)
        except OSError:
            pass

    def interests(self) -> list[tuple[int, int]]:
        """(descriptor, poll events) of what can move now."""
        wanted: dict[int, int] = {}
        if self.output_open and not self._to_us:
            wanted[self.primary] = select.POLLIN
        if self._to_container:
            wanted[self.primary] = wanted.get(self.primary, 0) | select.POLLOUT
        elif self.input_open:
            wanted[0] = select.POLLIN
        if self._to_us:
            wanted[1] = select.POLLOUT
        return list(wanted.items())

    def pump(self, ready: dict[int, int]) -> None:
        """Move data between what is ready."""
        if self.primary in ready:
            if self._to_container:
                self._write_container()
            if self.output_open and not self._to_us:
                self._read_container()
        if 1 in ready:
            self._write_us(SURE)
        if 0 in ready and not self._to_container:
            self._read_us()

    def drain(self) -> None:
        """Bring out what the container wrote before its end."""
        while self.output_open or self._to_us:
            while self._to_us:
                self._write_us()
            if self.output_open:
                self._read_container(last=True)

    def stop(self) -> None:
        """Restore our terminal."""
        if self._saved is not None:
            import termios

            try:
                termios.tcsetattr(0, termios.TCSADRAIN, self._saved)
            except termios.error:  # it was hung up: nobody sees it any more
                pass
            self._saved = None

    def _read_container(self, last: bool = False) -> None:
        try:
            self._to_us = os.read(self.primary, BLOCK)
        except BlockingIOError:
            self.output_open = not last
            return
        except OSError:  # EIO: the last replica is closed
            self._to_us = b""
        self.output_open = bool(self._to_us)

    def _write_us(self, most: int = BLOCK) -> None:
        try:
            self._to_us = self._to_us[os.write(1, self._to_us[:most]) :]
        except BlockingIOError:  # somebody made our output non-blocking
            poll = select.poll()
            poll.register(1, select.POLLOUT)
            poll.poll(100)
        except OSError:  # nobody reads what we print
            self._to_us = b""

    def _read_us(self) -> None:
        try:
            self._to_container = os.read(0, BLOCK)
        except BlockingIOError:
            return
        except OSError:
            self._to_container = b""
        if self._to_container:
            self._write_container()
        else:
            self.input_open = False
            if self._saved is None:
                self._to_container = b"\x04"  # the end of a pipe is ^D for the program behind the terminal

    def _write_container(self) -> None:
        try:
            self._to_container = self._to_container[os.write(self.primary, self._to_container) :]
        except BlockingIOError:
            pass
        except OSError:
            self._to_container = b""
            self.input_open = False
