"""Writing a configuration to start from, where that fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyrunc.errors import HostError
from pyrunc.operations import Context
from pyrunc.operations.spec import spec


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a file would stand in the way of the next try."""
    monkeypatch.setattr("pyrunc.operations.spec.os.fdopen", lambda fd, mode: open("/dev/full", mode))
    with pytest.raises(HostError, match="config.json: no space left on device"):
        spec(Context(str(tmp_path)), str(tmp_path))
    assert list(tmp_path.iterdir()) == []
