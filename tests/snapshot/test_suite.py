"""Some of the suite with every call restored; `make test-snapshot` runs all of it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.restored import Ledger
from tests.snapshot.world import CLEAN, REPOSITORY, run

FILES = (
    "test_lifecycle_rules.py",
    "test_status_table.py",
    "test_hooks.py",
    "test_seccomp_notify.py",
    "test_network.py",
)


def test_restored() -> None:
    files = [f"tests/integration/{name}" for name in FILES]
    environment = {name: value for name, value in os.environ.items() if name not in ("RUNTIME", "PYRUNC")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.restored", *files]
    result = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "normal starts: 0 (none)" in result.stdout


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with tempfile.TemporaryDirectory(prefix="pyrunc-restored-") as top:
        os.chmod(top, 0o755)
        yield Ledger(Path(top))


def test_normal_starts_are_noticed(ledger: Ledger) -> None:
    """Those that must not be, whatever their reason; an ordinary user's are allowed."""
    launcher = str(ledger.world.launcher)
    expected = ledger.world.normal("--version")
    assert run([launcher, "--version"]) == expected
    assert ledger.starts() == [("for no reason", "['--version']")]
    before = len(ledger.starts())
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    assert run([*user, launcher, "--version"]) == expected
    assert ledger.starts()[before:] == [("only root uses it", "['--version']")]
    assert run([launcher, "--version"], env=CLEAN | {"PYTHONSAFEPATH": "1"}) == expected
    ledger.world.image.unlink()
    assert run([launcher, "state"])[0] == 1
    reasons = [line.split(":")[0] for line in ledger.unexpected()]
    assert reasons == ["for no reason", "the environment has a variable meant for a start", "in use"]
