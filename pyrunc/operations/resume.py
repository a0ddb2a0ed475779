"""resume: freeze and thaw a container's processes."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.operations import Context


def resume(context: Context, id: str) -> None:
    """Resume the container `id`."""
    raise NotImplementedError
