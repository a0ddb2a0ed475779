"""ps: the processes of a container."""

from __future__ import annotations

from pyrunc.cgroup.driver import open_cgroup
from pyrunc.errors import HostError, UsageError
from pyrunc.execute.process import caller_environment, status_of
from pyrunc.state.lifecycle import STOPPED
from pyrunc.state.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyrunc.operations import Context


def ps(context: Context, id: str) -> list[int] | None:
    """The host pids of the container's processes; None if it is stopped."""
    entry = Store(context.root).open(id)
    record = entry.read()
    if status_of(entry, record) == STOPPED:
        return None
    if not record.cgroup:
        from pyrunc.execute.members import members_of

        return members_of(record)
    return sorted(open_cgroup(record.cgroup).procs())


def table(context: Context, id: str, arguments: Sequence[str] = ("-ef",)) -> str:
    """What the program ps(1) with `arguments` prints, cut down to the container's processes."""
    import subprocess

    pids = {str(pid) for pid in ps(context, id) or ()}
    environment = dict(entry.split(b"=", 1) for entry in caller_environment())
    result = subprocess.run(
        ["ps", *arguments], env=environment, capture_output=True, encoding="utf-8",
        errors="surrogateescape", check=False,
    )  # fmt: skip
    if result.returncode:
        raise HostError(f"ps failed: {result.stderr.strip()}", step="ps")
    lines = result.stdout.split("\n")
    titles = lines[0].split() if lines else []
    if "PID" not in titles:
        raise UsageError("couldn't find PID field in ps output", hint="ask for it: ps ID -o pid,cmd")
    column = titles.index("PID")
    kept = [line for line in lines[1:] if len(fields := line.split()) > column and fields[column] in pids]
    return "\n".join([lines[0], *kept]) + "\n"
