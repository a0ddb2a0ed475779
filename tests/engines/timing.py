"""`make time-engines`: `run --rm … true` through each engine, the runtimes in turn.

Prints median and quartiles as a Markdown table; `--publish` puts it into README.md.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.cgroups import hugetlb_hierarchy
from tests.engines.census import Census
from tests.engines.engines import Containerd, Docker, docker_runtimes, podman_in
from tests.engines.images import REFERENCE, make_oci_archive, make_root, make_tar
from tests.performance.runtimes import PLAIN, Runtime, installed, peers

README = Path(__file__).resolve().parents[2] / "README.md"
BEGIN, END = "<!-- engines: begin -->", "<!-- engines: end -->"
ENOUGH_ROUNDS = 30

Runtimes = Mapping[str, Runtime]

Call = Callable[[str], list[str]]
"""The command line that runs `true` with the runtime of that name."""


def timed(command: list[str], environment: Mapping[str, str]) -> float:
    """Milliseconds of one client call, which has to succeed."""
    begin = time.perf_counter()
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    took = (time.perf_counter() - begin) * 1000
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return took


def measure(title: str, runtimes: Runtimes, call: Call, environment: Mapping[str, str], rounds: int) -> str:
    """One row of the table; the first round, which warms up, does not count."""
    samples: dict[str, list[float]] = {name: [] for name in runtimes}
    for turn in range(rounds + 1):
        for name in runtimes:
            took = timed(call(name), environment)
            if turn:
                samples[name].append(took)
    cells = []
    for values in samples.values():
        low, middle, high = statistics.quantiles(values, n=4)
        cells.append(f"{middle:.0f} ({low:.0f}–{high:.0f})")
    return f"| `{title}` | " + " | ".join(cells) + " |"


def with_containerd(scratch: Path, tar: Path, runtimes: Runtimes, rounds: int) -> str:
    engine = Containerd(scratch / "ctrd", runtimes[PLAIN].program[0])
    try:
        engine.ctr.ok("images", "import", str(make_oci_archive(tar, scratch / "oci.tar")))

        def call(name: str) -> list[str]:
            identifier = f"t{uuid.uuid4().hex[:10]}"
            return [
                "ctr",
                "run",
                "--rm",
                "--runc-binary",
                runtimes[name].program[0],
                REFERENCE,
                identifier,
                "/bin/true",
            ]

        return measure("ctr run --rm … true", runtimes, call, engine.ctr.environment, rounds)
    finally:
        engine.daemon.stop()


def with_docker(scratch: Path, tar: Path, runtimes: Runtimes, rounds: int) -> str:
    named = docker_runtimes(
        {f"my-{name}": runtime.program[0] for name, runtime in runtimes.items()}
    )  # "runc" is taken
    engine = Docker(scratch / "dk", runtimes[PLAIN].program[0], *named)
    try:
        engine.docker.ok("import", str(tar), "bb:latest")

        def call(name: str) -> list[str]:
            return [
                *engine.docker.prefix,
                "run",
                "--rm",
                "--network=none",
                "--runtime",
                f"my-{name}",
                "bb",
                "true",
            ]

        return measure("docker run --rm … true", runtimes, call, engine.docker.environment, rounds)
    finally:
        engine.stop()


def with_podman(scratch: Path, tar: Path, runtimes: Runtimes, rounds: int) -> str:
    names = ", ".join(f'"{name}"' for name in runtimes)
    table = f"[engine]\nruntime_supports_json = [{names}]\n[engine.runtimes]\n"
    table += "".join(f'{name} = ["{runtime.program[0]}"]\n' for name, runtime in runtimes.items())
    with podman_in(scratch / "pm", table) as podman:
        podman.ok("import", str(tar), "bb")

        def call(name: str) -> list[str]:
            return [*podman.prefix, "--runtime", name, "run", "--rm", "--network=none", "bb", "true"]

        return measure("podman run --rm … true", runtimes, call, podman.environment, rounds)


def publish(table: str) -> None:
    """Put the table between its markers in README.md."""
    before, begin, rest = README.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    assert begin and end, f"{README}: no {BEGIN} … {END}"
    README.write_text(
        f"{before}{begin}\n<!-- written by make time-engines BENCH_FLAGS=--publish -->\n{table}\n{end}{after}"
    )


def table(scratch: Path, runtimes: Runtimes, rounds: int) -> str:
    """Start the engines one after the other; a row of each."""
    tar = make_tar(make_root(scratch / "rootfs"), scratch / "rootfs.tar")
    titles = [runtime.title for runtime in runtimes.values()]
    rows = ["| ms | " + " | ".join(titles) + " |", "|---|" + "---:|" * len(titles)]
    print(*rows, sep="\n", flush=True)
    with hugetlb_hierarchy():  # for crun
        for engine in (with_containerd, with_docker, with_podman):
            rows.append(engine(scratch, tar, runtimes, rounds))
            print(rows[-1], flush=True)
    machine = f"Linux {os.uname().release}, {os.cpu_count()} processors"
    return "\n".join([*rows, "", f"Medians, in brackets the quartiles, of {rounds} rounds; {machine}."])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ENOUGH_ROUNDS)
    parser.add_argument(
        "--publish", action="store_true", help=f"write {README.name}; from {ENOUGH_ROUNDS} rounds on"
    )
    options = parser.parse_args()
    if options.publish and options.rounds < ENOUGH_ROUNDS:
        parser.error(f"fewer than {ENOUGH_ROUNDS} rounds are not published")
    scratch = Path(tempfile.mkdtemp(prefix="pt-", dir="/tmp"))
    scratch.chmod(0o755)
    host = Census(scratch)
    try:
        with installed(scratch) as ours:
            runtimes = {runtime.key: runtime for runtime in [*ours, *peers(scratch)]}
            made = table(scratch, runtimes, options.rounds)
    finally:
        host.tidy()
        subprocess.run(["rm", "-rf", "--one-file-system", str(scratch)], check=False)
    if options.publish:
        publish(made)


if __name__ == "__main__":
    main()
