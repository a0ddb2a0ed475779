"""What commands print: state and features as JSON, the tables of `list` and `ps`, a plan, violations.

Each function calls its verb and writes to standard output (violations: to
standard error); the result is the exit code.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pyrunc.operations import Context

    Values = dict[str, Any]

READER_LEFT = 141
"""Exit code for a standard output that nobody reads any more: that of a program killed by SIGPIPE."""
_LIST_COLUMNS = ("id", "pid", "status", "bundle", "created", "owner")


class ReaderLeft(Exception):
    """Nobody reads our standard output any more, as behind `| head`: no error worth a word."""


def show(name: str, context: Context, values: Values) -> int:
    """Carry out the command `name` and print what it gives."""
    function: Callable[[Context, Values], int] = _SHOW[name]
    try:
        return function(context, values)
    except ReaderLeft:
        return READER_LEFT


def show_state(context: Context, values: Values) -> int:
    """The state object with two spaces of indentation and no final newline, as runc prints it."""
    from pyrunc.cores import render_json
    from pyrunc.operations.state import state

    write_out(render_json(state(context, **values), 2))
    return 0


def show_list(context: Context, values: Values) -> int:
    """Ids only, a table, or one line of JSON (`null` for none)."""
    from pyrunc.cores import render_json
    from pyrunc.operations.list import list as list_containers

    states = list_containers(context)
    if values["quiet"]:
        write_out("".join(f"{state['id']}\n" for state in states))
    elif values["format"] == "json":
        write_out(render_json(states or None) + "\n")
    else:
        rows = [[name.upper() for name in _LIST_COLUMNS]]
        rows += [[str(state.get(name, "")) for name in _LIST_COLUMNS] for state in states]
        write_out(render_table(rows))
    return 0


def show_ps(context: Context, values: Values) -> int:
    """The lines of ps(1) that belong to the container, or its pids as JSON."""
    from pyrunc.cores import render_json
    from pyrunc.operations.ps import ps, table

    if values["format"] == "json":
        write_out(render_json(ps(context, values["id"])) + "\n")
    else:
        text = table(context, values["id"], values["args"] or ["-ef"])
        write_out(text if text.endswith("\n") else text + "\n")
    return 0


def show_features(context: Context, values: Values) -> int:
    """The features structure."""
    from pyrunc.cores import render_json
    from pyrunc.operations.features import features

    write_out(render_json(features(context), 4) + "\n")
    return 0


def show_events(context: Context, values: Values) -> int:
    """One line of JSON for each event, as it comes."""
    from pyrunc.cores import render_json
    from pyrunc.operations.events import events

    for event in events(context, **values):
        write_out(render_json(event) + "\n")
    return 0


def show_plan(context: Context, values: Values) -> int:
    """The plan, one operation per line or as JSON."""
    from pyrunc.cores import render_json
    from pyrunc.operations.plan import plan as plan_container
    from pyrunc.plan.plan import simulate
    from pyrunc.plan.render import render_objects, render_text

    form = values.pop("format")
    plan = plan_container(context, **values)
    if form == "json":
        write_out(render_json(render_objects(plan, simulate(plan)), 2) + "\n")
    else:
        write_out(render_text(plan))
    return 0


def show_validate(context: Context, values: Values) -> int:
    """Every violation, one per line on standard error; 1 if there are any."""
    from pyrunc.operations.validate import validate

    violations = validate(context, **values)
    for violation in violations:
        _write(2, violation.text + "\n")
    return 1 if violations else 0


def show_snapshot(context: Context, values: Values) -> int:
    """What was done, or the status."""
    from pyrunc.operations.snapshot import snapshot

    write_out(snapshot(context, **values))
    return 0


_SHOW: dict[str, Callable[[Context, Values], int]] = {
    "state": show_state,
    "list": show_list,
    "ps": show_ps,
    "features": show_features,
    "events": show_events,
    "plan": show_plan,
    "validate": show_validate,
    "snapshot": show_snapshot,
}


def render_table(rows: list[list[str]]) -> str:
    """Left-aligned columns, at least 12 wide with 3 spaces between them; the last column is not filled up."""
    widths = [max(12, *(len(cell) + 3 for cell in column)) for column in zip(*rows, strict=True)]
    widths[-1] = 0
    return "".join("".join(map(str.ljust, row, widths)).rstrip() + "\n" for row in rows)


def write_out(text: str) -> None:
    """Write all of `text` to standard output.  Raises ReaderLeft, HostError (a full disk)."""
    try:
        _write(1, text)
    except BrokenPipeError as error:
        raise ReaderLeft from error
    except OSError as error:
        from pyrunc.errors import HostError, reason_of

        text = f"cannot write to standard output: {reason_of(error)}"
        raise HostError(text, errno=error.errno or 0) from error


def _write(fd: int, text: str) -> None:
    data = text.encode("utf-8", "surrogateescape")
    while data:
        data = data[os.write(fd, data) :]
