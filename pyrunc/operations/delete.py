"""delete: remove what create made."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.operations import Context


def delete(context: Context, id: str, force: bool = False) -> None:
    """Delete the stopped container `id`; force: kill it first, and no error if there is none."""
    raise NotImplementedError
