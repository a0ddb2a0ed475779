"""Which container a cgroup belongs to, by the records."""

from __future__ import annotations

import os

from pyrunc.errors import StateError
from pyrunc.execute.process import status_of
from pyrunc.state.lifecycle import STOPPED
from pyrunc.state.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.state.store import Entry


def find_claim(entry: Entry, path: str) -> str:
    """The id of a container beside `entry` that is not stopped and has the cgroup `path`; "" = none."""
    store = Store(os.path.dirname(entry.dir))
    for id in store.list():
        if id == entry.id:
            continue
        try:
            other = store.open(id)
            record = other.read()
        except StateError:  # it goes, or has made nothing yet
            continue
        if path in record.cgroup.get("paths", {}).values() and status_of(other, record) != STOPPED:
            return id
    return ""
