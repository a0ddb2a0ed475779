"""Exit codes, error texts, the state root."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from pyrunc.cli import main as cli
from pyrunc.errors import OperationError, StateError, UsageError
from pyrunc.operations import Context


def fail_with(error: Exception):  # type: ignore[no-untyped-def]
    def verb(*_: object, **__: object) -> int:
        raise error

    return verb


@pytest.mark.parametrize(("command", "code"), [("exec", 255), ("run", 1), ("create", 1), ("start", 1)])
def test_failures(command: str, code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(f"pyrunc.operations.{command}.{command}", fail_with(StateError("container does not exist")))
    log = tmp_path / "log"
    assert cli.main(["--log", str(log), "--log-format", "json", command, "x"]) == code
    prefix = {"exec": "exec failed: ", "run": "run failed: ", "create": "create failed: "}.get(command, "")
    assert json.loads(log.read_text())["msg"] == prefix + "container does not exist"


@pytest.mark.parametrize("code", [0, 3, 137])
def test_the_container_s_status_comes_back(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pyrunc.operations.run.run", lambda context, **values: code)
    assert cli.main(["run", "x"]) == code


def test_defaults_reach_the_verb(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[Context, dict[str, object]]] = []
    monkeypatch.setattr("pyrunc.operations.kill.kill", lambda context, **values: seen.append((context, values)))
    assert cli.main(["--root", "/tmp/../r", "--systemd-cgroup", "kill", "x"]) == 0
    context, values = seen[0]
    assert values == {"id": "x", "all": False}
    assert (context.root, context.root_given, context.systemd_cgroup) == ("/r", True, True)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("", (False, False)),
        ("--systemd-cgroup", (True, False)),
        ("--cgroup-manager systemd", (True, False)),
        ("--cgroup-manager cgroupfs --systemd-cgroup", (False, False)),
        ("--cgroup-manager=disabled", (False, True)),
    ],
)
def test_cgroup_managers(flags: str, expected: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Context] = []
    monkeypatch.setattr("pyrunc.operations.start.start", lambda context, id: seen.append(context))
    assert cli.main([*flags.split(), "start", "x"]) == 0
    assert (seen[0].systemd_cgroup, seen[0].no_cgroup) == expected


def test_what_a_command_refuses_is_its_own_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A status of 1 would be taken for that of the program."""
    monkeypatch.setattr("pyrunc.operations.exec.exec", fail_with(UsageError("exec args cannot be empty")))
    assert cli.main(["exec", "x"]) == 255


@pytest.mark.parametrize(
    "wrong", [["run"], ["run", "--nosuch", "x"], ["nosuch"], ["--rootless", "maybe", "list"], ["exec", "--cap"]]
)
def test_a_wrong_command_line_is_logged_where_it_asks(wrong: list[str], tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert cli.main(["--log", str(log), "--log-format=json", *wrong]) == 1
    assert json.loads(log.read_text())["level"] == "error"


def test_a_wrong_command_line_with_a_log_that_cannot_be_opened(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--log", "/nowhere/log", "run"]) == 1
    assert "missing argument 'ID'" in capfd.readouterr().err


def test_usage_errors_are_1_even_for_exec(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["exec"]) == 1
    assert "missing argument 'ID'" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (FileNotFoundError(2, "No such file or directory", "/x"), "/x: no such file or directory"),
        (OSError(13, "Permission denied"), "permission denied"),
        (MemoryError(), "out of memory"),
        (ImportError("libx.so: failed to map"), "cannot load a part of pyrunc: libx.so: failed to map"),
        (OperationError("as it is"), "as it is"),
    ],
)
def test_texts(error: Exception, text: str) -> None:
    assert cli.explain(error).text == text


def test_what_was_not_foreseen_is_named() -> None:
    try:
        {}["x"]  # type: ignore[index]
    except KeyError as error:
        assert cli.explain(error).text.startswith("internal error: KeyError: 'x' (test_main.py:")


@pytest.mark.parametrize(("error", "traced"), [(KeyError("x"), True), (OperationError("as it is"), False)])
def test_debug_traces_only_what_was_not_foreseen(
    error: Exception, traced: bool, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Into the log: of what is on standard error engines make their own message."""

    def fail(context: Context, id: str) -> None:
        raise error

    monkeypatch.setattr("pyrunc.operations.start.start", fail)
    assert cli.main(["--debug", "--log", str(tmp_path / "log"), "start", "x"]) == 1
    assert ("Traceback" in (tmp_path / "log").read_text()) == traced
    assert len(capfd.readouterr().err.splitlines()) == 1


def test_a_log_that_cannot_be_opened(capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--log", "/nowhere/log", "list"]) == 1
    assert "/nowhere/log: no such file or directory" in capfd.readouterr().err


class TestStateRoot:
    """Rules of runc with our directory."""

    @pytest.fixture(autouse=True)
    def environment(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
        monkeypatch.setenv("USER", "root")

    def test_given(self) -> None:
        assert cli.state_root("/a/../b/") == "/b"
        assert cli.state_root("x") == os.path.abspath("x")

    @pytest.mark.parametrize("root", ["/", "//..", "/a/.."])
    def test_the_root_directory_is_refused(self, root: str) -> None:
        with pytest.raises(UsageError, match="--root may not be /"):
            cli.state_root(root)

    def test_ordinary_user(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        assert cli.state_root("") == f"{tmp_path}/pyrunc"
        assert stat.S_IMODE((tmp_path / "pyrunc").stat().st_mode) == 0o1700
        assert cli.state_root("") == f"{tmp_path}/pyrunc"

    def test_ordinary_user_without_a_runtime_directory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
        monkeypatch.setenv("XDG_RUNTIME_DIR", "")
        assert cli.state_root("") == "/run/pyrunc"

    def test_switch(self, tmp_path: Path) -> None:
        assert cli.state_root("", "true") == f"{tmp_path}/pyrunc"
        assert cli.state_root("", "false") == "/run/pyrunc"

    @pytest.mark.parametrize(("user", "expected"), [("root", False), ("", True), ("someone", True)])
    def test_root_of_a_user_namespace(self, user: str, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        import io

        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.setenv("USER", user)
        monkeypatch.setattr("builtins.open", lambda path: io.StringIO("0 1000 1\n"))
        assert cli._unprivileged("auto") is expected

    def test_root(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import io

        monkeypatch.setattr(os, "geteuid", lambda: 0)
        monkeypatch.delenv("USER")
        monkeypatch.setattr("builtins.open", lambda path: io.StringIO("         0          0 4294967295\n"))
        assert cli.state_root("") == "/run/pyrunc"
