"""pyrunc-init is built once; a small root file system for each test."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.native.init_process import CHECKOUT


@pytest.fixture(scope="session", autouse=True)
def program() -> None:
    """Build pyrunc-init if a source is newer."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    subprocess.run(["make", "-s", "-C", str(CHECKOUT / "csrc")], check=True, capture_output=True)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory with dev, etc, proc, sys, tmp and a file etc/passwd."""
    root = tmp_path / "rootfs"
    for name in ("dev", "etc", "proc", "sys", "tmp"):
        (root / name).mkdir(parents=True)
    (root / "etc" / "passwd").write_text("root\n")
    return root
