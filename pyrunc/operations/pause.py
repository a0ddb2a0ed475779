"""pause: freeze and thaw a container's processes."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.operations import Context


def pause(context: Context, id: str) -> None:
    """Pause the container `id`."""
    raise NotImplementedError
