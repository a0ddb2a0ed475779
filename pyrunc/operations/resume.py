"""resume: thaw a container's processes."""

from __future__ import annotations

from pyrunc.cgroup.driver import open_cgroup
from pyrunc.execute.process import status_of
from pyrunc.state.lifecycle import allowed
from pyrunc.state.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.operations import Context


def resume(context: Context, id: str) -> None:
    """Let the processes of the container `id` go on."""
    entry = Store(context.root).open(id)
    entry.lock()
    record = entry.read()
    allowed("resume", status_of(entry, record))
    open_cgroup(record.cgroup).thaw()
    entry.close()
