"""pause: freeze a container's processes."""

from __future__ import annotations

from pyrunc.cgroup.driver import open_cgroup
from pyrunc.execute.process import lock_container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.operations import Context


def pause(context: Context, id: str) -> None:
    """Freeze all processes of the container `id`."""
    # locked, or on cgroup v1 what `delete --force` kills meanwhile would be frozen and could not die
    entry, record = lock_container(context.root, id, "pause")
    open_cgroup(record.cgroup).freeze()
    entry.close()
