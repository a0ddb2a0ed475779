"""kill: send a signal to a container."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.operations import Context


def kill(context: Context, id: str, signal: str = "SIGTERM", all: bool = False) -> None:
    """Send `signal` (name with or without SIG in any case, or a number) to the init of `id`, or to all processes."""
    raise NotImplementedError
