"""Every operation of the runtime is carried out by someone."""

from __future__ import annotations

import inspect

import pytest

from pyrunc.execute.creation import Creation
from pyrunc.execute.joining import Joining
from pyrunc.execute.seccomp_listener import process_state
from pyrunc.plan import ops
from pyrunc.plan.opcodes import CODES

RUNTIME = [
    name
    for name, function in inspect.getmembers(ops, inspect.isfunction)
    if name not in CODES and inspect.signature(function).return_annotation == "Op"
]
OF_EXEC = ("join_cgroup", "receive_fd", "deliver_console", "deliver_listener", "deliver_pidfd", "write_pid_file")


def test_there_are_some() -> None:
    assert {"start_init", "deliver_listener", "write_record"} <= set(RUNTIME)


@pytest.mark.parametrize("name", RUNTIME)
def test_create_does_it(name: str) -> None:
    wanted = list(inspect.signature(getattr(ops, name)).parameters)
    assert list(inspect.signature(getattr(Creation, name)).parameters)[1:] == wanted


@pytest.mark.parametrize("name", OF_EXEC)
def test_exec_does_it(name: str) -> None:
    assert callable(getattr(Joining, name))


def test_what_a_seccomp_agent_reads() -> None:
    state: dict[str, object] = {"ociVersion": "1.3.0", "id": "x", "status": "creating", "pid": 5, "bundle": "/b"}
    assert process_state(state, 7, "m") == {
        "ociVersion": "1.3.0", "fds": ["seccompFd"], "pid": 7, "metadata": "m", "state": state,
    }  # fmt: skip
    assert "metadata" not in process_state(state, 7, "")
