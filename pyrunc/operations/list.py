"""list: every container under the root."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.operations import Context


def list(context: Context) -> list[dict[str, object]]:
    """The state objects of all containers, in order of their ids, with owner names."""
    raise NotImplementedError
