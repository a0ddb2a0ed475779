"""`make conformance RUNTIME_TOOLS=DIR`: the OCI runtime-tools validation programs.

DIR is a checkout of opencontainers/runtime-tools in which its user built
`runtimetest` and `validation-executables` beforehand.  Each program runs with a
time limit; the table shows what passed, failed and was skipped, and every
failing TAP line.  expected_failures.json lists the lines that fail for pyrunc
by program, with the reason, and what the runtime says where no line tells; the
list may only shrink: a line that fails and is not listed, or a listed program
that passes, makes the run fail (but for one whose reason is a race).

RUNTIME=runc (or a path) runs a peer, without that list.  --save FILE keeps the
results; --compare FILE prints what fails here and passed in those kept results,
which makes the run fail.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.conformance.hierarchies import enter_mount_namespace, hierarchies

EXPECTED = Path(__file__).with_name("expected_failures.json")
LINES_SHOWN = 12


class Outcome:
    """What one validation program reported."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.passed: list[str] = []
        self.skipped = 0
        self.failures: list[str] = []
        self.errors: list[str] = []  # the runtime's own, from its log

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
                outcome.passed.append(line)
        elif line.startswith("1.."):
            plan = line
        elif '"error":' in line and '""' not in line:
            diagnostics.append(line.strip())
    if plan == "" and output:
        outcome.failures.append("no plan: the program ended early")
    elif plan.startswith("1..0") and "skip" not in plan.lower():
        outcome.failures.extend(f"diagnostic: {line}" for line in diagnostics)


def subject(line: str) -> str:
    """What a TAP line, or the note of another failure, is about: without the verdict, number and details."""
    found = re.match(r"(?:not )?ok \d+ *-? *(.*)", line)
    return found[1] if found else line.partition(":")[0]


def logging_runtime(runtime: str, scratch: str) -> tuple[str, Path]:
    """A program that is the runtime with a log, as the validation programs keep its errors to themselves; the log."""
    program, log = Path(scratch, "runtime"), Path(scratch, "log")
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(runtime)} --log {log} --log-format json "$@"\n')
    program.chmod(0o755)
    return str(program), log


def logged_errors(log: Path) -> list[str]:
    """The different errors of a log, which is emptied."""
    if not log.exists():
        return []
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    log.unlink()
    return list(dict.fromkeys(str(line["msg"]) for line in lines if line["level"] == "error"))


def run_program(program: Path, runtime: str, directory: Path, limit: int, scratch: str) -> Outcome:
    """Run one program in a session of its own, ended as a whole at the time limit.

    It gets a private mount namespace too: some programs make the runtime mount
    in their own and leave it so.  There crun is shown version 1 of cgroups alone: on a
    host with both it expects every controller to be mounted.
    """
    outcome = Outcome(program.stem)
    hidden = "/sys/fs/cgroup/unified"
    crun = os.path.basename(runtime) == "crun" and os.path.ismount(hidden)
    prepare = ["sh", "-c", f'umount {hidden} && exec "$0"'] if crun else []
    runtime, log = logging_runtime(runtime, scratch)
    process = subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", *prepare, str(program)],
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
    outcome.errors = logged_errors(log)
    if process.returncode != 0:
        last = errors.strip().splitlines()[-1:] or ["no message"]
        outcome.failures.append(f"exit status {process.returncode}: {last[0]}")
    return outcome


def run_programs(programs: list[Path], runtime: str, directory: Path, limit: int) -> list[Outcome]:
    """Run them one after the other, and leave nothing behind."""
    scratch = tempfile.mkdtemp(prefix="pyrunc-conformance-")
    os.environ["TMPDIR"] = scratch
    with hierarchies():
        try:
            return [run_program(program, runtime, directory, limit, scratch) for program in programs]
        finally:
            delete_leftovers(runtime, scratch)
            subprocess.run(["rm", "-rf", "--one-file-system", scratch], check=False)


def delete_leftovers(runtime: str, scratch: str) -> None:
    """Delete the containers that the programs leave behind, known by their bundle."""
    listed = subprocess.run(
        [runtime, "list", "--format", "json"], capture_output=True, text=True, check=False
    )
    for state in json.loads(listed.stdout or "null") or []:
        if state["bundle"].startswith(scratch):
            subprocess.run([runtime, "delete", "--force", state["id"]], capture_output=True, check=False)


def print_table(outcomes: list[Outcome]) -> None:
    """One line per program, failing lines below it."""
    for outcome in outcomes:
        verdict = "pass" if outcome.good else "FAIL"
        print(
            f"{verdict}  {outcome.name:36} {len(outcome.passed):3} passed {len(outcome.failures):3} failed "
            f"{outcome.skipped:3} skipped"
        )
        for line in outcome.failures[:LINES_SHOWN]:
            print(f"        {line}")
        if len(outcome.failures) > LINES_SHOWN:
            print(f"        … and {len(outcome.failures) - LINES_SHOWN} more")
        for error in outcome.errors[:LINES_SHOWN] if outcome.failures else ():
            print(f"        the runtime said: {error}")
    good = sum(outcome.good for outcome in outcomes)
    print(f"{good} of {len(outcomes)} programs pass")


def judge(outcomes: list[Outcome]) -> int:
    """Hold the outcomes against the list of expected failures; returns the exit status."""
    expected: dict[str, dict[str, Any]] = json.loads(EXPECTED.read_text())
    status = 0
    for outcome in outcomes:
        known = expected.get(outcome.name, {"reason": "", "lines": []})
        said = known.get("said", "*")
        if outcome.failures and not any(fnmatch.fnmatchcase(error, said) for error in outcome.errors or [""]):
            print(f"{outcome.name} is expected to fail with the runtime saying: {said}")
            status = 1
        for line in outcome.failures:
            if not any(fnmatch.fnmatchcase(line, pattern) for pattern in known["lines"]):
                print(f"{outcome.name} is not expected to fail: {line}")
                status = 1
        if outcome.good and known["reason"] and not known["reason"].startswith("race:"):
            print(f"{outcome.name} passes now: take it off {EXPECTED.name}")
            status = 1
    return status


def save(outcomes: list[Outcome], file: Path) -> None:
    """Keep the results for --compare."""
    kept = {outcome.name: {"passed": outcome.passed, "failures": outcome.failures} for outcome in outcomes}
    file.write_text(json.dumps(kept, indent=1))


def compare(outcomes: list[Outcome], file: Path) -> int:
    """Print each failure that the kept results do not have but passed; returns the exit status.

    Where the test is at fault a peer that passes proves nothing; where the kernel or
    the machine are said to be, it proves the contrary.
    """
    kept: dict[str, dict[str, list[str]]] = json.loads(file.read_text())
    expected: dict[str, dict[str, Any]] = json.loads(EXPECTED.read_text())
    status = 0
    print(
        f"beside {file.name}, where {sum(not theirs['failures'] for theirs in kept.values())} programs pass:"
    )
    for outcome in outcomes:
        reason = str(expected.get(outcome.name, {}).get("reason", "not expected"))
        for line in worse(outcome, kept.get(outcome.name)):
            print(f"    {outcome.name}: {line}\n        {reason}")
            status = status if reason.startswith("test:") else 1
    return status


def worse(outcome: Outcome, theirs: dict[str, list[str]] | None) -> list[str]:
    """The failures that are none in `theirs`; TAP lines only if they passed there."""
    if theirs is None:
        return []
    passed = {subject(line) for line in theirs["passed"]}
    failed = {subject(line) for line in theirs["failures"]}
    new = [line for line in outcome.failures if subject(line) not in failed]
    return [line for line in new if not line.startswith("not ok") or subject(line) in passed]


def main() -> int:
    """Run every program below DIR/validation, or those named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--runtime", default=".venv/bin/pyrunc")
    parser.add_argument("--limit", type=int, default=60, help="seconds per program")
    parser.add_argument("--only", action="append", default=[], help="a program's name; repeatable")
    parser.add_argument("--save", type=Path, help="write the results to this file")
    parser.add_argument("--compare", type=Path, action="append", default=[], help="kept results; repeatable")
    options = parser.parse_args()
    found = shutil.which(options.runtime)
    if found is None:
        sys.exit(f"{options.runtime}: no such runtime")
    runtime = os.path.abspath(found)
    directory = options.directory.resolve()
    programs = sorted(directory.glob("validation/*/*.t"))
    programs = [p for p in programs if not options.only or p.stem in options.only]
    if not programs:
        sys.exit(
            f"no validation programs in {directory}: run `make runtimetest validation-executables` there"
        )
    enter_mount_namespace()
    print_table(outcomes := run_programs(programs, runtime, directory, options.limit))
    if options.save:
        save(outcomes, options.save)
    status = max((compare(outcomes, file) for file in options.compare), default=0)
    if os.path.basename(runtime) == "pyrunc" and not options.only:
        status = max(status, judge(outcomes))
    return status


if __name__ == "__main__":
    sys.exit(main())
