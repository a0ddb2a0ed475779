"""resume: thaw a container's processes."""

from __future__ import annotations

from pyrunc.cgroup.driver import open_cgroup
from pyrunc.errors import HostError
from pyrunc.execute.process import status_of
from pyrunc.state.lifecycle import allowed
from pyrunc.state.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.operations import Context


def resume(context: Context, id: str) -> None:
    """Let the processes go on of the container `id`."""
    entry = Store(context.root).open(id)
    record = entry.read()
    allowed("resume", status_of(entry, record))
    if not record.cgroup:
        raise HostError("the container has no cgroup that could be frozen", step="resume")
    open_cgroup(record.cgroup).thaw()
