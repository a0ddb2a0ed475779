"""`make churn`: eight workers run, exec into, stop and remove containers through dockerd.

For the given number of seconds (default 600).  At the end nothing may be left:
no container process, mount, cgroup or record, and no error on the way.
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
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.engines.conftest import Docker
from tests.engines.images import make_root, make_tar

WORKERS = 8


class Census:
    """What containers leave on a host: cgroups, mounts and processes, counted."""

    def __init__(self) -> None:
        self.cgroups = sum(1 for path in Path("/sys/fs/cgroup").rglob("docker/*") if path.is_dir())
        self.mounts = len(Path("/proc/self/mountinfo").read_text().splitlines())
        self.processes = sum("/docker/" in read(path) for path in Path("/proc").glob("[0-9]*/cgroup"))

    def __str__(self) -> str:
        return f"{self.cgroups} cgroups, {self.mounts} mounts, {self.processes} processes in containers"


def read(path: Path) -> str:
    """The text of a /proc file, "" if its process is gone."""
    try:
        return path.read_text()
    except OSError:
        return ""


class Churn:
    """The workers, their count of rounds and their errors."""

    def __init__(self, engine: Docker, seconds: float) -> None:
        self.docker = engine.docker
        self.end = time.monotonic() + seconds
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

    def run(self) -> None:
        threads = [threading.Thread(target=self.work) for _ in range(WORKERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


def main() -> int:
    """Start dockerd in a scratch folder, churn, compare the census before and after."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600
    name = os.environ.get("RUNTIME", str(Path(__file__).resolve().parents[2] / ".venv/bin/pyrunc"))
    runtime = shutil.which(name)
    if runtime is None or os.geteuid() != 0:
        sys.exit(f"needs root and the runtime {name}")
    scratch = Path(tempfile.mkdtemp(prefix="pc-", dir="/tmp"))
    tar = make_tar(make_root(scratch / "rootfs"), scratch / "rootfs.tar")
    engine = Docker(scratch / "dk", {"own": os.path.abspath(runtime)})
    try:
        engine.docker.ok("import", str(tar), "bb:latest")
        engine.docker.ok("run", "--rm", "--network=none", "bb", "true")
        before = Census()
        churn = Churn(engine, seconds)
        churn.run()
        time.sleep(2)
        after = Census()
        left = list((scratch / "dk/exec/runtime-runc/moby").glob("*"))
    finally:
        engine.daemon.stop()
        engine.containerd.stop()
        subprocess.run(["rm", "-rf", "--one-file-system", str(scratch)], check=False)
    print(f"{churn.rounds} rounds in {seconds:.0f} s, {len(churn.errors)} errors, {len(left)} records left")
    print(f"before: {before}\nafter:  {after}")
    for error in churn.errors[:5]:
        print(error)
    return int(bool(churn.errors or left or str(before) != str(after)))


if __name__ == "__main__":
    sys.exit(main())
