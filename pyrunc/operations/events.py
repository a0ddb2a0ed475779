"""events: what a container uses, and when it runs out of memory."""

from __future__ import annotations

import os
import select
import time

from pyrunc.cgroup.driver import open_cgroup
from pyrunc.cgroup.oom import OomWatch
from pyrunc.cgroup.stats import read_stats
from pyrunc.errors import HostError, UsageError
from pyrunc.execute.process import open_pidfd, status_of
from pyrunc.host.facts import read_hugepage_sizes
from pyrunc.state.lifecycle import allowed
from pyrunc.state.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from pyrunc.cgroup.driver import Cgroup
    from pyrunc.operations import Context

DEFAULT_INTERVAL = "5s"
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}  # "m" after "ms"


def events(context: Context, id: str, *, interval: str = "", stats: bool = False) -> Iterator[dict[str, Any]]:
    """Events of the container `id` until it ends: `stats` at every interval, `oom` when it happens.

    interval: a duration such as 1m30s or 100ms, "" = 5s.  stats: one `stats` event and no more.
    """
    seconds = parse_duration(interval or DEFAULT_INTERVAL)
    if seconds <= 0:
        raise UsageError(f"duration interval must be greater than 0, found {interval}")
    entry = Store(context.root).open(id)
    record = entry.read()
    allowed("events", status_of(entry, record), id)
    entry.close()
    if not record.cgroup:
        raise HostError("the container has no cgroup of its own whose use could be shown", step="events")
    cgroup = open_cgroup(record.cgroup)
    sizes = read_hugepage_sizes()
    if stats:
        yield {"type": "stats", "id": id, "data": read_stats(cgroup, sizes)}
        return
    pidfd = open_pidfd(record.pid, record.start_time)
    try:
        if pidfd >= 0:
            yield from _follow(id, cgroup, pidfd, seconds, sizes)
    finally:
        if pidfd >= 0:
            os.close(pidfd)


def _follow(
    id: str, cgroup: Cgroup, pidfd: int, seconds: float, sizes: list[str]
) -> Iterator[dict[str, Any]]:
    """Events until the process of `pidfd` ends."""
    watch = _watch(cgroup)
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    if watch:
        poll.register(watch.fd, watch.events)
    due = time.monotonic()
    try:
        while True:
            left = due - time.monotonic()
            if left <= 0:
                yield {"type": "stats", "id": id, "data": read_stats(cgroup, sizes)}
                due = time.monotonic() + seconds
                left = seconds
            ready = {fd for fd, _ in poll.poll(min(int(left * 1000) + 1, 2_000_000_000))}
            if watch and ready:
                for _ in range(watch.count()):
                    yield {"type": "oom", "id": id}
            if pidfd in ready:
                return
    finally:
        if watch:
            watch.close()


def _watch(cgroup: Cgroup) -> OomWatch | None:
    try:
        return OomWatch(cgroup)
    except OSError:
        return None


def parse_duration(text: str) -> float:
    """Seconds of a duration as Go writes it (1m30s, 1.5s, 100ms); UsageError if it is none."""
    rest, total = text.removeprefix("+"), 0.0
    if rest == "0":
        return 0.0
    while rest:
        digits = 0
        while digits < len(rest) and rest[digits] in "0123456789.":
            digits += 1
        unit = next((unit for unit in _UNITS if rest[digits:].startswith(unit)), "")
        number = rest[:digits]
        if not unit or number.count(".") > 1 or not number.strip("."):
            break
        total += float(number) * _UNITS[unit]
        rest = rest[digits + len(unit) :]
    if rest or not text:
        raise UsageError(f"invalid duration {text!r}: want a number with a unit, as 5s or 100ms")
    return total
