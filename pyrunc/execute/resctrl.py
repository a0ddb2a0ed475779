"""Resource control groups: directories of the resctrl file system.

Spec: config-linux.md, "IntelRdt".  Kernel: Documentation/filesystems/resctrl.rst.
"""

from __future__ import annotations

import os

from pyrunc.errors import HostError, OperationError, reason_of
from pyrunc.plan.resctrl import MUST_BE_NEW, MUST_BE_SAME, MUST_EXIST

STEP = "make_resctrl_group"


class Groups:
    """The groups of one create: those made, and what was in those that are the host's, to take it back."""

    __slots__ = ("_before", "_made")

    def __init__(self) -> None:
        self._made: list[str] = []
        self._before: list[tuple[str, list[str]]] = []

    def make(self, path: str, rule: int, same: list[str], written: list[str]) -> bool:
        """Make the group and write its schemata; True if it was not there before (see the operation)."""
        try:
            if rule == MUST_EXIST:
                os.stat(f"{path}/tasks")
                return False
            os.mkdir(path, 0o755)
        except OSError as error:
            if not isinstance(error, FileExistsError) or rule == MUST_BE_NEW:
                text = f"cannot use the resctrl group {path}: {reason_of(error)}"
                raise _error(text, path, error) from error
        else:
            self._made.append(path)
            write_schemata(path, same + written)
            return True
        lines = _read_schemata(path)
        if rule == MUST_BE_SAME:
            compare_schemata(path, same, lines)
            same = []
        self._before.append((path, lines))
        write_schemata(path, same + written)
        return False

    def undo(self) -> None:
        """Give groups back their schemata, and remove those that were made."""
        for path, lines in reversed(self._before):
            write_schemata(path, lines)
        remove_groups(self._made)


def write_schemata(path: str, schemata: list[str]) -> None:
    """Write lines to the group's file `schemata`, in order; the error tells what the kernel says."""
    for line in schemata:
        try:
            _write(f"{path}/schemata", line + "\n")
        except OSError as error:
            said = _last_status(path)
            text = f"cannot write {line!r} to {path}/schemata: {reason_of(error)}"
            raise _error(f"{text} ({said})" if said else text, path, error) from error


def compare_schemata(path: str, schemata: list[str], lines: list[str]) -> None:
    """HostError unless a group with the schemata `lines` has what `schemata` ask for."""
    actual = parse_schemata(lines)
    for resource, domains in parse_schemata(schemata).items():
        for domain, value in domains.items():
            if actual.get(resource, {}).get(domain) != value:
                text = f"the class of service {path} exists and has other schemata: {resource} differs"
                raise HostError(text, step=STEP, path=path, pointer="/linux/intelRdt")


def parse_schemata(lines: list[str]) -> dict[str, dict[str, str]]:
    """Resource to domain to value; numbers without leading zeros, as the kernel may add them."""
    parsed: dict[str, dict[str, str]] = {}
    for line in lines:
        resource, _, rest = line.partition(":")
        domains = parsed.setdefault(resource.strip(), {})
        for part in rest.split(";"):
            domain, equals, value = part.partition("=")
            if equals:
                domains[domain.strip().lstrip("0") or "0"] = value.strip().lower().lstrip("0") or "0"
    return parsed


def join_group(path: str, pid: int) -> None:
    """Move a process into the group."""
    try:
        _write(f"{path}/tasks", str(pid))
    except OSError as error:
        raise _error(f"cannot write {pid} to {path}/tasks: {reason_of(error)}", path, error) from error


def remove_groups(paths: list[str]) -> None:
    """Remove groups, the last made first; what is gone is fine."""
    for path in reversed(paths):
        try:
            os.rmdir(path)
        except FileNotFoundError:
            pass


def _read_schemata(path: str) -> list[str]:
    try:
        with open(f"{path}/schemata", encoding="ascii") as file:
            return file.read().splitlines()
    except OSError as error:
        raise _error(f"cannot read {path}/schemata: {reason_of(error)}", path, error) from error


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def _last_status(path: str) -> str:
    """Why the kernel refused the last write, in its own words."""
    while path != "/" and not os.path.isdir(f"{path}/info"):
        path = os.path.dirname(path)
    try:
        with open(f"{path}/info/last_cmd_status", encoding="ascii", errors="replace") as file:
            status = file.read().strip()
    except OSError:
        return ""
    return "" if status == "ok" else status


def _error(text: str, path: str, error: OSError) -> OperationError:
    return OperationError(text, step=STEP, path=path, errno=error.errno or 0, pointer="/linux/intelRdt")
