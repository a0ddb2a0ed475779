"""What was found, as a value: rows of figures by runtime, and where they come from."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.performance.runtimes import INTERPRETER, PLAIN, SNAPSHOT, Runtime
from tests.performance.timing import BARE, Figure

OURS = (PLAIN, SNAPSHOT)


@dataclass
class Row:
    """One case: figures by runtime key, in `unit`; each holds a median, or the reason why there is none."""

    title: str
    unit: str
    about: str
    figures: dict[str, Figure]

    def median(self, key: str) -> float | None:
        """The figure that is shown; None where there is none."""
        value = self.figures.get(key, {}).get("median")
        return float(value) if value is not None else None

    def ratio(self, key: str, peer: str) -> float | None:
        """This runtime's figure divided by the peer's."""
        ours, theirs = self.median(key), self.median(peer)
        return ours / theirs if ours is not None and theirs else None


@dataclass
class Results:
    """Everything of one run.  `titles`: what each runtime is called, in the order of columns."""

    titles: dict[str, str]
    footer: str
    notes: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)

    def peers(self) -> list[str]:
        """The keys of the runtimes that are not ours."""
        return [key for key in self.titles if key not in OURS]

    def ours(self) -> list[str]:
        """The keys of ours."""
        return [key for key in self.titles if key in OURS]

    def has_bare(self) -> bool:
        """Whether a bare start of the interpreter was measured."""
        return any(BARE in row.figures for row in self.rows)

    def failures(self) -> list[str]:
        """What could not be measured, and why."""
        return [
            f"{row.title}: {self.titles.get(key, key)}: {figure['cannot']}"
            for row in self.rows
            for key, figure in row.figures.items()
            if "cannot" in figure
        ]

    def to_json(self) -> dict[str, Any]:
        """As json.dumps takes it."""
        return asdict(self)


def from_json(document: dict[str, Any]) -> Results:
    """The inverse of to_json."""
    return Results(**document | {"rows": [Row(**row) for row in document["rows"]]})


def describe_host(runtimes: Sequence[Runtime]) -> str:
    """Processor, kernel, cgroups and versions in one line; nothing that names the host."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith(("model name", "CPU part"))
        ),
        platform.machine(),
    )
    count = sum(line.startswith("processor") for line in Path("/proc/cpuinfo").read_text().splitlines())
    unified = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    python = subprocess.run([INTERPRETER, "-V"], capture_output=True, text=True, check=True).stdout.strip()
    peers = [runtime.title for runtime in runtimes if not runtime.ours]
    version = subprocess.run(["hyperfine", "--version"], capture_output=True, text=True, check=True).stdout
    parts = [
        f"{cpu}, {count} CPUs",
        f"Linux {platform.release().partition('-')[0]}",
        f"cgroup v{2 if unified else 1}",
        python,
        *peers,
        version.strip(),
    ]
    return " · ".join(parts)
