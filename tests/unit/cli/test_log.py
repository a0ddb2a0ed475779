"""Log lines and where they go."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyrunc.errors import OperationError, PyruncError
from pyrunc.log import Log, render_json_line, render_text_line, rfc3339

WHEN = "2026-11-22T02:25:29Z"


def test_time() -> None:
    assert rfc3339(0) == "1970-01-01T00:00:00Z"
    assert rfc3339(1795314329.9) == "2026-11-22T02:25:29Z"


def test_text_line() -> None:
    line = render_text_line("error", 'exec: "x": not\nfound', WHEN, {"pointer": "/process/args/0", "path": "a b"})
    assert line == (
        f'time="{WHEN}" level=error msg="exec: \\"x\\": not\\nfound" pointer=/process/args/0 path="a b"\n'
    )


def test_text_line_with_control_characters() -> None:
    assert "\x1b" not in render_text_line("error", "\x1b[31m\r", WHEN, {})


def test_json_line() -> None:
    line = render_json_line("error", 'a "b"\n', WHEN, {"errno": 2, "path": "/ü"})
    assert line.count("\n") == 1
    assert json.loads(line) == {"level": "error", "msg": 'a "b"\n', "time": WHEN, "errno": 2, "path": "/ü"}


@pytest.mark.parametrize("form", ["text", "json"])
def test_failure_is_one_line_and_on_stderr(form: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "log"
    path.write_text("earlier\n")
    Log(str(path), form).failure(OperationError("no such file", path="/x", errno=2, hint="make it"), "create failed: ")
    lines = path.read_text().splitlines()
    assert lines[0] == "earlier"
    assert len(lines) == 2
    assert "create failed: no such file" in lines[1]
    assert capfd.readouterr().err == "create failed: no such file (make it)\n"


def test_failure_on_stderr_steers_no_terminal(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Log(str(tmp_path / "log")).failure(PyruncError("exec: \x1b]0;x\x07\nlevel=error\u202e ü"))
    assert capfd.readouterr().err == "exec: \\x1b]0;x\\x07\\nlevel=error\\x202e ü\n"


def test_failure_without_a_file_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    Log().failure(PyruncError("bad"))
    err = capfd.readouterr().err
    assert err.count("\n") == 1
    assert err.startswith('time="')
    assert err.endswith('level=error msg="bad"\n')


def test_levels(tmp_path: Path) -> None:
    path = tmp_path / "log"
    quiet = Log(str(path), "json")
    quiet.debug("no")
    quiet.info("no")
    quiet.warning("yes")
    loud = Log(str(path), "json", debug=True)
    loud.debug("yes", step="mount")
    levels = [json.loads(line)["level"] for line in path.read_text().splitlines()]
    assert levels == ["warning", "debug"]


def test_bytes_of_file_names_survive(tmp_path: Path) -> None:
    path = tmp_path / "log"
    Log(str(path), "json").failure(PyruncError("/a\udcff: gone"))
    assert json.loads(path.read_bytes())["msg"] == "/a\udcff: gone"


def test_an_unwritable_log_changes_nothing() -> None:
    Log("/dev/full").failure(PyruncError("bad"))
