"""features: what this runtime implements, whatever the host (runtime-spec features.md)."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.operations import Context


def features(context: Context) -> dict[str, object]:
    """The features structure."""
    raise NotImplementedError
