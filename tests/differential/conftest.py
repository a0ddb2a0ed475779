"""The shared fixtures, the reference runtime, and crun for information."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests import cgroups, rootfs
from tests.box_fixtures import box, runtime
from tests.harness import Runtime, find_runtime

__all__ = ["box", "runtime"]

NOTES: list[tuple[str, str, str]] = []  # case, place, what


@pytest.fixture(scope="session")
def reference(runtime: Runtime) -> Runtime:
    """Debian's runc."""
    try:
        return find_runtime("/usr/sbin/runc")
    except rootfs.Missing as missing:
        pytest.skip(f"needs {missing} (package runc)")


@pytest.fixture(scope="session")
def crun(runtime: Runtime) -> Iterator[Runtime | None]:
    """crun if PYRUNC_TEST_CRUN is set, else None; for its sake a cgroup hierarchy may get mounted meanwhile."""
    if not os.environ.get("PYRUNC_TEST_CRUN"):
        yield None
        return
    with cgroups.hugetlb_hierarchy():
        yield find_runtime("/usr/bin/crun")


@pytest.fixture(scope="session")
def crun_notes() -> list[tuple[str, str, str]]:
    """Where crun differs from runc, printed at the end."""
    return NOTES


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print crun's differences."""
    if NOTES:
        terminalreporter.section("crun and runc differ (for information)")
    places: dict[str, list[tuple[str, str]]] = {}
    for case, place, what in NOTES:
        places.setdefault(place, []).append((case, what))
    for place, found in sorted(places.items(), key=lambda entry: -len(entry[1])):
        names = ", ".join(case for case, _ in found[:4]) + (", …" if len(found) > 4 else "")
        terminalreporter.write_line(f"{len(found):4} × {place}: {found[0][1][:120]} ({names})")
