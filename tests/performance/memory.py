"""How memory is measured: of the command, of the container, and the least that a container starts with.  All in KiB."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.performance.bundles import limit_memory
from tests.performance.runtimes import CannotRun, Runtime, output
from tests.performance.timing import Bench, Figure, describe

STEP = 16
MOST = 8192
TRIES = 5
PATIENCE = 5  # seconds: a runtime that hangs at a limit has not started


def peak(bench: Bench, runtime: Runtime) -> float:
    """Highest resident memory of `run` of true, over the command, its children and the container."""
    command = bench.command("run -b {true} {id}", runtime)
    return float(output([bench.chain, "-p", *command]))


def charged(bench: Bench, runtime: Runtime) -> float:
    """What the memory cgroup of a created container is charged for."""
    identifier = runtime.identifier()
    output(bench.command("create -b {true} {id}", runtime))
    try:
        state = json.loads(runtime.call("state", identifier))
        return _usage(int(state["pid"])) / 1024
    finally:
        runtime.clean()


def _usage(pid: int) -> int:
    """Bytes charged now to the memory cgroup of `pid`.  Raises CannotRun where there is none."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        number, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return int(Path(f"/sys/fs/cgroup/memory{path}/memory.usage_in_bytes").read_text())
        current = Path(f"/sys/fs/cgroup{path}/memory.current")
        if number == "0" and current.exists():
            return int(current.read_text())
    raise CannotRun("the container has no memory cgroup")


def smallest_limit(bench: Bench, runtime: Runtime) -> float:
    """The smallest limit of memory and swap with which `run` of true succeeds TRIES times in a row."""
    low, high = 0, MOST
    while high - low > STEP:
        middle = (low + high) // 2 // STEP * STEP
        good = all(_starts(bench, runtime, middle) for _ in range(TRIES))
        low, high = (low, middle) if good else (middle, high)
    return high


def _starts(bench: Bench, runtime: Runtime, limit: int) -> bool:
    bundle = limit_memory(bench.bundles["true"], limit * 1024, bench.scratch / "bundle-limited")
    try:
        runtime.call("run", "-b", str(bundle), runtime.identifier(), timeout=PATIENCE)
    except CannotRun:
        runtime.clean()
        return False
    return True


ROWS: tuple[tuple[str, str, int, Callable[[Bench, Runtime], float]], ...] = (
    ("peak memory of run", "the command, its children and the container", 5, peak),
    ("charged at create", "to the container's cgroup, before start", 9, charged),
    ("smallest memory limit", "memory and swap; a static `true` runs", 1, smallest_limit),
)


def measure(
    bench: Bench, runtimes: Sequence[Runtime], samples: int, read: Callable[[Bench, Runtime], float]
) -> dict[str, Figure]:
    """One row, the runtimes in turns."""
    values: dict[str, list[float]] = {runtime.key: [] for runtime in runtimes}
    figures: dict[str, Figure] = {}
    for _ in range(samples):
        for runtime in runtimes:
            try:
                values[runtime.key].append(read(bench, runtime))
            except CannotRun as reason:
                figures[runtime.key] = {"cannot": str(reason)}
    return {key: figures.get(key) or describe(found) for key, found in values.items()}
