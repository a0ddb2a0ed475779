"""pyrunc-init is built once; a small root file system for each test.

These tests look at their own children: orphans of other tests are not theirs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.native.init_process import CHECKOUT
from tests.processes import not_a_subreaper


@pytest.fixture(autouse=True, scope="package")
def no_subreaper() -> Iterator[None]:
    """Not a subreaper while these tests run, whatever the session is."""
    with not_a_subreaper():
        yield


@pytest.fixture(scope="session", autouse=True)
def program() -> None:
    """Build pyrunc-init if a source is newer; where nothing can be built, what was built is tested."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if shutil.which("make"):
        subprocess.run(["make", "-s", "-C", str(CHECKOUT / "csrc")], check=True, capture_output=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory with dev, etc, proc, sys, tmp and a file etc/passwd."""
    root = tmp_path / "rootfs"
    for name in ("dev", "etc", "proc", "sys", "tmp"):
        (root / name).mkdir(parents=True)
    (root / "etc" / "passwd").write_text("root\n")
    return root
