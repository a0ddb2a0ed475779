"""Signals by name and by number."""

from __future__ import annotations

import signal

import pytest

from pyrunc.errors import UsageError
from pyrunc.operations.kill import parse_signal


@pytest.mark.parametrize(
    ("text", "number"),
    {
        "9": 9, "0": 0, "64": 64, "KILL": 9, "SIGKILL": 9, "sigkill": 9, "Term": 15, "winch": 28, "SIGUSR1": 10,
        "RTMIN": signal.SIGRTMIN, "SIGRTMIN+3": signal.SIGRTMIN + 3, "rtmax-1": signal.SIGRTMAX - 1,
    }.items(),
)  # fmt: skip
def test_signals(text: str, number: int) -> None:
    assert parse_signal(text) == number


@pytest.mark.parametrize(
    "text", ["", "65", "-1", "+9", "9 ", "nope", "SIG", "SIG_DFL", "_DFL", "SIG_BLOCK", "KILL+1", "RTMIN+99", "RTMIN+", "TERM-0", "٩", "RTMIN+٩", "9" * 5000, "RTMIN+" + "1" * 5000]
)
def test_not_signals(text: str) -> None:
    with pytest.raises(UsageError, match="unknown signal") as caught:
        parse_signal(text)
    assert caught.value.hint
