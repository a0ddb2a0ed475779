"""Every command and every flag of the tables, without a container: restored as normally started."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyrunc.cli.commands import BOOL, CHOICE, COMMANDS, COUNT, COUNTS, GLOBAL_FLAGS, Flag
from tests.snapshot.world import World, make_bundle, timeless

NO_ARGUMENT = ("list", "features", "spec", "plan", "validate")


def words_of(flag: Flag) -> list[list[str]]:
    """The flag with values that are right, wrong and missing."""
    name = f"--{flag.name}"
    if flag.kind == BOOL:
        return [[name], [f"{name}=perhaps"]]
    if flag.kind == CHOICE:
        return [[name, value] for value in (*flag.choices, "nonsense", "")] + [[name]]
    if flag.kind in (COUNT, COUNTS):
        return [[name, "3"], [f"{name}=-1"], [name]]
    short = [[f"-{flag.short}", "x"]] if flag.short else []
    return [[f"{name}=a=b"], [name, ""], [name], *short]


def same(world: World, directory: Path, lines: list[list[str]]) -> None:
    """The outcome of all lines, and what they leave in the directory they are run in."""
    bundle = make_bundle(directory / "bundle", ["/bin/busybox", "true"])
    kept = (bundle / "config.json").read_bytes()

    def tried(start) -> list[object]:  # type: ignore[no-untyped-def]
        found: list[object] = []
        for line in lines:
            outcome = timeless(start("--root", str(directory / "root"), *line, cwd=bundle))
            found.append((line, outcome, sorted(os.listdir(bundle)), sorted(os.listdir(directory))))
            (bundle / "config.json").write_bytes(kept)
        for name in set(os.listdir(bundle)) - {"config.json", "rootfs"}:
            (bundle / name).unlink()
        return found

    normal = tried(world.normal)
    assert world.status_line().startswith("in use: yes")
    assert tried(world.restored) == normal


@pytest.mark.parametrize("name", COMMANDS)
def test_command(made: World, tmp_path: Path, name: str) -> None:
    command = COMMANDS[name]
    argument = [] if name in NO_ARGUMENT else ["nobody"]
    if name in ("create", "run"):
        argument = ["../nobody"]  # refused, after everything else was looked at
    lines = [[name, "--help"], [name], [name, *argument], [name, "--nonsense", *argument]]
    lines += [[name, *argument, "x", "y", "z"]]
    lines += [[name, *words, *argument] for flag in command.flags for words in words_of(flag)]
    same(made, tmp_path, lines)


@pytest.mark.parametrize("flag", GLOBAL_FLAGS, ids=lambda flag: flag.name)
def test_global_flag(made: World, tmp_path: Path, flag: Flag) -> None:
    lines = [[*words, "state", "nobody"] for words in words_of(flag)]
    same(made, tmp_path, lines)
