"""`make time-engines`: `run --rm … true` through each engine, the runtimes in turn.

Prints median and quartiles of at least thirty interleaved rounds as a Markdown
table for the README.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.engines.conftest import Containerd, Docker
from tests.engines.images import REFERENCE, make_oci_archive, make_root, make_tar

CHECKOUT = Path(__file__).resolve().parents[2]


def find_runtimes() -> dict[str, str]:
    """pyrunc ($PYRUNC or the checkout's) and the peers that are installed."""
    found = {"pyrunc": os.environ.get("PYRUNC", str(CHECKOUT / ".venv/bin/pyrunc"))}
    for name in ("runc", "crun"):
        path = shutil.which(name)
        if path is not None:
            found[name] = path
    return found


def timed(command: list[str], environment: dict[str, str]) -> float:
    """Milliseconds of one client call, which has to succeed."""
    begin = time.perf_counter()
    subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=60
    )
    return (time.perf_counter() - begin) * 1000


def measure(title: str, runtimes: dict[str, str], call: Callable[[str, str], float], rounds: int) -> None:
    """One row of the table."""
    samples: dict[str, list[float]] = {name: [] for name in runtimes}
    for turn in range(rounds + 1):
        for name, path in runtimes.items():
            value = call(name, path)
            if turn:
                samples[name].append(value)
    cells = []
    for values in samples.values():
        low, middle, high = statistics.quantiles(values, n=4)
        cells.append(f"{middle:.0f} ({low:.0f}–{high:.0f})")
    print(f"| `{title}` | " + " | ".join(cells) + " |", flush=True)


def main() -> None:
    """Start the engines, print the table."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    runtimes = find_runtimes()
    scratch = Path(tempfile.mkdtemp(prefix="pt-", dir="/tmp"))
    tar = make_tar(make_root(scratch / "rootfs"), scratch / "rootfs.tar")
    print("| command, ms: median (quartiles) | " + " | ".join(runtimes) + " |")
    print("|---|" + "---|" * len(runtimes))
    containerd = Containerd(scratch / "ctrd", runtimes["pyrunc"])
    docker = Docker(scratch / "dk", runtimes)
    try:
        containerd.ctr.ok("images", "import", str(make_oci_archive(tar, scratch / "oci.tar")))
        docker.docker.ok("import", str(tar), "bb:latest")

        def with_ctr(name: str, path: str) -> float:
            identifier = f"t{uuid.uuid4().hex[:10]}"
            command = ["ctr", "run", "--rm", "--runc-binary", path, REFERENCE, identifier, "/bin/true"]
            return timed(command, containerd.ctr.environment)

        def with_docker(name: str, path: str) -> float:
            command = [
                *docker.docker.prefix,
                "run",
                "--rm",
                "--network=none",
                "--runtime",
                f"my{name}",
                "bb",
                "true",
            ]
            return timed(command, docker.docker.environment)

        measure("ctr run --rm … true", runtimes, with_ctr, rounds)
        measure("docker run --rm … true", runtimes, with_docker, rounds)
        measure_podman(scratch, tar, runtimes, rounds)
    finally:
        docker.daemon.stop()
        docker.containerd.stop()
        containerd.daemon.stop()
        subprocess.run(["rm", "-rf", "--one-file-system", str(scratch)], check=False)


def measure_podman(scratch: Path, tar: Path, runtimes: dict[str, str], rounds: int) -> None:
    """The row of podman, which knows a runtime by the path of a file of that name."""
    from tests.engines.conftest import podman_client

    clients = {name: podman_client(scratch / f"pm-{name}", path) for name, path in runtimes.items()}
    for client in clients.values():
        client.ok("import", str(tar), "bb")

    def with_podman(name: str, path: str) -> float:
        client = clients[name]
        return timed([*client.prefix, "run", "--rm", "--network=none", "bb", "true"], client.environment)

    measure("podman run --rm … true", runtimes, with_podman, rounds)


if __name__ == "__main__":
    main()
