"""The exact parser: what it takes, and what it leaves to click."""

from __future__ import annotations

import pytest

from pyrunc.cli.commands import COMMANDS, GLOBAL_FLAGS
from pyrunc.cli.parser import parse

ENGINE_LINES = {
    "containerd create": (
        "--root /run/containerd/runc/default --log /b/log.json --log-format json create --bundle /b"
        " --pid-file /b/init.pid c1",
        "create",
        {"bundle": "/b", "pid_file": "/b/init.pid", "id": "c1"},
    ),
    "podman create": (
        "--log-format=json --log /r/oci-log create --bundle /b --pid-file /r/pidfile"
        " --console-socket /tmp/conmon-term.X c1",
        "create",
        {"console_socket": "/tmp/conmon-term.X", "id": "c1"},
    ),
    "containerd exec": (
        "--root R --log L --log-format json exec --process /tmp/p --console-socket S --detach --pid-file P c1",
        "exec",
        {"process": "/tmp/p", "detach": True, "id": "c1", "args": []},
    ),
    "podman exec": (
        "exec --pid-file P --process F --detach --tty --console-socket S --preserve-fds 2 c1",
        "exec",
        {"tty": True, "preserve_fds": 2},
    ),
    "kill by number": ("kill c1 9", "kill", {"all": False, "id": "c1", "signal": "9"}),
    "kill all": ("--root R kill --all c1 9", "kill", {"all": True, "signal": "9"}),
    "delete": ("delete --force c1", "delete", {"force": True, "id": "c1"}),
    "flag after the id": ("delete c1 --force", "delete", {"force": True}),
    "ps": ("ps --format json c1", "ps", {"format": "json", "args": []}),
    "ps arguments": ("ps c1 -ef --format x", "ps", {"format": "table", "args": ["-ef", "--format", "x"]}),
    "single dash": ("run -no-subreaper -bundle /b c1", "run", {"no_subreaper": True, "bundle": "/b"}),
    "repeated switch": ("run --keep --keep c1", "run", {"keep": True}),
    "repeated value": ("run -b /a -b /b c1", "run", {"bundle": "/b"}),
    "comma": ("exec -e A=1,2 -e B= c1 sh -c x", "exec", {"env": ["A=1,2", "B="], "args": ["sh", "-c", "x"]}),
    "numbers": ("exec -g 1 --additional-gids=2 c1 id", "exec", {"additional_gids": [1, 2]}),
    "switch with value": ("run --detach=true --keep=false c1", "run", {"detach": True, "keep": False}),
    "dashes end flags": ("delete -- -x", "delete", {"id": "-x", "force": False}),
    "dashes as a value": ("create --bundle -- --no-pivot c1", "create", {"bundle": "--", "no_pivot": True}),
    "dashes after the id": ("exec c1 -- ls", "exec", {"args": ["--", "ls"]}),
    "empty value": ("create --pid-file= c1", "create", {"pid_file": ""}),
    "a single dash is a word": ("exec -p - c1", "exec", {"process": "-"}),
}


@pytest.mark.parametrize("case", ENGINE_LINES)
def test_understood(case: str) -> None:
    line, command, values = ENGINE_LINES[case]
    parsed = parse(line.split())
    assert parsed is not None
    assert parsed.command.name == command
    assert {name: parsed.values[name] for name in values} == values


def test_global_flags() -> None:
    parsed = parse("--root /r --log=/l --log-format=json --debug --systemd-cgroup --rootless true list".split())
    assert parsed is not None
    assert parsed.options == {
        "root": "/r",
        "log": "/l",
        "log_format": "json",
        "debug": True,
        "systemd_cgroup": True,
        "rootless": "true",
        "criu": "",
        "cgroup_manager": "",
    }


LEFT_TO_CLICK = [
    "", "--help", "-v", "--version", "create", "create --help", "create a b", "create -dt x", "crate x", "--root",
    "--log-format xml list", "list --format yaml", "run --preserve-fds -1 c1", "run --preserve-fds 1_0 c1",
    "run --preserve-fds ² c1", "run --detach=maybe c1", "run --nosuch c1", "run -b", "list x", "-- list",
    "state --force x", "--=x list", "-=x list", "run --no-pivot= c1",
]  # fmt: skip


@pytest.mark.parametrize("line", LEFT_TO_CLICK)
def test_left_to_click(line: str) -> None:
    assert parse(line.split()) is None


def test_a_missing_optional_argument_is_not_passed_on() -> None:
    parsed = parse(["kill", "c1"])
    assert parsed is not None
    assert "signal" not in parsed.values


def test_table_is_consistent() -> None:
    for flags in [GLOBAL_FLAGS, *(command.flags for command in COMMANDS.values())]:
        names = [flag.name for flag in flags] + [flag.short for flag in flags if flag.short]
        assert len(names) == len(set(names))
        assert all(flag.help and flag.help[-1] != "." for flag in flags)
        assert all(bool(flag.choices) == (flag.kind == "choice") for flag in flags)
    for command in COMMANDS.values():
        assert command.help.endswith(".")
        parameters = [flag.parameter for flag in command.flags] + [name.rstrip("?*") for name in command.arguments]
        assert len(parameters) == len(set(parameters))
