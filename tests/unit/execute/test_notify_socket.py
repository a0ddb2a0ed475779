"""READY=1 goes on to the service manager, and nothing else does."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from pyrunc.execute.notify_socket import NotifySocket
from tests.processes import DEADLINE


def manager(tmp_path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(tmp_path / "manager"))
    listener.settimeout(DEADLINE)
    return listener


def proxy(tmp_path: Path) -> tuple[NotifySocket, int]:
    (tmp_path / "notify").mkdir()
    directory = os.open(tmp_path, os.O_RDONLY)
    return NotifySocket(directory, str(tmp_path / "manager")), directory


def test_ready_is_passed_on_and_read(tmp_path: Path) -> None:
    listener = manager(tmp_path)
    notify, directory = proxy(tmp_path)
    container = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    container.connect(str(tmp_path / "notify/notify.sock"))
    pidfd = os.pidfd_open(os.getpid())
    relay = threading.Thread(target=notify.relay, args=(1234, pidfd), daemon=True)
    relay.start()
    container.send(b"STATUS=nearly")
    container.send(b"READY=1\nSTATUS=up")
    assert listener.recv(1000) == b"READY=1\nMAINPID=1234"
    payload, descriptors, _, _ = socket.recv_fds(listener, 1000, 4)
    assert payload == b"BARRIER=1"
    relay.join(0.1)
    assert relay.is_alive()  # until the manager closes the barrier
    os.close(descriptors[0])
    relay.join(DEADLINE)
    assert not relay.is_alive()
    notify.close()
    for fd in (pidfd, directory):
        os.close(fd)


def test_the_containers_end_ends_the_wait(tmp_path: Path) -> None:
    listener = manager(tmp_path)
    notify, directory = proxy(tmp_path)
    child = subprocess.Popen(["sleep", "1000"])
    pidfd = os.pidfd_open(child.pid)
    relay = threading.Thread(target=notify.relay, args=(child.pid, pidfd), daemon=True)
    relay.start()
    relay.join(0.1)
    assert relay.is_alive()
    child.kill()
    relay.join(DEADLINE)
    assert not relay.is_alive()
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):  # nobody was ready
        listener.recv(1000)
    child.wait()
    notify.close()
    for fd in (pidfd, directory):
        os.close(fd)
