"""delete: remove what create made."""

from __future__ import annotations

import os

from pyrunc.cores import signals
from pyrunc.errors import HostError, StateError
from pyrunc.execute.process import oci_state, open_pidfd, send_signal, status_of, wait_gone
from pyrunc.state.lifecycle import STOPPED, allowed
from pyrunc.state.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.operations import Context, Log
    from pyrunc.state.record import Record
    from pyrunc.state.store import Entry


def delete(context: Context, id: str, force: bool = False) -> None:
    """Delete the stopped container `id`; force: kill it first, and no error if there is none.

    Spec runtime.md, "Delete".  Works from whatever a killed runtime left.
    """
    try:
        entry = Store(context.root).open(id)
        if not entry.lock(wait=not force):
            _kill_init(entry)  # so that the command that holds the lock fails and gives it up
            entry.lock()
    except StateError:
        if force:
            return
        raise
    try:
        record = entry.read()
    except StateError as error:
        if not force:
            raise
        if not isinstance(error.__cause__, FileNotFoundError):
            context.log.warning(f"{error.text}; its processes and cgroups, if there are any, stay")
        entry.remove()  # without a record nothing else was done yet
        return
    if not force:
        allowed("delete", status_of(entry, record), id)
    destroy(context.log, entry, record)


def destroy(log: Log, entry: Entry, record: Record) -> None:
    """Kill what lives, remove cgroup and record, run the poststop hooks; the entry is closed."""
    _kill_init(entry, record)
    if record.root_mount:
        from pyrunc.execute.root_mount import detach_root_mount

        detach_root_mount(record)
    if record.cgroup:
        from pyrunc.cgroup.driver import open_cgroup

        cgroup = open_cgroup(record.cgroup)
        cgroup.kill()
        cgroup.remove()
    if record.resctrl:
        from pyrunc.execute.resctrl import remove_groups

        remove_groups(record.resctrl)
    entry.remove()
    entry.close()
    if hooks := record.hooks.get("poststop"):
        from pyrunc.execute.hooks import run_poststop

        run_poststop(hooks, oci_state(record, STOPPED, 0), record.bundle, log.warning)


def _kill_init(entry: Entry, record: Record | None = None) -> None:
    """SIGKILL to the init, if there is one, and wait until it is gone."""
    if record is None:
        try:
            record = entry.read()
        except StateError:
            return
    pidfd = open_pidfd(record.pid, record.start_time)
    if pidfd < 0:
        return
    try:
        send_signal(pidfd, signals.SIGKILL)
        thaw(record)
        if not wait_gone(pidfd):
            text = f"the init of container {record.id} (pid {record.pid}) does not die"
            raise HostError(text, step="delete")
    finally:
        os.close(pidfd)


def thaw(record: Record) -> None:
    """Let a paused container take its SIGKILL: on cgroup v1 a frozen process cannot die."""
    if record.cgroup.get("version") != 1:
        return
    from pyrunc.cgroup.driver import open_cgroup

    cgroup = open_cgroup(record.cgroup)
    try:
        if cgroup.frozen():
            cgroup.thaw()
    except FileNotFoundError:
        pass
