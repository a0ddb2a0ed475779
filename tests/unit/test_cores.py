"""The cores, and what takes over where an interpreter lacks one."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from pyrunc import cores

VALUES: list[Any] = [{"a": [1, -2.5, True, None, "ü\n"]}, [], "", 0, {"": {"": {}}}]


@pytest.fixture(params=["core", "public module"], autouse=True)
def _core(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "public module":
        monkeypatch.setitem(sys.modules, "_json", None)


@pytest.mark.parametrize("value", VALUES)
def test_round_trip(value: Any) -> None:
    assert cores.parse_json(cores.render_json(value)) == value
    assert cores.parse_json(cores.render_json(value, 2).encode()) == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "expecting value: line 1 column 1"), ('{"a": NaN}', "NaN is not a JSON value"),
        ("{} x", "extra data: line 1 column 4"), ("[1,\n", "expecting value"), ("[" * 100000, "nested too deeply"),
    ],
)  # fmt: skip
def test_no_json(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        cores.parse_json(text)
