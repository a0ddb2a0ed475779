"""Runs the tests that need the guest: `python tests/vm/run.py [SESSION...] [-- PYTEST_FLAG...]`.

Each session is one boot, and two run at a time ($VM_GUESTS).  Their output is
shown as it comes and kept, with the guest's console, below build/vm-logs.  The exit code is 1 if a session failed,
was cut off, or skipped a test that expected-skips.txt does not name.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
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

GUESTS = int(os.environ.get("VM_GUESTS") or min(2, os.cpu_count() or 1))
"""How many run at once."""


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
    "parallel": Session(["tests/vm/test_parallel.py"]),
    "resources": Session(["tests/vm/test_resources.py"]),
    "killed": Session(["tests/integration/test_killed_runtime.py"], ["-e", "PYRUNC_KILL_STRIDE=8"]),
    "systemd": Session(["tests/vm/test_systemd_driver.py", "tests/vm/test_systemd_inside.py"]),
    "systemd-user": Session(
        ["tests/vm/test_systemd_driver.py", "tests/vm/test_systemd_inside.py", "tests/vm/test_resources.py"],
        ["-u"],
    ),
    "cgroup-v2": Session(["tests/vm/test_cgroup_v2.py", "tests/integration/test_cgroup_limits.py"]),
    "rootless": Session(["tests/vm/test_rootless.py", "tests/integration/test_rootless.py"], ["-u"]),
    "differential": Session(["tests/differential", "-k", FEW]),
    "apparmor": Session(["tests/vm/test_apparmor.py", "tests/vm/test_nesting.py"]),
    "differential-all": Session(["tests/differential"], limit=4 * 3600, default=False),
    "integration": Session(
        ["tests/native", "tests/security", "tests/integration"], limit=4 * 3600, default=False
    ),
}
"""Those that take long come first."""


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
        "--verbose",
        *session.paths,
        *flags,
    ]
    say(name, f"boot, then {' '.join(session.paths)}  (log: {log.relative_to(CHECKOUT)})")
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as guest:
        assert guest.stdout
        for line in guest.stdout:
            say(name, line.rstrip())
        status = guest.wait()
    say(name, f"exit {status} after {time.monotonic() - began:.0f} s")
    return status


def say(name: str, text: str) -> None:
    """One line of a session's output, in one write: several run at once."""
    sys.stdout.write(f"{name:<12} {text}\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    """The default sessions, or those that are named."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    names, flags = arguments[:end], arguments[end + 1 :]
    chosen = names or [name for name, session in SESSIONS.items() if session.default]
    if unknown := set(chosen) - set(SESSIONS):
        print(f"unknown session {unknown}; there are: {', '.join(SESSIONS)}", file=sys.stderr)
        return 2
    build_image()
    compile_modules()
    began = time.monotonic()
    with ThreadPoolExecutor(GUESTS) as pool:
        results = list(pool.map(lambda name: run_session(name, flags), chosen))
    for name, status in zip(chosen, results, strict=True):
        say(name, "passed" if status == 0 else f"FAILED ({status})")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{time.monotonic() - began:.0f} s, {used.ru_utime + used.ru_stime:.0f} s of CPU time")
    return int(any(results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
