"""state: what a container is now."""

from __future__ import annotations

from pyrunc.execute.process import status_of
from pyrunc.state.lifecycle import STOPPED
from pyrunc.state.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.operations import Context
    from pyrunc.state.record import Record
    from pyrunc.state.store import Entry


def state(context: Context, id: str) -> dict[str, object]:
    """The OCI state of container `id` in runc's order of keys (owner is empty)."""
    entry = Store(context.root).open(id)
    try:
        return describe(entry, entry.read())
    finally:
        entry.close()


def describe(entry: Entry, record: Record, owner: str = "") -> dict[str, object]:
    """The state object of an open entry."""
    status = status_of(entry, record)
    result: dict[str, object] = {
        "ociVersion": record.oci_version,
        "id": record.id,
        "pid": 0 if status == STOPPED else record.pid,
        "status": status,
        "bundle": record.bundle,
        "rootfs": record.rootfs,
        "created": record.created,
    }
    if record.annotations:
        result["annotations"] = record.annotations
    result["owner"] = owner
    return result
