"""events: durations as Go programs write them."""

from __future__ import annotations

import pytest

from pyrunc.errors import UsageError
from pyrunc.operations.events import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5s", 5), ("100ms", 0.1), ("1m30s", 90), ("1h", 3600), ("1.5s", 1.5), (".5s", 0.5), ("250us", 0.00025), ("0", 0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "5x", "1.2.3s", "-1s", "5 s", ".s", "1e3s"])
def test_no_durations(text: str) -> None:
    with pytest.raises(UsageError):
        parse_duration(text)
