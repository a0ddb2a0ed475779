"""One bundle per feature, as data; `test_differential` runs them under two runtimes.

A case changes one thing in the base config and says what to ask the probe.
Where we differ from a peer on purpose, `runc` or `crun` (or `difference`, for both) maps the
compared place (a prefix of its path, see `compare`) to the reason, with the sentence of the
specification that decides it.  A reason that no longer holds fails the test.  A place after
`v1:` or `v2:` differs on that version of cgroups only, after `shared:` where the host shares
its mounts, after `newer:` with releases later than Debian 12's only.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

from tests.differential.lab import Lab
from tests.harness import Bundle

__all__ = ["Case", "Lab", "both", "bind", "drop", "mount", "put"]

Prepare = Callable[[Bundle, Lab], object]


class Case:
    """One feature.

    actions: for the probe (none and `own_args`: the case sets process.args).
    files: (controller, file) read from the container's cgroup after create; on v2 all that hold limits are.
    exec: a command to exec before start; collect: files of the lab, read after delete.
    runc, crun, difference (both): place → reason; without: peer → why it cannot run this case.
    needs: what the host must have, else the case is skipped: `v1` or `v2`, cgroup controllers.
    """

    def __init__(
        self,
        name: str,
        prepare: Prepare,
        *actions: str,
        files: tuple[tuple[str, str], ...] = (),
        flags: tuple[str, ...] = (),
        own_args: bool = False,
        exec: tuple[str, ...] = (),
        collect: tuple[str, ...] = (),
        difference: dict[str, str] | None = None,
        runc: dict[str, str] | None = None,
        crun: dict[str, str] | None = None,
        without: dict[str, str] | None = None,
        needs: str = "",
    ) -> None:
        self.name = name
        self.prepare = prepare
        self.actions = actions
        self.files = files
        self.flags = flags
        self.own_args = own_args
        self.exec = exec
        self.collect = collect
        self.reasons = {
            peer: {**(difference or {}), **(own or {})} for peer, own in (("runc", runc), ("crun", crun))
        }
        self.without = without or {}
        self.needs = needs


def put(pointer: str, value: Any) -> Prepare:
    """Set one property: `put("/process/cwd", "/tmp")`."""

    def prepare(bundle: Bundle, lab: Lab) -> None:
        *folders, leaf = pointer.strip("/").split("/")
        place = bundle.config
        for folder in folders:
            place = place.setdefault(folder, {})
        place[leaf] = value

    return prepare


def drop(pointer: str) -> Prepare:
    """Remove one property."""

    def prepare(bundle: Bundle, lab: Lab) -> None:
        *folders, leaf = pointer.strip("/").split("/")
        place = bundle.config
        for folder in folders:
            place = place[folder]
        place.pop(leaf, None)

    return prepare


def both(*steps: Prepare) -> Prepare:
    """Several steps in order."""

    def prepare(bundle: Bundle, lab: Lab) -> None:
        for step in steps:
            step(bundle, lab)

    return prepare


def mount(destination: str, kind: str, source: str, *options: str) -> Prepare:
    """Add a mount."""
    return lambda bundle, lab: bundle.mount(destination, kind, source, *options)


def bind(destination: str, *options: str, name: str = "source", file: bool = False) -> Prepare:
    """Bind a folder (with a file `inside`) or a file of the host."""

    def prepare(bundle: Bundle, lab: Lab) -> None:
        source = lab.file(name) if file else lab.folder(name)
        if not file:
            lab.file(f"{name}/inside")
        bundle.mount(destination, "bind", str(source), *(options or ("bind",)))

    return prepare


def _all() -> list[tuple[str, Case]]:
    """Every case by the name of its module and its own."""
    modules = [importlib.import_module(f"{__name__}.{each.name}") for each in pkgutil.iter_modules(__path__)]
    return [
        (f"{module.__name__.rpartition('.')[2]}-{case.name}", case)
        for module in modules
        for case in module.CASES
    ]


ALL = _all()
