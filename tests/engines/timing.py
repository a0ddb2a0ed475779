"""`make time-engines`: `run --rm … true` through each engine, the runtimes in turn.

    timing.py PYRUNC [ROUNDS]

PYRUNC is an installed pyrunc; where a startup image belongs to it, it is timed
with and without.  Prints median and quartiles as a Markdown table.  From
thirty rounds on, the table replaces the one in README.md.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
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

README = Path(__file__).resolve().parents[2] / "README.md"
BLOCK = re.compile(r"(<!-- written by make time-engines -->\n).*?(<!-- end -->)", re.DOTALL)
ENOUGH_ROUNDS = 30

Call = Callable[[str], list[str]]
"""The command line that runs `true` with the runtime of that name."""


def find_runtimes(pyrunc: str) -> dict[str, str]:
    """By name: pyrunc, pyrunc with its startup image if there is one, and the peers that are installed."""
    found = {"pyrunc": pyrunc}
    script = Path(pyrunc).parents[1] / "lib/pyrunc/bin/pyrunc"
    if script.exists():
        found["pyrunc"] = str(script)
        clean = {"PATH": "/usr/bin:/bin"}  # what engines give has no variables for Python
        if "in use: yes" in subprocess.check_output([pyrunc, "snapshot", "status"], env=clean, text=True):
            found["pyrunc-snapshot"] = pyrunc
    for name in ("runc", "crun"):
        path = shutil.which(name)
        if path is not None:
            found[name] = path
    return found


def versions(runtimes: Mapping[str, str]) -> str:
    """The first line that each program says of itself."""
    lines = [
        subprocess.check_output([path, "--version"], text=True).splitlines()[0] for path in runtimes.values()
    ]
    return ", ".join(dict.fromkeys(line.replace(" version", "") for line in lines))


def timed(command: list[str], environment: Mapping[str, str]) -> float:
    """Milliseconds of one client call, which has to succeed."""
    begin = time.perf_counter()
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60
    )
    took = (time.perf_counter() - begin) * 1000
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return took


def measure(
    title: str, runtimes: Mapping[str, str], call: Call, environment: Mapping[str, str], rounds: int
) -> str:
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


def with_containerd(scratch: Path, tar: Path, runtimes: Mapping[str, str], rounds: int) -> str:
    engine = Containerd(scratch / "ctrd", runtimes["pyrunc"])
    try:
        engine.ctr.ok("images", "import", str(make_oci_archive(tar, scratch / "oci.tar")))

        def call(name: str) -> list[str]:
            identifier = f"t{uuid.uuid4().hex[:10]}"
            return ["ctr", "run", "--rm", "--runc-binary", runtimes[name], REFERENCE, identifier, "/bin/true"]

        return measure("ctr run --rm … true", runtimes, call, engine.ctr.environment, rounds)
    finally:
        engine.daemon.stop()


def with_docker(scratch: Path, tar: Path, runtimes: Mapping[str, str], rounds: int) -> str:
    named = docker_runtimes({f"my-{name}": path for name, path in runtimes.items()})  # "runc" is taken
    engine = Docker(scratch / "dk", runtimes["pyrunc"], *named)
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


def with_podman(scratch: Path, tar: Path, runtimes: Mapping[str, str], rounds: int) -> str:
    names = ", ".join(f'"{name}"' for name in runtimes)
    table = f"[engine]\nruntime_supports_json = [{names}]\n[engine.runtimes]\n"
    table += "".join(f'{name} = ["{path}"]\n' for name, path in runtimes.items())
    with podman_in(scratch / "pm", table) as podman:
        podman.ok("import", str(tar), "bb")

        def call(name: str) -> list[str]:
            return [*podman.prefix, "--runtime", name, "run", "--rm", "--network=none", "bb", "true"]

        return measure("podman run --rm … true", runtimes, call, podman.environment, rounds)


def write_readme(table: str) -> None:
    """Put the table into its block."""
    text, replaced = BLOCK.subn(lambda block: f"{block[1]}{table}{block[2]}", README.read_text())
    assert replaced == 1, f"{README}: no block for the table"
    README.write_text(text)


def main() -> None:
    """Start the engines one after the other, print the table."""
    pyrunc = os.path.abspath(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else ENOUGH_ROUNDS
    runtimes = find_runtimes(pyrunc)
    print(f"{rounds} rounds of {versions(runtimes)}", flush=True)
    rows = ["| ms: median (quartiles) | " + " | ".join(runtimes) + " |", "|---|" + "---|" * len(runtimes)]
    scratch = Path(tempfile.mkdtemp(prefix="pt-", dir="/tmp"))
    host = Census(scratch)
    try:
        tar = make_tar(make_root(scratch / "rootfs"), scratch / "rootfs.tar")
        with hugetlb_hierarchy() if "crun" in runtimes else contextlib.nullcontext():
            for engine in (with_containerd, with_docker, with_podman):
                rows.append(engine(scratch, tar, runtimes, rounds))
                print(rows[-1], flush=True)
    finally:
        host.tidy()
        subprocess.run(["rm", "-rf", "--one-file-system", str(scratch)], check=False)
    table = "\n".join(rows) + f"\n\n{rounds} rounds of {versions(runtimes)}.\n"
    print(f"\n{table}")
    if rounds >= ENOUGH_ROUNDS:
        write_readme(table)


if __name__ == "__main__":
    main()
