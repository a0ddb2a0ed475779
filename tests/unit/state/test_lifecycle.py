"""The status table says what the specification and runc's words say."""

from __future__ import annotations

import pytest

from pyrunc.errors import StateError
from pyrunc.state.lifecycle import CREATED, CREATING, PAUSED, REFUSALS, RUNNING, STOPPED, allowed

ALL = (CREATING, CREATED, RUNNING, PAUSED, STOPPED)
ALLOWED = {
    "start": {CREATED},
    "kill": {CREATED, RUNNING, PAUSED},
    "delete": {STOPPED},
    "exec": {CREATED, RUNNING},
    "pause": {CREATED, RUNNING},
    "resume": {PAUSED},
    "update": {CREATED, RUNNING, PAUSED},
    "events": {CREATED, RUNNING, PAUSED},
    "checkpoint": {RUNNING, PAUSED},
}
WORDS = {
    ("start", RUNNING): "cannot start an already running container",
    ("start", STOPPED): "cannot start a container that has stopped",
    ("kill", STOPPED): "container not running",
    ("delete", RUNNING): "cannot delete container x1 that is not stopped: running",
    ("delete", CREATED): "cannot delete container x1 that is not stopped: created",
    ("exec", PAUSED): "cannot exec in a paused container (use --ignore-paused to override)",
    ("exec", STOPPED): "cannot exec in a stopped container",
    ("pause", PAUSED): "container not running",
    ("resume", RUNNING): "container not paused",
    ("update", STOPPED): "container not running",
    ("events", STOPPED): "container with id x1 is not running",
    ("checkpoint", CREATED): "container cannot be checkpointed in created state",
}


def test_every_command_is_expected() -> None:
    assert set(REFUSALS) == set(ALLOWED)


@pytest.mark.parametrize("command", ALLOWED)
@pytest.mark.parametrize("status", ALL)
def test_allowed(command: str, status: str) -> None:
    if status in ALLOWED[command]:
        allowed(command, status, "x1")
        return
    with pytest.raises(StateError):
        allowed(command, status, "x1")


@pytest.mark.parametrize(("command", "status"), WORDS)
def test_words(command: str, status: str) -> None:
    with pytest.raises(StateError) as caught:
        allowed(command, status, "x1")
    assert caught.value.text == WORDS[command, status]
    assert bool(caught.value.hint) == (command == "delete")
