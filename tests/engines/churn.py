"""`make churn`: eight workers run, exec into, stop and remove containers through dockerd.

For the given number of seconds (default 600).  At the end there was no error,
and nothing is left: no process, mount, cgroup, network interface or record,
and the daemons have no more descriptors open than after the first rounds (but one per worker).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.engines.census import Census, at_rest, descriptors
from tests.engines.engines import Docker, docker_runtimes
from tests.engines.images import make_root, make_tar

WORKERS = 8


class Churn:
    """The workers, their count of rounds and their errors."""

    def __init__(self, engine: Docker) -> None:
        self.docker = engine.docker
        self.end = 0.0
        self.rounds = 0
        self.errors: list[str] = []
        self.lock = threading.Lock()

    def one_round(self) -> None:
        name = f"churn{uuid.uuid4().hex[:12]}"
        self.docker.ok("run", "-d", "--name", name, "--network=none", "bb", "sleep", "1000")
        assert self.docker.ok("exec", name, "echo", "alive") == "alive"
        self.docker.ok("stop", "-t", "0", name)
        self.docker.ok("rm", name)

    def work(self) -> None:
        while time.monotonic() < self.end:
            try:
                self.one_round()
                with self.lock:
                    self.rounds += 1
            except (AssertionError, subprocess.TimeoutExpired) as error:
                with self.lock:
                    self.errors.append(str(error))

    def run(self, seconds: float) -> None:
        """Churn with all workers at once."""
        self.end = time.monotonic() + seconds
        threads = [threading.Thread(target=self.work) for _ in range(WORKERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


class Account:
    """The host, and the daemons' descriptors, before; `left` says what there is more now."""

    def __init__(self, engine: Docker, scratch: Path) -> None:
        self.daemons = {"dockerd": engine.daemon, "containerd": engine.containerd}
        self.census = Census(scratch)
        self.descriptors = self.count()

    def count(self) -> Counter[str]:
        """Descriptors of the daemons by kind."""
        return Counter(
            {
                f"{kind} of {name}": number
                for name, daemon in self.daemons.items()
                for kind, number in descriptors(daemon.process.pid).items()
            }
        )

    def left(self) -> list[str]:
        """What there is more of.  The daemons open and close connections; what leaks grows with the rounds."""
        more = self.count() - self.descriptors
        leaked = [f"{number} descriptor(s) {kind}" for kind, number in more.items() if number > WORKERS]
        return self.census.left() + leaked


def churn(runtime: str, seconds: float, scratch: Path) -> tuple[Churn, list[str], str]:
    """Start dockerd in a scratch folder, churn, compare; returns the churn, what is left, what there was."""
    tar = make_tar(make_root(scratch / "rootfs"), scratch / "rootfs.tar")
    engine = Docker(scratch / "dk", runtime, *docker_runtimes({"own": runtime}))
    try:
        engine.docker.ok("import", str(tar), "bb:latest")
        work = Churn(engine)
        work.run(2)  # what the daemons open once and keep
        account = Account(engine, scratch)
        work.run(seconds)
        return work, at_rest(account.left), str(account.census)
    finally:
        engine.stop()


def main() -> int:
    """0 when there was no error and nothing is left."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600
    name = os.environ.get("RUNTIME", str(Path(__file__).resolve().parents[2] / ".venv/bin/pyrunc"))
    runtime = shutil.which(name)
    if runtime is None or os.geteuid() != 0:
        sys.exit(f"needs root and the runtime {name}")
    scratch = Path(tempfile.mkdtemp(prefix="pc-", dir="/tmp"))
    host = Census(scratch)
    try:
        work, left, before = churn(os.path.abspath(runtime), seconds, scratch)
        left += [f"after the daemons' end: {item}" for item in at_rest(host.left)]
    finally:
        host.tidy()
        subprocess.run(["rm", "-rf", "--one-file-system", str(scratch)], check=False)
    print(f"{work.rounds} rounds in {seconds:.0f} s, {len(work.errors)} error(s), {len(left)} thing(s) left")
    print(f"there were before: {before}")
    for line in [*work.errors[:5], *left[:20]]:
        print(line)
    return int(bool(work.errors or left))


if __name__ == "__main__":
    sys.exit(main())
