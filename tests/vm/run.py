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
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
LOGS = CHECKOUT / "build" / "vm-logs"
IMAGE = Path(
    os.environ.get("VM_IMAGE")
    or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pyrunc-vm"
)
SKIPS = "tests/vm/expected-skips.txt"


class Session(NamedTuple):
    """What pytest runs in one boot; options: of run-in-vm.sh; limit: seconds; default: unless others are named."""

    paths: list[str]
    options: list[str] = []
    limit: int = 900
    default: bool = True


FEW = (
    "unified-wins or unified-unknown-file or io-throttle or mount-cgroup2 or memory-and-swap or resources-pids "
    "or rules-in-order or masked-and or device-user-namespace"
)
"""Differential cases that cgroup v2, systemd or the guest's kernel could make differ."""

SESSIONS = {
    "cgroup-v2": Session(["tests/vm/test_cgroup_v2.py", "tests/integration/test_cgroup_limits.py"]),
    "killed": Session(["tests/integration/test_killed_runtime.py"], ["-e", "PYRUNC_KILL_STRIDE=8"]),
    "apparmor": Session(["tests/vm/test_apparmor.py", "tests/vm/test_nesting.py"]),
    "parallel": Session(["tests/vm/test_parallel.py"], ["-e", "PYRUNC_PARALLEL_SECONDS=30"]),
    "systemd": Session(["tests/vm/test_systemd_driver.py"]),
    "systemd-user": Session(["tests/vm/test_systemd_driver.py"], ["-u"]),
    "differential": Session(["tests/differential", "-k", FEW]),
    "differential-all": Session(["tests/differential"], limit=4 * 3600, default=False),
    "integration": Session(
        ["tests/native", "tests/security", "tests/integration"], limit=4 * 3600, default=False
    ),
    "rootless": Session(["tests/vm/test_rootless.py", "tests/integration/test_rootless.py"], ["-u"]),
}


def build_image() -> None:
    """Build the guest unless it is there."""
    if not (IMAGE / "rootfs.ext4").exists():
        print(f"building the guest in {IMAGE}", flush=True)
        subprocess.run([HERE / "build-image.sh", IMAGE], check=True)


def compile_modules() -> None:
    """Leave no compiling to the slow guest, which cannot keep what it compiled either."""
    folders = ["pyrunc", "tests", *map(str, CHECKOUT.glob(".venv/lib/python*/site-packages"))]
    command = [CHECKOUT / ".venv/bin/python", "-m", "compileall", "-q", "-j", "0", *folders]
    subprocess.run(command, cwd=CHECKOUT, stderr=subprocess.DEVNULL, check=False)


def run_session(name: str, flags: list[str]) -> int:
    """One boot; its exit code."""
    session = SESSIONS[name]
    log = LOGS / name
    log.mkdir(parents=True, exist_ok=True)
    variables = {"PYRUNC_GUEST": "1", "PYRUNC_TEST_DEADLINE": "90", "PYRUNC_EXPECTED_SKIPS": SKIPS}
    environment = [word for key, value in variables.items() for word in ("-e", f"{key}={value}")]
    options = [*session.options, "-t", str(session.limit), "-o", log, *environment]
    command = [
        HERE / "run-in-vm.sh",
        *options,
        CHECKOUT,
        "tests/vm/pytest-in-guest.sh",
        *session.paths,
        *flags,
    ]
    print(
        f"==== {name}: boot, then {' '.join(session.paths)}  (log: {log.relative_to(CHECKOUT)})", flush=True
    )
    began = time.monotonic()
    status = subprocess.run(command, check=False).returncode
    print(f"==== {name}: exit {status} after {time.monotonic() - began:.0f} s", flush=True)
    return status


def main(arguments: list[str]) -> int:
    """The default sessions, or those that are named."""
    names, _, flags = " ".join(arguments).partition("-- ")
    chosen = names.split() or [name for name, session in SESSIONS.items() if session.default]
    if unknown := set(chosen) - set(SESSIONS):
        print(f"unknown session {unknown}; there are: {', '.join(SESSIONS)}", file=sys.stderr)
        return 2
    build_image()
    compile_modules()
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
