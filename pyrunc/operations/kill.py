"""kill: send a signal to a container."""

from __future__ import annotations

import os

from pyrunc.cores import signals
from pyrunc.errors import HostError, UsageError
from pyrunc.execute.process import open_pidfd, send_signal, status_of
from pyrunc.state.lifecycle import PAUSED, STOPPED, allowed
from pyrunc.state.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.operations import Context
    from pyrunc.state.record import Record

MAXIMUM = 64
LONGEST = 32  # characters of a signal; int() refuses thousands of digits


def kill(context: Context, id: str, signal: str = "SIGTERM", all: bool = False) -> None:
    """Send `signal` to the init of `id`, or to all its processes.

    signal: a name with or without SIG, in any case, or a number.
    """
    number = parse_signal(signal or "SIGTERM")
    entry = Store(context.root).open(id)
    record = entry.read()
    status = status_of(entry, record)
    if all and status == STOPPED:
        _signal_all(record, number)
        return
    allowed("kill", status)
    if record.cgroup and (all or (number == signals.SIGKILL and not record.private_pids)):
        _signal_all(record, number)
        return
    pidfd = open_pidfd(record.pid, record.start_time)
    try:
        if pidfd < 0 or not send_signal(pidfd, number):
            allowed("kill", STOPPED)
    finally:
        if pidfd >= 0:
            os.close(pidfd)
    if number == signals.SIGKILL and status == PAUSED:
        from pyrunc.operations.delete import thaw

        try:
            thaw(record)
        except HostError as error:  # the signal waits for whoever thaws the cgroup above
            context.log.warning(error.text)


def parse_signal(text: str) -> int:
    """The number of a signal: `9`, `KILL`, `sigkill`, `SIGRTMIN+3`. UsageError if there is none."""
    if len(text) > LONGEST or not text.isascii():
        raise _unknown(text[:LONGEST])
    if text.isdigit():
        number = int(text)
        if number <= MAXIMUM:
            return number
        raise _unknown(text)
    name = text.upper()
    name = name if name.startswith("SIG") else "SIG" + name
    base, sign, offset = name, "", ""
    for sign in ("+", "-"):
        if sign in name:
            base, _, offset = name.partition(sign)
            break
    value = getattr(signals, base, None) if base[3:].isalnum() else None
    if isinstance(value, int) and not offset and base == name:
        return int(value)
    if isinstance(value, int) and base in ("SIGRTMIN", "SIGRTMAX") and offset.isdigit():
        number = value + int(offset) if sign == "+" else value - int(offset)
        if signals.SIGRTMIN <= number <= signals.SIGRTMAX:
            return number
    raise _unknown(text)


def _unknown(text: str) -> UsageError:
    return UsageError(
        f"unknown signal {text!r}", hint=f"want a name, as TERM or SIGRTMIN+3, or a number up to {MAXIMUM}"
    )


def _signal_all(record: Record, number: int) -> None:
    """Signal every process of the container's cgroup."""
    if not record.cgroup:
        return
    from pyrunc.cgroup.driver import open_cgroup

    cgroup = open_cgroup(record.cgroup)
    if number == signals.SIGKILL:
        cgroup.kill()
        return
    from pyrunc.cgroup.processes import signal_all

    signal_all(cgroup.procs, number)
