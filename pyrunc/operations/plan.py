"""plan: the operations that create would carry out."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.plan.plan import Plan

    from pyrunc.operations import Context


def plan(context: Context, bundle: str = "", id: str = "", **flags: object) -> Plan:
    """The plan for `bundle` on this host; needs no rights, changes nothing. Flags as for create."""
    raise NotImplementedError
