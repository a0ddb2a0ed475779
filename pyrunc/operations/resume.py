"""resume: thaw a container's processes."""

from __future__ import annotations

from pyrunc.cgroup.driver import open_cgroup
from pyrunc.execute.process import lock_container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.operations import Context


def resume(context: Context, id: str) -> None:
    """Let the processes of the container `id` go on."""
    entry, record = lock_container(context.root, id, "resume")
    open_cgroup(record.cgroup).thaw()
    entry.close()
