"""spec: write a default config.json."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.operations import Context


def spec(context: Context, bundle: str = "", rootless: bool = False) -> None:
    """Write config.json into `bundle` ("" = current directory); an existing one is an error."""
    raise NotImplementedError
