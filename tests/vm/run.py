"""Runs the tests that need the guest: `python tests/vm/run.py [SESSION...] [-- PYTEST_FLAG...]`.

Each session is one boot.  Its output is shown as it comes and kept, with the
guest's console, below build/vm-logs.  The exit code is 1 if a session failed,
was cut off, or skipped a test that expected-skips.txt does not name.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
LOGS = CHECKOUT / "build" / "vm-logs"
IMAGE = Path(
    os.environ.get("VM_IMAGE")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pyrunc-vm"
)
SKIPS = "tests/vm/expected-skips.txt"
LIMIT = 900
"""Seconds that one session may take."""

SESSIONS: dict[str, tuple[list[str], list[str]]] = {
    "cgroup-v2": ([], ["tests/vm/test_cgroup_v2.py", "tests/integration/test_cgroup_limits.py"]),
    "killed": (["-e", "PYRUNC_KILL_STRIDE=8"], ["tests/integration/test_killed_runtime.py"]),
    "apparmor": ([], ["tests/vm/test_apparmor.py", "tests/vm/test_nesting.py"]),
    "parallel": (["-e", "PYRUNC_PARALLEL_SECONDS=30"], ["tests/vm/test_parallel.py"]),
    "systemd": ([], ["tests/vm/test_systemd_driver.py"]),
    "systemd-user": (["-u"], ["tests/vm/test_systemd_driver.py"]),
    "rootless": (["-u"], ["tests/vm/test_rootless.py", "tests/integration/test_rootless.py"]),
}
"""Name → options of run-in-vm.sh, what pytest runs."""


def build_image() -> None:
    """Build the guest unless it is there."""
    if not (IMAGE / "rootfs.ext4").exists():
        print(f"building the guest in {IMAGE}", flush=True)
        subprocess.run([HERE / "build-image.sh", IMAGE], check=True)


def run_session(name: str, flags: list[str]) -> int:
    """One boot; its exit code."""
    options, paths = SESSIONS[name]
    log = LOGS / name
    log.mkdir(parents=True, exist_ok=True)
    variables = {"PYRUNC_GUEST": "1", "PYRUNC_TEST_DEADLINE": "90", "PYRUNC_EXPECTED_SKIPS": SKIPS}
    environment = [word for key, value in variables.items() for word in ("-e", f"{key}={value}")]
    pytest = [".venv/bin/python3", "-m", "pytest", "-p", "no:cacheprovider", "--color=no", *paths, *flags]
    command = [HERE / "run-in-vm.sh", *options, "-t", str(LIMIT), "-o", log, *environment, CHECKOUT, *pytest]
    print(f"==== {name}: boot, then {' '.join(paths)}  (log: {log.relative_to(CHECKOUT)})", flush=True)
    began = time.monotonic()
    status = subprocess.run(command, check=False).returncode
    print(f"==== {name}: exit {status} after {time.monotonic() - began:.0f} s", flush=True)
    return status


def main(arguments: list[str]) -> int:
    """All sessions, or those that are named."""
    names, _, flags = " ".join(arguments).partition("-- ")
    chosen = names.split() or list(SESSIONS)
    if unknown := set(chosen) - set(SESSIONS):
        print(f"unknown session {unknown}; there are: {', '.join(SESSIONS)}", file=sys.stderr)
        return 2
    build_image()
    results = {name: run_session(name, flags.split()) for name in chosen}
    print(
        "\n".join(
            f"{name:<12} {'passed' if status == 0 else f'FAILED ({status})'}"
            for name, status in results.items()
        )
    )
    return int(any(results.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
