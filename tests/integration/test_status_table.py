"""State × command: what is allowed when, with the texts and exit codes that engines parse."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.harness import (
    Box,
    Container,
    peer_differs,
)
from tests.processes import DEADLINE

SLEEP = ("/bin/sleep", "1000")
NOT_EXIST = (1, "does not exist")
OK = (0, "")
TABLE: dict[str, dict[str, tuple[int, str]]] = {
    "unknown": {
        "state": NOT_EXIST,
        "start": NOT_EXIST,
        "kill": NOT_EXIST,
        "kill --all": NOT_EXIST,
        "delete": NOT_EXIST,
        "delete --force": OK,
        "pause": NOT_EXIST,
        "resume": NOT_EXIST,
        "ps": NOT_EXIST,
        "exec": (255, "does not exist"),
    },
    "created": {
        "exec": OK,
        "pause": OK,
        "start": OK,
        "kill": OK,
        "state": OK,
        "delete": (1, "is not stopped: created"),
        "delete --force": OK,
        "ps": OK,
    },
    "running": {
        "start": (1, "cannot start an already running container"),
        "delete": (1, "that is not stopped: running"),
        "resume": (1, "container not paused"),
        "pause": OK,
        "kill": OK,
        "exec": OK,
        "ps": OK,
        "delete --force": OK,
    },
    "paused": {
        "pause": (1, "container not running"),
        "exec": (255, "cannot exec in a paused container (use --ignore-paused to override)"),
        "resume": OK,
        "kill": OK,
        "start": (1, ""),
        "delete": (1, "not stopped: paused"),
        "delete --force": OK,
        "ps": OK,
    },
    "stopped": {
        "start": (1, "cannot start a container that has stopped"),
        "kill": (1, "container not running"),
        "kill --all": OK,
        "pause": (1, "container not running"),
        "resume": (1, "container not paused"),
        "ps": OK,
        "exec": (255, "cannot exec in a stopped container"),
        "state": OK,
        "delete": OK,
        "delete --force": OK,
    },
}
CELLS = [(status, command) for status, row in TABLE.items() for command in row]


def in_status(box: Box, status: str) -> Container | None:
    if status == "unknown":
        return None
    container = box.create(box.bundle(*SLEEP))
    if status in ("running", "paused", "stopped"):
        container.start()
    if status == "paused":
        container.call("pause").ok()
    if status == "stopped":
        container.kill().ok()
        container.wait()
    return container


ARGUMENTS: dict[str, Callable[[str], list[str]]] = {
    "kill": lambda name: ["kill", name, "9"],
    "kill --all": lambda name: ["kill", "--all", name, "9"],
    "delete --force": lambda name: ["delete", "--force", name],
    "ps": lambda name: ["ps", "--format", "json", name],
    "exec": lambda name: ["exec", name, "/bin/true"],
}


@pytest.mark.parametrize(("status", "command"), CELLS)
def test_status_and_command(box: Box, status: str, command: str) -> None:
    container = in_status(box, status)
    name = container.id if container else "no-such-container"
    rc, text = TABLE[status][command]
    if (status, command) == ("created", "delete"):
        peer_differs(box, runc="kills it", crun="kills it")
    if rc:
        peer_differs(box, crun="has words of its own")
    result = box.call(*ARGUMENTS.get(command, lambda name: [command, name])(name))
    assert result.rc == rc, result
    if text:
        assert text in result.message
        assert text in result.err
    elif rc == 0 and command not in ("state", "ps"):
        assert result.out + result.err == ""
    if (status, command) == ("stopped", "ps"):
        assert result.json() in (None, [])


def test_kill_of_a_paused_container_ends_it(box: Box) -> None:
    """Without waiting for a resume."""
    container = in_status(box, "paused")
    assert container is not None
    container.kill("9").ok()
    peer_differs(box, crun="waits for resume")
    assert container.wait(DEADLINE) == 137
    assert container.call("resume").rc == 1


def test_existing_id(box: Box) -> None:
    container = box.create(box.bundle(*SLEEP))
    result = box.try_create(box.bundle(), name=container.id).failed("already exists")
    if box.runtime.name != "crun":
        assert "container with given id already exists" in result.message.lower()
