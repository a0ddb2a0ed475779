"""What attacks on the runtime need: a decoy on the host, an exchanger of paths, a look at the mounts.

Each test builds the attacker's bundle or container and then looks at the host:
the decoy must be untouched, or nothing may have been learnt.  Peers that are
older than a fix are expected to fail, which shows that the test bites.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.harness import Box, Bundle

ROUNDS = int(os.environ.get("PYRUNC_TEST_RACES", "25"))


@pytest.fixture
def decoy(box: Box) -> Iterator[Path]:
    """A folder of the host that nothing may change."""
    path = box.directory / "decoy"
    path.mkdir()
    (path / "file").write_text("untouched")
    (path / "ptmx").write_text("untouched")
    (path / "console").write_text("untouched")
    (path / "null").write_text("untouched")
    (path / "0").write_text("untouched")
    before = snapshot(path)
    yield path
    assert snapshot(path) == before, "the host's files were changed"


def snapshot(path: Path) -> dict[str, tuple[int, int, int, bytes]]:
    found = {}
    for each in [path, *sorted(path.rglob("*"))]:
        status = each.lstat()
        text = each.read_bytes() if each.is_file() and not each.is_symlink() else b""
        found[str(each)] = (status.st_mode, status.st_uid, status.st_gid, text)
    return found


def mounts(box: Box) -> list[str]:
    """The host's mounts below the test's folder; everything an attack here could reach."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if line.split()[4].startswith(str(box.directory))]


@contextmanager
def swapping(first: Path, second: Path) -> Iterator[None]:
    """Exchange two paths all the time."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("exchanger.py")), str(first), str(second)]
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def without_dev(bundle: Bundle) -> Bundle:
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if not m["destination"].startswith("/dev")]
    return bundle
