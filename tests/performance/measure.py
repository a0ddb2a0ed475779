"""How the benchmark measures: bundles, one timed command, charged memory.

Here: the mechanics.  What is measured and how it is printed stands in bench.py.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Edit = Callable[[dict[str, Any]], None]


class Runtime:
    """A runtime under measurement: `name`, `program` and its own --root."""

    def __init__(self, name: str, program: Sequence[str], scratch: Path) -> None:
        self.name = name
        self.root = scratch / f"state-{name}"
        self.program = [*program, "--root", str(self.root)]
        self.serial = 0

    def new_id(self) -> str:
        """A container id that was not used before in this run."""
        self.serial += 1
        return f"bench-{self.name}-{os.getpid()}-{self.serial}"

    def call(self, *arguments: str, cwd: Path | None = None, timeout: float = 20) -> int:
        """Run one command with all stdio at /dev/null; returns its exit code."""
        return subprocess.run(
            [*self.program, *arguments],
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=timeout,
            check=False,
        ).returncode

    def must(self, *arguments: str, cwd: Path | None = None) -> None:
        """Run one command that has to succeed."""
        code = self.call(*arguments, cwd=cwd)
        if code != 0:
            raise RuntimeError(f"{self.name} {' '.join(arguments)}: exit code {code}")


def spawn_milliseconds(argv: Sequence[str], cwd: Path) -> float:
    """Wall time of one process from spawn to wait, in milliseconds.

    posix_spawn keeps the cost of our own process out of the figure.
    """
    os.chdir(cwd)
    null = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1, 2)]
    begin = time.perf_counter()
    pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=null)
    status = os.waitpid(pid, 0)[1]
    elapsed = (time.perf_counter() - begin) * 1000
    if status != 0:
        raise RuntimeError(f"{' '.join(argv)}: wait status {status}")
    return elapsed


def make_bundle(directory: Path, program: Path, args: Sequence[str], edit: Edit | None = None) -> Path:
    """A bundle with the default config whose root holds one static program at /program."""
    from pyrunc.spec.defaults import default_config

    (directory / "rootfs").mkdir(parents=True)
    shutil.copy(program, directory / "rootfs" / "program")
    config: dict[str, Any] = json.loads(json.dumps(default_config(False)))
    config["process"]["terminal"] = False
    config["process"]["args"] = ["/program", *args]
    if edit is not None:
        edit(config)
    (directory / "config.json").write_text(json.dumps(config))
    return directory


def charged_bytes(pid: int) -> int | None:
    """What the memory cgroup of `pid` is charged for now, in bytes; None without one."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        number, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return int(Path(f"/sys/fs/cgroup/memory{path}/memory.usage_in_bytes").read_text())
        if number == "0":
            current = Path(f"/sys/fs/cgroup{path}/memory.current")
            if current.exists():
                return int(current.read_text())
    return None


def container_pid(runtime: Runtime, identifier: str) -> int:
    """The pid that `state` reports."""
    output = subprocess.run(
        [*runtime.program, "state", identifier], capture_output=True, check=True, timeout=20
    ).stdout
    return int(json.loads(output)["pid"])


def starts_with_limit(runtime: Runtime, bundle: Path, limit: int) -> bool:
    """Whether `run` of the bundle succeeds with memory and swap limited to `limit` bytes."""
    config = json.loads((bundle / "config.json").read_text())
    config["linux"].setdefault("resources", {})["memory"] = {"limit": limit, "swap": limit}
    (bundle / "config.json").write_text(json.dumps(config))
    identifier = runtime.new_id()
    try:
        return runtime.call("run", identifier, cwd=bundle) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        runtime.call("delete", "--force", identifier)


def smallest_limit(runtime: Runtime, bundle: Path, tries: int = 3) -> int:
    """The smallest limit in KiB, in steps of 16 KiB, that starts `tries` times in a row."""
    low, high = 16, 8192
    while high - low > 16:
        middle = (low + high) // 2 // 16 * 16
        good = all(starts_with_limit(runtime, bundle, middle * 1024) for _ in range(tries))
        low, high = (low, middle) if good else (middle, high)
    return high


def end_process(pid: int) -> None:
    """SIGKILL, tolerating a process that is gone."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
