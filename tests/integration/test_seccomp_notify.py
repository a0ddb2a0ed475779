"""config-linux.md#containerprocessstate: the agent gets the listener, with one state per connection."""

from __future__ import annotations

import array
import fcntl
import json
import os
import select
import socket
import struct
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.harness import DEADLINE, Box, Bundle

RECV, SEND = 0xC0502100, 0xC0182101  # SECCOMP_IOCTL_NOTIF_RECV and _SEND
ENOSYS = 38


class Agent(threading.Thread):
    """Takes listeners and answers the first notified call of each with ENOSYS."""

    def __init__(self, path: Path, connections: int) -> None:
        super().__init__()
        self.server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.server.bind(str(path))
        self.server.listen()
        self.server.settimeout(DEADLINE)
        self.connections = connections
        self.states: list[dict[str, Any]] = []

    def run(self) -> None:
        for _ in range(self.connections):
            connection, _ = self.server.accept()
            with connection:
                threading.Thread(target=self.answer, args=(self.take(connection),), daemon=True).start()
        self.server.close()

    def take(self, connection: socket.socket) -> int:
        data, ancillary, _, _ = connection.recvmsg(65536, 4096)
        ((_, _, packed),) = ancillary
        (listener,) = array.array("i", packed)
        while more := connection.recv(65536):  # until it is closed
            data += more
        self.states.append(json.loads(data))
        return int(listener)

    def answer(self, listener: int) -> None:
        try:
            select.select([listener], [], [], DEADLINE)
            request = bytearray(80)
            fcntl.ioctl(listener, RECV, request)
            (number,) = struct.unpack_from("=Q", request)
            fcntl.ioctl(listener, SEND, struct.pack("=QqiI", number, 0, -ENOSYS, 0))
        except FileNotFoundError:  # the container ended without such a call
            pass
        finally:
            os.close(listener)


def notified(box: Box, bundle: Bundle, connections: int = 1) -> Agent:
    agent = Agent(box.directory / "agent", connections)
    bundle.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "listenerPath": str(box.directory / "agent"),
        "listenerMetadata": "for the agent",
        "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY"}],
    }
    bundle.config["annotations"] = {"org.example.key": "value"}
    agent.start()
    return agent


@pytest.mark.parametrize("privileged", [True, False])
def test_the_agent_decides(box: Box, privileged: bool) -> None:
    bundle = box.bundle().probe("mkdir:/made")
    bundle.process["noNewPrivileges"] = not privileged
    agent = notified(box, bundle)
    container = box.create(bundle)
    container.start()
    assert container.report()["actions"]["mkdir:/made"] == "ENOSYS"
    agent.join()
    (state,) = agent.states
    assert (state["fds"], state["pid"], state["metadata"]) == (["seccompFd"], container.pid, "for the agent")
    assert state["state"]["status"] == "creating"
    assert (state["state"]["id"], state["state"]["pid"]) == (container.id, container.pid)
    assert state["state"]["bundle"] == str(bundle.directory)
    assert state["state"]["annotations"] == {"org.example.key": "value"}
    assert state["ociVersion"] == state["state"]["ociVersion"]


def test_exec_has_a_listener_of_its_own(box: Box) -> None:
    bundle = box.bundle("/bin/sleep", "100")
    agent = notified(box, bundle, connections=2)
    container = box.started(bundle)
    assert container.exec("/bin/mkdir", "/made").rc == 1
    container.kill().ok()
    container.wait()
    agent.join()
    first, second = agent.states
    assert first["pid"] == container.pid
    assert second["pid"] != container.pid
    assert second["state"]["pid"] == container.pid
    assert second["state"]["status"] == "running"
