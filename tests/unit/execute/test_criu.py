"""CRIU's messages and logs: what is written is what its own reading gives, whatever comes in."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrunc.errors import HostError
from pyrunc.execute.criu import config_file, find_criu, telling_lines
from pyrunc.execute.criu_messages import DUMP, Message, Response, decode, encode, encode_request
from tests.fake_criu import message, read_request


@given(st.lists(st.tuples(st.integers(1, 100), st.one_of(st.integers(0, 2**63), st.booleans(), st.text()))))
def test_round_trip(fields: list[tuple[int, int | str]]) -> None:
    expected: dict[int, list[int | bytes]] = {}
    for number, value in fields:
        expected.setdefault(number, []).append(value.encode() if isinstance(value, str) else int(value))
    assert decode(encode(fields)) == expected


def test_request() -> None:
    options = {
        "images_dir_fd": 5,
        "pid": 77,
        "root": "/r",
        "leave_running": True,
        "config_file": None,
        "ext_mnt": [Message([(1, "/a"), (2, "/b")]), Message([(1, "/c"), (2, "/d")])],
        "external": ["net[1]:x"],
        "empty_ns": 0x40000000,
    }
    assert read_request(encode_request(DUMP, options)) == {
        "kind": "dump",
        "options": {
            "images_dir_fd": 5, "pid": 77, "root": "/r", "leave_running": 1,
            "ext_mnt": [["/a", "/b"], ["/c", "/d"]], "external": ["net[1]:x"], "empty_ns": 0x40000000,
        },
    }  # fmt: skip


def test_negative_numbers() -> None:
    assert decode(encode([(1, -1)])) == {1: [(1 << 64) - 1]}


def test_responses() -> None:
    notify = Response(message((1, 6), (2, 1), (5, message((1, b"post-restore"), (2, 42)))))
    assert (notify.kind, notify.success, notify.script, notify.pid) == (6, True, "post-restore", 42)
    failed = Response(message((1, 1), (2, 0), (7, 16), (9, b"busy")))
    assert (failed.success, failed.errno, failed.text) == (False, 16, "busy")
    assert not Response(message((1, 1), (2, 0))).success
    assert Response(message((1, 10), (2, 1), (10, message((1, 4), (2, 1))))).version == (4, 1, 0)


@given(st.binary(max_size=60))
def test_any_bytes_are_an_answer_or_refused(data: bytes) -> None:
    try:
        Response(data)
    except ValueError:
        pass


def test_telling_lines() -> None:
    log = (
        "(00.1) Version: 4\n(00.2) Error (criu/tun.c:85): tun: Unable to create tun: Operation not permitted\n"
        "(00.3) Error (criu/mount.c:7): mnt: no such thing\n(00.4) Error (criu/cr-dump.c:9): Dumping FAILED.\n"
    )
    assert telling_lines(log) == ["Error (criu/mount.c:7): mnt: no such thing"]


def test_config_file_by_annotation() -> None:
    assert config_file({"org.criu.config": "/x.conf"}) == "/x.conf"
    assert config_file({"org.criu.config": ""}) is None


def test_no_criu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match="criu is not installed") as caught:
        find_criu()
    assert "criu check" in caught.value.hint


def test_a_given_program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A path, or another name in PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    program = tmp_path / "criu-4"
    with pytest.raises(HostError, match=f"{program} is not installed"):
        find_criu(str(program))
    program.touch(0o755)
    assert find_criu(str(program)) == find_criu("criu-4") == str(program)
