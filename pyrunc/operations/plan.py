"""plan: the operations that create would carry out."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.operations import Context
    from pyrunc.plan.plan import Plan


def plan(context: Context, bundle: str = "", id: str = "", **flags: object) -> Plan:
    """The plan for `bundle` on this host; needs no rights, changes nothing. Flags as for create."""
    raise NotImplementedError
