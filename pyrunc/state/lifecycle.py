"""The status table: which command a container allows in which status.

Pure.  How a status is found out stands in `pyrunc.execute.process`; what a
command does, in `pyrunc.operations`.  The words are runc's: engines match on
them.  Spec: runtime.md, "Operations"; `paused` is the one status beyond it.
"""

from __future__ import annotations

from pyrunc.errors import StateError

CREATING = "creating"
CREATED = "created"
RUNNING = "running"
PAUSED = "paused"
STOPPED = "stopped"

_NOT_RUNNING = "container not running"
_NOT_PAUSED = "container not paused"
_STARTED = "cannot start an already running container"
_NO_EVENTS = "container with id {id} is not running"
_NO_CHECKPOINT = "container cannot be checkpointed in {status} state"
_NOT_STOPPED = "cannot delete container {id} that is not stopped: {status}"

REFUSALS: dict[str, dict[str, str]] = {
    "start": {
        CREATING: "cannot start a container that is being created",
        RUNNING: _STARTED,
        PAUSED: _STARTED,
        STOPPED: "cannot start a container that has stopped",
    },
    "kill": {CREATING: _NOT_RUNNING, STOPPED: _NOT_RUNNING},
    "delete": {CREATING: _NOT_STOPPED, CREATED: _NOT_STOPPED, RUNNING: _NOT_STOPPED, PAUSED: _NOT_STOPPED},
    "exec": {
        CREATING: "cannot exec in a container that is being created",
        PAUSED: "cannot exec in a paused container (use --ignore-paused to override)",
        STOPPED: "cannot exec in a stopped container",
    },
    "pause": {CREATING: _NOT_RUNNING, PAUSED: _NOT_RUNNING, STOPPED: _NOT_RUNNING},
    "resume": {CREATING: _NOT_PAUSED, CREATED: _NOT_PAUSED, RUNNING: _NOT_PAUSED, STOPPED: _NOT_PAUSED},
    "update": {CREATING: _NOT_RUNNING, STOPPED: _NOT_RUNNING},
    "events": {CREATING: _NO_EVENTS, STOPPED: _NO_EVENTS},
    "checkpoint": {CREATING: _NO_CHECKPOINT, CREATED: _NO_CHECKPOINT, STOPPED: _NO_CHECKPOINT},
}
"""Command to status to refusal; a pair that is not here is allowed."""


def allowed(command: str, status: str, id: str = "") -> None:
    """Return if `command` may act on a container in `status`; raise StateError in runc's words if not."""
    refusal = REFUSALS[command].get(status)
    if refusal is not None:
        hint = "end it first, as with `kill ID KILL`, or use --force" if command == "delete" else ""
        raise StateError(refusal.format(id=id, status=status), step=command, hint=hint)
