"""`make conformance RUNTIME_TOOLS=DIR`: the OCI runtime-tools validation programs.

DIR is a checkout of opencontainers/runtime-tools in which its user built
`runtimetest` and `validation-executables` beforehand.  Each program runs with a
time limit; the table shows what passed, failed and was skipped, and every
failing TAP line.  expected_failures.json lists the programs that fail for
pyrunc, each with its reason; the list may only shrink: a program that fails and
is not listed, or is listed and passes, makes the run fail (but for one whose reason is a race).

RUNTIME=runc (or a path) runs a peer, without the comparison.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

EXPECTED = Path(__file__).with_name("expected_failures.json")
LINES_SHOWN = 12


class Outcome:
    """What one validation program reported."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.passed = 0
        self.skipped = 0
        self.failures: list[str] = []

    @property
    def good(self) -> bool:
        return not self.failures


def read_tap(outcome: Outcome, output: str) -> None:
    """Count TAP lines; a plan of `1..0` proves nothing, so its diagnostics count too."""
    plan = ""
    diagnostics = []
    for line in output.splitlines():
        if line.startswith("not ok"):
            if "# TODO" not in line:
                outcome.failures.append(line)
        elif line.startswith("ok"):
            if "# SKIP" in line.upper():
                outcome.skipped += 1
            else:
                outcome.passed += 1
        elif line.startswith("1.."):
            plan = line
        elif '"error":' in line and '""' not in line:
            diagnostics.append(line.strip())
    if plan == "" and output:
        outcome.failures.append("no plan: the program ended early")
    elif plan.startswith("1..0") and "skip" not in plan.lower():
        outcome.failures.extend(f"diagnostic: {line}" for line in diagnostics)


def run_program(program: Path, runtime: str, directory: Path, limit: int) -> Outcome:
    """Run one program in a session of its own, ended as a whole at the time limit.

    It gets a private mount namespace too: some programs make the runtime mount
    in their own and leave it so.
    """
    outcome = Outcome(program.stem)
    process = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", str(program)],
        cwd=directory,
        env={**os.environ, "RUNTIME": runtime},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        output, errors = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, errors = process.communicate()
        outcome.failures.append(f"time limit of {limit} s reached")
    read_tap(outcome, output)
    if process.returncode != 0:
        last = errors.strip().splitlines()[-1:] or ["no message"]
        outcome.failures.append(f"exit status {process.returncode}: {last[0]}")
    return outcome


def delete_leftovers(runtime: str, scratch: str) -> None:
    """Delete the containers that the programs leave behind, known by their bundle."""
    listed = subprocess.run([runtime, "list", "--format", "json"], capture_output=True, text=True, check=False)
    for state in json.loads(listed.stdout or "null") or []:
        if state["bundle"].startswith(scratch):
            subprocess.run([runtime, "delete", "--force", state["id"]], capture_output=True, check=False)


def print_table(outcomes: list[Outcome]) -> None:
    """One line per program, failing lines below it."""
    for outcome in outcomes:
        verdict = "pass" if outcome.good else "FAIL"
        print(
            f"{verdict}  {outcome.name:36} {outcome.passed:3} passed {len(outcome.failures):3} failed "
            f"{outcome.skipped:3} skipped"
        )
        for line in outcome.failures[:LINES_SHOWN]:
            print(f"        {line}")
        if len(outcome.failures) > LINES_SHOWN:
            print(f"        … and {len(outcome.failures) - LINES_SHOWN} more")
    good = sum(outcome.good for outcome in outcomes)
    print(f"{good} of {len(outcomes)} programs pass")


def compare(outcomes: list[Outcome]) -> int:
    """Hold the outcomes against the list of expected failures; returns the exit status."""
    expected: dict[str, str] = json.loads(EXPECTED.read_text())
    status = 0
    for outcome in outcomes:
        if outcome.good and not expected.get(outcome.name, "race:").startswith("race:"):
            print(f"{outcome.name} passes now: take it off {EXPECTED.name}")
            status = 1
        if not outcome.good and outcome.name not in expected:
            print(f"{outcome.name} fails and is not expected to")
            status = 1
    return status


def main() -> int:
    """Run every program below DIR/validation, or those named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--runtime", default=".venv/bin/pyrunc")
    parser.add_argument("--limit", type=int, default=60, help="seconds per program")
    parser.add_argument("--only", action="append", default=[], help="a program's name; repeatable")
    options = parser.parse_args()
    found = shutil.which(options.runtime)
    if found is None:
        sys.exit(f"{options.runtime}: no such runtime")
    runtime = os.path.abspath(found)
    directory = options.directory.resolve()
    programs = sorted(directory.glob("validation/*/*.t"))
    programs = [p for p in programs if not options.only or p.stem in options.only]
    if not programs:
        sys.exit(f"no validation programs in {directory}: run `make runtimetest validation-executables` there")
    scratch = tempfile.mkdtemp(prefix="pyrunc-conformance-")
    os.environ["TMPDIR"] = scratch
    try:
        outcomes = [run_program(program, runtime, directory, options.limit) for program in programs]
    finally:
        delete_leftovers(runtime, scratch)
        subprocess.run(["rm", "-rf", "--one-file-system", scratch], check=False)
    print_table(outcomes)
    if os.path.basename(runtime) != "pyrunc" or options.only:
        return 0
    return compare(outcomes)


if __name__ == "__main__":
    sys.exit(main())
