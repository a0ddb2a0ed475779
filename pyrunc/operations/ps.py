"""ps: the processes of a container."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyrunc.operations import Context


def ps(context: Context, id: str) -> list[int] | None:
    """The host pids of the container's processes; None if it is stopped."""
    raise NotImplementedError


def table(context: Context, id: str, arguments: Sequence[str] = ("-ef",)) -> str:
    """What the program ps(1) with `arguments` prints, cut down to the container's processes."""
    raise NotImplementedError
