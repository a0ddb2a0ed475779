"""update: how flags and sizes are read."""

from __future__ import annotations

import pytest

from pyrunc.errors import UsageError
from pyrunc.operations.update import FLAGS, from_flags, parse_size

M = 1 << 20


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("64m", 64 * M), ("64M", 64 * M), ("64mb", 64 * M), ("64MiB", 64 * M), ("1g", 1024 * M), ("1.5g", 1536 * M),
        ("100", 100), ("100b", 100), ("2k", 2048), ("2 kb", 2048), ("0", 0), ("-1", -1), ("1t", M * M), ("0.5k", 512),
    ],
)  # fmt: skip
def test_sizes(text: str, value: int) -> None:
    assert parse_size(text) == value


@pytest.mark.parametrize("text", ["", "m", "-2", "1x", "1bb", "1bib", "0x10", "1_0", "1.m", ".5m", "1.2.3", "١", "+1", "1mm"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(ValueError):
        parse_size(text)


def test_flags_become_resources() -> None:
    flags = dict.fromkeys(FLAGS, "")
    assert from_flags(flags) == {}
    flags |= {"memory": "64m", "memory_swap": "-1", "cpu_quota": "-1", "cpuset_cpus": "0-1", "pids_limit": "0"}
    assert from_flags(flags) == {
        "memory": {"limit": 64 * M, "swap": -1},
        "cpu": {"quota": -1, "cpus": "0-1"},
        "pids": {"limit": 0},
    }


def test_wrong_limits_name_no_file() -> None:
    with pytest.raises(UsageError, match="^invalid limits: /pids/limit: found -5; allowed: "):
        from_flags({"pids_limit": "-5"})


@pytest.mark.parametrize("flag", ["memory", "cpu_period"])
def test_endless_numbers_are_refused_in_our_words(flag: str) -> None:
    with pytest.raises(UsageError, match=r"want a (size|decimal number)"):
        from_flags({flag: "9" * 5000})


@pytest.mark.parametrize(
    ("flag", "text"),
    [("memory", "lots"), ("cpu_period", "1s"), ("cpu_share", "-1"), ("blkio_weight", "70000"), ("pids_limit", "1.5")],
)
def test_wrong_flags(flag: str, text: str) -> None:
    with pytest.raises(UsageError):
        from_flags({flag: text})
