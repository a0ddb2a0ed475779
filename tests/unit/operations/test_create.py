"""What create takes from its environment, and what it refuses at once."""

from __future__ import annotations

import os
from typing import Any

import pytest

from pyrunc.errors import UsageError
from pyrunc.operations.create import check_terminal, listen_fds


@pytest.mark.parametrize(("text", "count"), [("2", 2), ("0", 0), ("", 0), ("-1", 0), ("\u00b2", 0), ("9" * 5000, 0)])
def test_listen_fds(text: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no number of descriptors means none, as with runc."""
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", text)
    assert listen_fds() == count


@pytest.mark.parametrize(("terminal", "detach", "socket"), [(True, True, ""), (False, True, "/s"), (True, False, "/s")])
def test_terminals_that_nobody_takes(terminal: bool, detach: bool, socket: str) -> None:
    config: Any = {"process": {"terminal": terminal}}
    with pytest.raises(UsageError) as caught:
        check_terminal(config, detach, socket)
    assert caught.value.hint and caught.value.pointer == "/process/terminal"
