"""The relay between our standard streams and a pty."""

from __future__ import annotations

import os
import pty
import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pyrunc import cores
from pyrunc.errors import HostError
from pyrunc.execute.console import Relay, send_console, send_descriptor
from tests.processes import DEADLINE, wait_until


@contextmanager
def piped() -> Iterator[tuple[int, int]]:
    """(what we type into, what we see): pipes in place of our fds 0 and 1."""
    saved = os.dup(0), os.dup(1)
    input_read, input_write = os.pipe()
    output_read, output_write = os.pipe()
    os.dup2(input_read, 0)
    os.dup2(output_write, 1)
    os.close(input_read)
    os.close(output_write)
    try:
        yield input_write, output_read
    finally:
        os.dup2(saved[0], 0)
        os.dup2(saved[1], 1)
        for fd in (*saved, output_read):
            os.close(fd)


def pump(relay: Relay) -> None:
    """Let the relay move what is there, or comes at once."""
    poll = select.poll()
    for fd, events in relay.interests():
        poll.register(fd, events)
    if ready := dict(poll.poll(50)):
        relay.pump(ready)


def read_through(relay: Relay, fd: int) -> bytes:
    """What comes out of `fd` next while the relay works; a terminal takes its time."""

    def came() -> bool:
        pump(relay)
        return bool(select.select([fd], [], [], 0)[0])

    wait_until(came, what="what the relay moves")
    return os.read(fd, 100)


@contextmanager
def relaying() -> Iterator[tuple[Relay, int, tuple[int, int]]]:
    """A relay at work, the container's end of its terminal, and `piped`."""
    with piped() as streams:
        primary, replica = pty.openpty()
        relay = Relay(primary)
        relay.start()
        yield relay, replica, streams
        relay.stop()
        os.close(primary)


def test_both_directions() -> None:
    with relaying() as (relay, replica, streams):
        os.write(replica, b"out\n")
        os.write(streams[0], b"in\n")
        assert read_through(relay, replica) == b"in\n"
        shown = b""
        while b"out\r\n" not in shown:  # among the echo
            shown += read_through(relay, streams[1])
        os.close(streams[0])
        assert read_through(relay, replica) == b""  # ^D
        assert not relay.input_open
        os.write(replica, b"last words\n")
        os.close(replica)
        relay.drain()
        assert b"last words" in os.read(streams[1], 100)
        assert not relay.output_open


def test_much_output_is_whole() -> None:
    with relaying() as (relay, replica, streams):
        os.close(streams[0])
        os.set_blocking(replica, False)
        os.set_blocking(streams[1], False)
        expected, seen, left = b"x" * 200_000, b"", b"x" * 200_000
        for _ in range(10_000):
            if left:
                try:
                    left = left[os.write(replica, left[:4096]) :]
                except BlockingIOError:
                    pass
            pump(relay)
            try:
                seen += os.read(streams[1], 65536)
            except BlockingIOError:
                pass
            if len(seen) >= len(expected):
                break
        assert seen == expected
        os.close(replica)


def test_last_words_are_not_lost() -> None:
    """What was read already but not yet written when the program ends."""
    with relaying() as (relay, replica, streams):
        os.close(streams[0])
        os.write(replica, b"one")
        assert select.select([relay.primary], [], [], DEADLINE)[0]
        relay.pump({relay.primary: select.POLLIN})
        os.write(replica, b"two")
        os.close(replica)
        relay.drain()
        assert os.read(streams[1], 100) == b"onetwo"


def test_console_socket(tmp_path: Path) -> None:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "s"))
    server.listen(1)
    primary, replica = pty.openpty()
    send_console(str(tmp_path / "s"), primary)
    connection, _ = server.accept()
    payload, descriptors, _, _ = socket.recv_fds(connection, 100, 4)
    assert payload == b"/dev/ptmx"
    assert len(descriptors) == 1
    assert os.isatty(descriptors[0])
    assert connection.recv(1) == b""
    for fd in (primary, replica, descriptors[0]):
        os.close(fd)
    connection.close()
    server.close()


@pytest.mark.parametrize("name", ["missing", "x" * 200])
def test_console_socket_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(HostError, match="cannot send the console to"):
        send_console(str(tmp_path / name), 0)


def test_a_peer_that_takes_no_connection_ends_the_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "SEND_SECONDS", 1)
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as first:
        server.bind(path)
        server.listen(0)
        first.connect(path)
        with pytest.raises(HostError, match="cannot send the console to .*: nobody takes it"):
            send_descriptor(path, 0, b"x", "console")
