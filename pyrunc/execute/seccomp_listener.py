"""The seccomp listener on its way to the agent: spec config-linux.md, "The Container Process State"."""

from __future__ import annotations

from pyrunc.cores import render_json
from pyrunc.execute.console import send_descriptor

FD_NAME = "seccompFd"


def process_state(state: dict[str, object], pid: int, metadata: str) -> dict[str, object]:
    """What the agent reads: `state` is the container's, `pid` the process that loaded the filter."""
    found: dict[str, object] = {"ociVersion": state["ociVersion"], "fds": [FD_NAME], "pid": pid}
    if metadata:
        found["metadata"] = metadata
    found["state"] = state
    return found


def send_listener(path: str, listener: int, state: dict[str, object], pid: int, metadata: str) -> None:
    """One connection, one message; HostError if the agent cannot be reached."""
    payload = render_json(process_state(state, pid, metadata)).encode()
    send_descriptor(path, listener, payload, "seccomp listener")
