"""click's half: help, usage errors, completion, spellings that the exact parser leaves to it."""

from __future__ import annotations

import inspect
from importlib import import_module

import pytest

from pyrunc.cli.app import understand
from pyrunc.cli.commands import COMMANDS, GLOBAL_FLAGS
from pyrunc.cli.details import DETAILS
from pyrunc.cli.parser import Parsed
from pyrunc.errors import UsageError

COMMON = {flag.parameter: flag.default() for flag in GLOBAL_FLAGS}
USAGE_ERRORS = {
    "create": "missing argument 'ID'",
    "create a b": "unexpected extra argument",
    "crate x": "no such command 'crate'",
    "list --nosuch": "no such option '--nosuch'",
    "list --format yaml": "'yaml' is not one of 'table', 'json'",
    "run --preserve-fds -1 c1": "'-1': want a decimal number",
    "run -b": "requires an argument",
    "run --detach=maybe c1": "'maybe': want true or false",
    "--log-format xml list": "invalid value for --log-format: 'xml' is not one of 'text', 'json'",
    "ps -f xml c1": "invalid value for --format: 'xml' is not one of 'table', 'json'",
    "help crate": "no such command 'crate'",
    "help list list": "unexpected extra argument",
}


@pytest.mark.parametrize("line", USAGE_ERRORS)
def test_usage_errors(line: str) -> None:
    with pytest.raises(UsageError) as caught:
        understand(line.split())
    assert USAGE_ERRORS[line] in caught.value.text
    assert "--help" in caught.value.hint


def test_global_flags_behind_the_command() -> None:
    line = "--root /a state --root=/b --log-format json --debug c1"
    parsed = understand(line.split())
    assert isinstance(parsed, Parsed)
    assert parsed.options == {**COMMON, "root": "/b", "log_format": "json", "debug": True}
    assert parsed.values == {"id": "c1"}
    parsed = understand("--rootless=true spec --rootless --log /l".split())
    assert isinstance(parsed, Parsed)
    assert parsed.options == {**COMMON, "rootless": "true", "log": "/l"}
    assert parsed.values["rootless"] is True
    parsed = understand("exec --systemd-cgroup c1 ls --root /x".split())
    assert isinstance(parsed, Parsed)
    assert (parsed.options["systemd_cgroup"], parsed.options["root"]) == (True, "")
    assert parsed.values["args"] == ["ls", "--root", "/x"]


def test_bundled_switches() -> None:
    parsed = understand(["exec", "-td", "c1", "ls"])
    assert isinstance(parsed, Parsed)
    assert parsed.values["tty"] is True
    assert parsed.values["detach"] is True


@pytest.mark.parametrize("line", [["help"], ["h"], ["--debug"], ["--debug", "help", "list"]], ids=" ".join)
def test_help_as_go_programs_have_it(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert understand(["list", "--help"] if "list" in line else ["--help"]) == 0
    wanted = capsys.readouterr().out
    assert understand(line) == 0
    assert capsys.readouterr().out == wanted


@pytest.mark.parametrize("line", [["--help"], ["-h"], [], *([name, "--help"] for name in COMMANDS)])
def test_help(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert understand(line) == 0
    out = capsys.readouterr().out
    assert out.startswith("Usage: pyrunc")
    if len(line) == 2:
        command = COMMANDS[line[0]]
        assert command.help in out.replace("\n  ", " ").replace("  ", " ")
        assert all("--" + flag.name in out for flag in command.flags)
        assert not any(f" -{flag.name}" in out for flag in command.flags)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert understand(["--version"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" ")[0] for line in lines] == ["pyrunc", "commit:", "spec:", "python:", "libseccomp:"]
    assert lines[0].startswith("pyrunc version ")


@pytest.mark.parametrize("words", ["pyrunc cre", "pyrunc delete --fo", "pyrunc --log-format js"])
def test_completion(words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("_PYRUNC_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    assert understand([]) == 0
    assert {"cre": "plain,create", "--fo": "plain,--force", "js": "plain,json"}[words.split()[-1]] in (
        capsys.readouterr().out
    )


def test_ids_are_completed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path
) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / "box1").mkdir()
    (tmp_path / "other").mkdir()
    monkeypatch.setenv("_PYRUNC_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", f"pyrunc --root {tmp_path} state b")
    monkeypatch.setenv("COMP_CWORD", "4")
    assert understand([]) == 0
    assert capsys.readouterr().out.strip() == "plain,box1"


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if not command.shown])
def test_verbs_take_what_the_table_gives(name: str) -> None:
    """Every flag and argument of the table is a parameter of the verb, with the same default."""
    command = COMMANDS[name]
    parameters = inspect.signature(getattr(import_module(f"pyrunc.operations.{name}"), name)).parameters
    for flag in command.flags:
        assert flag.parameter in parameters
        default = parameters[flag.parameter].default
        empty_list = flag.default() == [] and not default
        assert default == flag.default() or empty_list
    for argument in command.arguments:
        assert argument.rstrip("?*") in parameters


def test_every_command_is_a_verb_of_the_api() -> None:
    import pyrunc

    assert set(COMMANDS) - {"snapshot"} == set(pyrunc.__all__) - {
        name for name in pyrunc.__all__ if name[0].isupper()
    }
    assert all(callable(getattr(pyrunc, name)) for name in pyrunc.__all__)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_verb_shows_what_its_caller_passes(name: str) -> None:
    import pyrunc
    from pyrunc.api import verb

    if name not in pyrunc.__all__:
        return
    shown = inspect.signature(verb(name)).parameters
    assert "context" not in shown
    assert {"root", "systemd_cgroup", "rootless"} <= set(shown)
    assert {argument.rstrip("?*") for argument in COMMANDS[name].arguments} <= {*shown, "args"}


def test_a_parameter_of_the_verb_is_not_taken_for_a_global_flag(tmp_path) -> None:  # type: ignore[no-untyped-def]
    import pyrunc

    pyrunc.spec(str(tmp_path), rootless=True)
    assert "uidMappings" in (tmp_path / "config.json").read_text()


def test_help_has_what_is_behind_the_first_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Paragraphs are filled, but a table stays as it is; each belongs to a command."""
    assert set(DETAILS) <= set(COMMANDS)
    assert understand(["snapshot", "--help"]) == 0
    out = capsys.readouterr().out
    assert "\n      remove   remove it; commands start as ever\n" in out
    assert "commands that begin with it start" in " ".join(out.split())


def test_help_says_the_default_of_a_choice(capsys: pytest.CaptureFixture[str]) -> None:
    assert understand(["list", "--help"]) == 0
    assert "(default: table)" in capsys.readouterr().out
