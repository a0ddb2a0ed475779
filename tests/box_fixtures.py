"""The pytest fixtures that integration, differential and security tests share.

Imported by their conftest.py files.  `box` is the way to everything: it gives
bundles and containers of the runtime under test, and after the test it fails
it if the runtime left a process, mount, cgroup or record behind.
"""

from __future__ import annotations

import ctypes
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import cgroups, rootfs
from tests.harness import CGROUP_PARENT, Box, Runtime, find_runtime

PR_SET_CHILD_SUBREAPER = 36


def need_root() -> None:
    """Skip unless we are root in the initial user namespace, with a root file system to run in."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if Path("/proc/self/uid_map").read_text().split() != ["0", "0", "4294967295"]:
        pytest.skip("needs root of the initial user namespace")
    try:
        rootfs.busybox_root()
    except rootfs.Missing as missing:
        pytest.skip(f"needs {missing}")


@pytest.fixture(scope="session")
def runtime() -> Iterator[Runtime]:
    """The runtime under test; we become a subreaper, as the callers of runtimes are."""
    need_root()
    try:
        found = find_runtime()
    except rootfs.Missing as missing:
        if os.environ.get("RUNTIME"):  # asked for by name
            pytest.exit(f"no {missing}", 2)
        pytest.skip(f"needs {missing}")
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    yield found
    remove_cgroup_parent()


def remove_cgroup_parent() -> None:
    """Remove the parent of all cgroups of this test run."""
    for path in cgroups.find(CGROUP_PARENT.strip("/"))[::-1]:
        cgroups.remove(path)


@pytest.fixture
def box(runtime: Runtime) -> Iterator[Box]:
    """Bundles and containers of one test; what is left behind afterwards fails the test."""
    with tempfile.TemporaryDirectory(prefix="pyrunc-", ignore_cleanup_errors=True) as name:
        os.chmod(name, 0o755)
        made = Box(runtime, Path(name))
        yield made
        left = made.close()
    assert not left, "left behind: " + "; ".join(left)
