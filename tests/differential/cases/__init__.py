"""One bundle per feature, as data; `test_differential` runs them under two runtimes.

A case changes one thing in the base config and says what to ask the probe.
Where we differ on purpose, `difference` maps the compared place (a prefix of
its path, see `compare`) to the reason, with the sentence of the specification
that asks for it.  A reason that no longer holds fails the test.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.harness import Bundle

Prepare = Callable[[Bundle, "Lab"], object]


class Lab:
    """What a case may use besides its bundle: a scratch folder and namespaces held by a process."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.holders: list[subprocess.Popen[bytes]] = []

    def folder(self, name: str) -> Path:
        path = self.directory / name
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o755)
        return path

    def file(self, name: str, text: str = "from the host\n") -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def namespace(self, kind: str) -> str:
        """The path of a new namespace; `kind` as in config.json."""
        flag = {"network": "--net", "mount": "--mount"}.get(kind, f"--{kind}")
        extra = ["--fork", "--kill-child"] if kind == "pid" else []
        holder = subprocess.Popen(
            ["unshare", flag, *extra, "sh", "-c", "echo ready; exec sleep 60"], stdout=subprocess.PIPE
        )
        self.holders.append(holder)
        assert holder.stdout is not None and holder.stdout.readline() == b"ready\n"
        pid = holder.pid
        if kind == "pid":
            pid = int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
        short = {"network": "net", "mount": "mnt"}.get(kind, kind)
        return f"/proc/{pid}/ns/{short}"

    def close(self) -> None:
        for holder in self.holders:
            for child in _children(holder.pid):
                os.kill(child, 9)
            holder.kill()
            holder.wait()
            if holder.stdout:
                holder.stdout.close()


def _children(pid: int) -> list[int]:
    try:
        return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


class Case:
    """One feature.

    actions: for the probe (none and `own_args`: the case sets process.args).
    files: (controller, file) read from the container's cgroup after create; on v2 all that hold limits are.
    difference: place → reason; after a `v1:` or `v2:` for that version of cgroups alone.
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
        difference: dict[str, str] | None = None,
        needs: str = "",
        ours: dict[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.prepare = prepare
        self.actions = actions
        self.files = files
        self.flags = flags
        self.own_args = own_args
        self.difference = difference or {}
        self.needs = needs
        self.ours = ours or {}

    def differences(self, version: int) -> dict[str, str]:
        """place → reason with that version of cgroups."""
        other = f"v{3 - version}:"
        kept = {place: why for place, why in self.difference.items() if not place.startswith(other)}
        return {place.removeprefix(f"v{version}:"): why for place, why in kept.items()}


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
