"""start: let the program of a created container run."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.operations import Context


def start(context: Context, id: str) -> None:
    """Start the created container `id`; returns when its program was executed and poststart hooks ran."""
    raise NotImplementedError
