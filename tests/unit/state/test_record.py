"""Records keep what they are given; times look as Go prints them."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrunc.state.record import Record, render_time


def test_round_trip() -> None:
    record = Record("a", "/b")
    record.pid, record.start_time, record.annotations = 7, 99, {"k": "v"}
    record.cgroup = {"driver": "cgroupfs", "version": 2, "paths": {"": "/x"}, "made": None}
    record.hooks = {"poststop": [{"path": "/bin/true", "args": ["true"], "env": [], "timeout": 5}]}
    record.late, record.resctrl, record.root_mount = {"7": ["exec", "", ""]}, ["/r"], ["/x", 9]
    again = Record.from_json(record.to_json())
    assert again.to_json() == record.to_json()


def test_unknown_keys_are_left_out() -> None:
    value = Record("a", "/b").to_json()
    value["later"] = 1
    assert Record.from_json(value).id == "a"


@pytest.mark.parametrize(
    "value",
    [
        [], None, {}, {"format": 99, "id": "a", "bundle": "/"}, {"format": 1, "id": "a"},
        {"format": 1, "id": 5, "bundle": "/"}, {"format": 1, "id": "a", "bundle": "/", "pid": "1"},
        {"format": 1, "id": "a", "bundle": "/", "cgroup": None},
        {"format": 1, "id": "a", "bundle": "/", "cgroup": {"driver": "cgroupfs"}},
        {"format": 1, "id": "a", "bundle": "/", "cgroup": {"driver": 5, "version": 2, "paths": {}, "made": None}},
        {"format": 1, "id": "a", "bundle": "/", "cgroup": {"driver": "", "version": 1, "paths": {"": 7}, "made": None}},
        {"format": 1, "id": "a", "bundle": "/", "pid": 1 << 70}, {"format": 1, "id": "a", "bundle": "/", "pid": -1},
        {"format": 1, "id": "a", "bundle": "/", "hooks": {"poststop": 5}},
        {"format": 1, "id": "a", "bundle": "/", "hooks": {"poststop": [{"args": ["sh"]}]}},
        {"format": 1, "id": "a", "bundle": "/", "hooks": {"poststop": [{"path": "/bin/true", "args": [1]}]}},
        {"format": 1, "id": "a", "bundle": "/", "late": {"7": ["exec"]}},
        {"format": 1, "id": "a", "bundle": "/", "annotations": {"a": 1}},
        {"format": 1, "id": "a", "bundle": "/", "resctrl": [5]},
        {"format": 1, "id": "a", "bundle": "/", "root_mount": ["/"]},
    ],
)  # fmt: skip
def test_not_a_record(value: object) -> None:
    with pytest.raises(ValueError):
        Record.from_json(value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    {
        0: "1970-01-01T00:00:00Z",
        1_500_000_000: "1970-01-01T00:00:01.5Z",
        951_782_400_000_000_000: "2000-02-29T00:00:00Z",
        1_795_315_511_574_431_109: "2026-11-22T02:45:11.574431109Z",
    }.items(),
)
def test_render_time(nanoseconds: int, text: str) -> None:
    assert render_time(nanoseconds) == text


@given(st.integers(0, 4_000_000_000))
def test_render_time_is_datetimes(seconds: int) -> None:
    expected = datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert render_time(seconds * 1_000_000_000) == expected
