"""validate: everything that is wrong with a bundle."""

from __future__ import annotations

import os

from pyrunc.spec.load import validate_bundle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.errors import SpecError
    from pyrunc.operations import Context


def validate(context: Context, bundle: str = "") -> list[SpecError]:
    """All violations in the bundle's config.json; an empty list if there are none."""
    return validate_bundle(os.path.abspath(bundle or "."))
