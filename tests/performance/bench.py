"""`make bench`: every figure as a ratio to the peers, all measured in one run.

The runtimes take turns in each round, so that what else the machine does hits
them alike.  Figures are medians; the range is the quartiles.  Nothing here is
a test: a slow machine makes slow figures, not failures.

Peers: runc and crun where they are installed, or the programs named by the
environment variables RUNC and CRUN.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.performance import measure
from tests.performance.measure import Runtime

TRUE_C = "int main(void) { return 0; }\n"
SLEEP_C = "#include <unistd.h>\nint main(void) { for (;;) pause(); }\n"

Case = Callable[[Runtime], float]


def compile_static(source: str, target: Path) -> Path:
    """A static program, from musl where there is musl-gcc."""
    compiler = shutil.which("musl-gcc") or shutil.which("gcc") or "cc"
    command = [compiler, "-static", "-Os", "-s", "-x", "c", "-", "-o", str(target)]
    subprocess.run(command, input=source.encode(), check=True)
    return target


def find_runtimes(pyrunc: Sequence[str], scratch: Path) -> list[Runtime]:
    """pyrunc and every peer that can run a container here."""
    found = [Runtime("pyrunc", pyrunc, scratch)]
    for name in ("runc", "crun"):
        program = os.environ.get(name.upper()) or shutil.which(name)
        if program is None:
            print(f"{name}: not installed, left out")
        else:
            found.append(Runtime(name, [program], scratch))
    return found


class Bench:
    """The bundles and one method per measured cycle, each returning milliseconds."""

    def __init__(self, scratch: Path) -> None:
        true = compile_static(TRUE_C, scratch / "true")
        sleeper = compile_static(SLEEP_C, scratch / "sleeper")
        self.true = measure.make_bundle(scratch / "bundle-true", true, [])
        self.sleep = measure.make_bundle(scratch / "bundle-sleep", sleeper, [])

    def run(self, runtime: Runtime) -> float:
        return measure.spawn_milliseconds([*runtime.program, "run", runtime.new_id()], self.true)

    def cycle(self, runtime: Runtime) -> float:
        """create, start, delete --force of a container that is still running."""
        identifier = runtime.new_id()
        return sum(
            measure.spawn_milliseconds([*runtime.program, *command, identifier], self.sleep)
            for command in (["create"], ["start"], ["delete", "--force"])
        )

    def single(self, runtime: Runtime, verb: str) -> float:
        """One command against a container in the status that it needs."""
        identifier = runtime.new_id()
        runtime.must("create", identifier, cwd=self.sleep)
        try:
            if verb != "start":
                runtime.must("start", identifier)
            if verb == "delete":
                pid = measure.container_pid(runtime, identifier)
                measure.end_process(pid)
                while Path(f"/proc/{pid}").exists():
                    time.sleep(0.002)
            command = [*runtime.program, verb, identifier]
            if verb == "kill":
                command.append("CONT")
            return measure.spawn_milliseconds(command, self.sleep)
        finally:
            runtime.call("delete", "--force", identifier)

    def exec(self, runtime: Runtime) -> float:
        """exec of true in a running container."""
        identifier = runtime.new_id()
        shutil.copy(self.true / "rootfs" / "program", self.sleep / "rootfs" / "true")
        runtime.must("create", identifier, cwd=self.sleep)
        try:
            runtime.must("start", identifier)
            return measure.spawn_milliseconds([*runtime.program, "exec", identifier, "/true"], self.sleep)
        finally:
            runtime.call("delete", "--force", identifier)


def in_turns(runtimes: Sequence[Runtime], case: Case, rounds: int) -> dict[str, list[float]]:
    """Samples per runtime, one of each per round; a runtime that cannot do it is left out."""
    samples: dict[str, list[float]] = {}
    able = []
    for runtime in runtimes:
        try:
            case(runtime)
            able.append(runtime)
            samples[runtime.name] = []
        except (RuntimeError, subprocess.SubprocessError) as error:
            print(f"  left out: {error}")
    for _ in range(rounds):
        for runtime in able:
            samples[runtime.name].append(case(runtime))
    return samples


def print_row(title: str, samples: dict[str, list[float]]) -> None:
    """One line: medians with quartiles, then ours as a ratio to each peer."""
    cells = []
    ours = statistics.median(samples["pyrunc"]) if "pyrunc" in samples else None
    for name, values in samples.items():
        low, middle, high = statistics.quantiles(values, n=4)
        cells.append(f"{name} {middle:6.2f} ms ({low:.2f}–{high:.2f})")
        if ours is not None and name != "pyrunc":
            cells[-1] += f" ratio {ours / middle:.2f}"
    print(f"{title:34} " + "   ".join(cells), flush=True)


def print_times(bench: Bench, runtimes: Sequence[Runtime], rounds: int) -> None:
    """The table of times."""
    cases: list[tuple[str, Case]] = [
        ("run true", bench.run),
        ("create+start+delete --force", bench.cycle),
        ("exec true", bench.exec),
    ]
    for verb in ("start", "state", "kill", "delete"):
        cases.append((verb, lambda runtime, verb=verb: bench.single(runtime, verb)))  # type: ignore[misc]
    python = [os.path.realpath("/usr/bin/python3"), "-I", "-S", "-c", "pass"]
    bare = [measure.spawn_milliseconds(python, Path("/")) for _ in range(rounds)]
    print(f"{'bare python3 -I -S -c pass':34} {statistics.median(bare):6.2f} ms")
    for title, case in cases:
        print_row(title, in_turns(runtimes, case, rounds))


def print_memory(bench: Bench, runtimes: Sequence[Runtime]) -> None:
    """Bytes charged to a created container's cgroup, and the smallest limit that starts."""
    for runtime in runtimes:
        identifier = runtime.new_id()
        if runtime.call("create", identifier, cwd=bench.sleep) != 0:
            print(f"{runtime.name}: create failed, left out")
            continue
        charged = measure.charged_bytes(measure.container_pid(runtime, identifier))
        runtime.call("delete", "--force", identifier)
        limit = measure.smallest_limit(runtime, bench.true)
        held = "no memory cgroup" if charged is None else f"{charged // 1024} KiB"
        print(f"{runtime.name:8} charged at create: {held}; smallest memory limit that runs true: {limit} KiB")


def print_many(bench: Bench, runtimes: Sequence[Runtime], count: int) -> None:
    """`count` containers created, started, listed and deleted, in a row and eight at a time."""
    for runtime in runtimes:
        for workers in (1, 8):
            identifiers = [runtime.new_id() for _ in range(count)]

            def life(identifier: str, runtime: Runtime = runtime) -> None:
                runtime.must("create", identifier, cwd=bench.sleep)
                runtime.must("start", identifier)

            def death(identifier: str, runtime: Runtime = runtime) -> None:
                runtime.must("delete", "--force", identifier)

            begin = time.perf_counter()
            try:
                with ThreadPoolExecutor(workers) as pool:
                    list(pool.map(life, identifiers))
                    listed = time.perf_counter()
                    runtime.must("list")
                    list(pool.map(death, identifiers))
            except (RuntimeError, subprocess.SubprocessError) as error:
                print(f"{runtime.name}: {error}")
                for identifier in identifiers:
                    runtime.call("delete", "--force", identifier)
                continue
            each = (time.perf_counter() - begin) * 1000 / count
            started = (listed - begin) * 1000 / count
            print(
                f"{runtime.name:8} {count} containers, {workers} at a time: {each:.1f} ms each "
                f"({started:.1f} to start)",
                flush=True,
            )


def main() -> None:
    """Parse the few options and print everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pyrunc", default=os.environ.get("PYRUNC", ".venv/bin/pyrunc"))
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--count", type=int, default=200)
    options = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("make bench makes containers and needs root")
    scratch = Path(tempfile.mkdtemp(prefix="pyrunc-bench-"))
    try:
        runtimes = find_runtimes([os.path.abspath(options.pyrunc)], scratch)
        bench = Bench(scratch)
        print_times(bench, runtimes, options.rounds)
        print_memory(bench, runtimes)
        print_many(bench, runtimes, options.count)
    finally:
        os.chdir("/")
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
