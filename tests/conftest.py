"""Markers, and an account of what was skipped.

`root` and `needs(...)` say what a test cannot do without; what is missing is
named as the reason of the skip.  A run ends with one line that counts skips.
$PYRUNC_EXPECTED_SKIPS names a file with a pattern (`fnmatch`) of test ids or
of reasons per line: a skip that no line expects fails the run.
"""

from __future__ import annotations

import ctypes
import fnmatch
import os
import platform
import shutil
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

SKIPS: dict[str, str] = {}


def _reset_signals() -> None:
    """Ignore no signal that our caller ignores (nohup, a shell's background job): our children would inherit it."""
    kept = (signal.SIGPIPE, signal.SIGXFSZ)  # Python ignores these itself and resets them in children
    for number in signal.valid_signals():
        if number not in kept and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    action = {"x86_64": 13, "aarch64": 134}.get(platform.machine())  # SYS_rt_sigaction
    for number in (32, 33) if action else ():  # the C library keeps these to itself
        ctypes.CDLL(None).syscall(action, number, bytes(32), None, 8)


_reset_signals()
# how fast the machine is decides no test
settings.register_profile("pyrunc", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("pyrunc")


def _have_cgroup(version: int) -> bool:
    unified = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    return unified if version == 2 else not unified and Path("/sys/fs/cgroup").is_dir()


def _have(what: str) -> bool:
    """Whether the host has `what`: cgroup1, cgroup2, systemd, native (the compiled module), else a program."""
    if what in ("cgroup1", "cgroup2"):
        return _have_cgroup(int(what[-1]))
    if what == "systemd":
        return Path("/run/systemd/system").is_dir()
    if what == "native":
        return bool(list(Path(__file__).parents[1].glob("pyrunc/_native*.so")))
    return shutil.which(what, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is not None


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what the host cannot run."""
    if item.get_closest_marker("root") and os.geteuid() != 0:
        pytest.skip("needs root")
    for marker in item.iter_markers("needs"):
        missing = [what for what in marker.args if not _have(what)]
        if missing:
            pytest.skip(f"needs {', '.join(missing)}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    """Note the skips."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        SKIPS[item.nodeid] = text.removeprefix("Skipped: ")
    return report


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Note modules that were skipped whole."""
    if report.skipped:
        text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        SKIPS[report.nodeid] = text.removeprefix("Skipped: ")


def _unexpected() -> list[str]:
    file = os.environ.get("PYRUNC_EXPECTED_SKIPS")
    if not file:
        return []
    path = Path(__file__).parents[1] / file
    lines = [line.partition("#")[0].strip() for line in path.read_text().splitlines()]
    patterns = [line for line in lines if line]
    return [
        test
        for test, reason in SKIPS.items()
        if not any(fnmatch.fnmatchcase(text, pattern) for pattern in patterns for text in (test, reason))
    ]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a run with skips that nobody expected."""
    if _unexpected() and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line that counts the skips, and the unexpected ones by name."""
    unexpected = _unexpected()
    counts: dict[str, int] = {}
    for reason in SKIPS.values():
        counts[reason] = counts.get(reason, 0) + 1
    reasons = "; ".join(
        f"{count} × {reason}" for reason, count in sorted(counts.items(), key=lambda c: -c[1])
    )
    terminalreporter.write_line(
        f"skipped: {len(SKIPS)}, not expected: {len(unexpected)} ({reasons or 'none'})"
    )
    for test in unexpected:
        terminalreporter.write_line(f"  not expected: {test}: {SKIPS[test]}")
