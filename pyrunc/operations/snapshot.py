"""snapshot: the startup image of this host, opt-in and for root (see `pyrunc.snapshot`)."""

from __future__ import annotations

import os

from pyrunc.errors import HostError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.operations import Context

ACTIONS = ("build", "status", "remove")


def snapshot(context: Context, action: str, *, directory: str = "") -> str:
    """Carry out `action`; returns what there is to say.  directory: where images are ("": the default)."""
    try:
        from pyrunc.snapshot import place
    except ImportError:
        raise HostError("this pyrunc was built without the startup snapshot") from None
    where = os.path.abspath(directory) if directory else place.DIRECTORY
    if action == "status":
        from pyrunc.snapshot.status import describe

        return describe(where)
    if action not in ACTIONS:
        raise UsageError(f"snapshot: {action!r} is not one of {', '.join(ACTIONS)}")
    from pyrunc.snapshot import build

    if action == "remove":
        build.remove(where)
        return "removed\n"
    return f"built {build.build(where)}\n"
