"""The shared fixtures, the reference runtime, and crun for information."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from tests import cgroups, rootfs
from tests.box_fixtures import box, runtime
from tests.harness import Runtime, find_runtime

__all__ = ["box", "runtime"]

NOTES: list[str] = []


@pytest.fixture(scope="session")
def reference(runtime: Runtime) -> Runtime:
    """Debian's runc."""
    try:
        return find_runtime("/usr/sbin/runc")
    except rootfs.Missing as missing:
        pytest.skip(f"needs {missing} (package runc)")


@pytest.fixture(scope="session")
def crun(runtime: Runtime) -> Iterator[Runtime | None]:
    """crun if PYRUNC_TEST_CRUN is set, else None.

    crun 1.8 wants a mounted v1 hugetlb hierarchy when that controller stands in
    the cgroup list; one is mounted for the time of the tests and removed again.
    """
    if not os.environ.get("PYRUNC_TEST_CRUN"):
        yield None
        return
    place = cgroups.BASE / "hugetlb"
    mounted = False
    if cgroups.version() == 1 and "hugetlb" not in cgroups.hierarchies():
        place.mkdir(exist_ok=True)
        mounted = subprocess.run(["mount", "-t", "cgroup", "-o", "hugetlb", "hugetlb", place]).returncode == 0
    try:
        yield find_runtime("/usr/bin/crun")
    finally:
        if mounted:
            for path in sorted((p for p in place.rglob("*") if p.is_dir()), reverse=True):
                cgroups.remove(str(path))
            subprocess.run(["umount", place])
            place.rmdir()


@pytest.fixture(scope="session")
def crun_notes() -> list[str]:
    """Where crun differs from runc, printed at the end."""
    return NOTES


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print crun's differences."""
    if NOTES:
        terminalreporter.section("crun and runc differ (for information)")
        for note in NOTES:
            terminalreporter.write_line(note[:300])
