"""What commands print."""

from __future__ import annotations

import errno
import json
import os

import pytest

from pyrunc.cli import output
from pyrunc.errors import HostError, SpecError
from pyrunc.operations import Context

STATE = {
    "ociVersion": "1.3.0",
    "id": "c1",
    "pid": 7,
    "status": "running",
    "bundle": "/b",
    "rootfs": "/b/rootfs",
    "created": "2026-11-22T02:45:11.574431109Z",
    "owner": "",
}
CONTEXT = Context("/nowhere")


def test_state(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("pyrunc.operations.state.state", lambda context, id: {**STATE, "id": id})
    assert output.show("state", CONTEXT, {"id": "c1"}) == 0
    assert capfd.readouterr().out == json.dumps(STATE, indent=2)


LISTS = {
    "table": (
        "ID          PID         STATUS      BUNDLE      CREATED                          OWNER\n"
        "c1          7           running     /b          2026-11-22T02:45:11.574431109Z   root\n"
    ),
    "json": json.dumps([{**STATE, "owner": "root"}], separators=(",", ":")) + "\n",
    "quiet": "c1\n",
}


@pytest.mark.parametrize("form", LISTS)
def test_list(form: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("pyrunc.operations.list.list", lambda context: [{**STATE, "owner": "root"}])
    values = {"quiet": form == "quiet", "format": "json" if form == "json" else "table"}
    assert output.show("list", CONTEXT, values) == 0
    assert capfd.readouterr().out == LISTS[form]


def test_list_of_nothing(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("pyrunc.operations.list.list", lambda context: [])
    output.show("list", CONTEXT, {"quiet": False, "format": "json"})
    assert capfd.readouterr().out == "null\n"


@pytest.mark.parametrize(("pids", "text"), [([1, 22], "[1,22]\n"), (None, "null\n")])
def test_ps_json(
    pids: object, text: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pyrunc.operations.ps.ps", lambda context, id: pids)
    output.show("ps", CONTEXT, {"id": "c1", "format": "json", "args": []})
    assert capfd.readouterr().out == text


def test_output_without_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what could not be written, not only why; a reader that left is no such error."""

    def fail_with(number: int) -> None:
        def write(fd: int, data: bytes) -> int:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(output.os, "write", write)
        output.write_out("text")

    with pytest.raises(HostError, match="^cannot write to standard output: no space left on device$"):
        fail_with(errno.ENOSPC)
    with pytest.raises(output.ReaderLeft):
        fail_with(errno.EPIPE)


def test_validate(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    found = [SpecError("one"), SpecError("two")]
    monkeypatch.setattr("pyrunc.operations.validate.validate", lambda context, bundle: found)
    assert output.show("validate", CONTEXT, {"bundle": ""}) == 1
    assert capfd.readouterr().err == "one\ntwo\n"
    found.clear()
    assert output.show("validate", CONTEXT, {"bundle": ""}) == 0
