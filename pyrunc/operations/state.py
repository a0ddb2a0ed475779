"""state: what a container is now."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.operations import Context


def state(context: Context, id: str) -> dict[str, object]:
    """The OCI state of container `id` in runc's order of keys (owner is empty)."""
    raise NotImplementedError
