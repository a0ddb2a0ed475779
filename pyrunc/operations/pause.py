"""pause: freeze a container's processes."""

from __future__ import annotations

from pyrunc.cgroup.driver import open_cgroup
from pyrunc.execute.process import status_of
from pyrunc.state.lifecycle import allowed
from pyrunc.state.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.operations import Context


def pause(context: Context, id: str) -> None:
    """Freeze all processes of the container `id`."""
    entry = Store(context.root).open(id)
    entry.lock()  # frozen on cgroup v1, a process that `delete --force` kills could not die
    record = entry.read()
    allowed("pause", status_of(entry, record))
    open_cgroup(record.cgroup).freeze()
    entry.close()
