"""Both parsers understand a command line alike."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from pyrunc.cli import commands
from pyrunc.cli.app import understand
from pyrunc.cli.commands import COMMANDS, GLOBAL_FLAGS, Command, Flag
from pyrunc.cli.parser import Parsed, parse
from pyrunc.errors import UsageError

WORDS = st.one_of(
    st.sampled_from(["", "-", "--", "a", "a=b", "-x", "--force", "-f", "1", "a,b", "=", "é", "--bundle=x"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6),
)
IDS = st.from_regex(r"[A-Za-z0-9_+.][A-Za-z0-9_+.-]{0,8}", fullmatch=True)


def value_of(flag: Flag) -> st.SearchStrategy[str]:
    if flag.kind in (commands.COUNT, commands.COUNTS):
        return st.integers(0, 999).map(str)
    return st.sampled_from(flag.choices) if flag.kind == commands.CHOICE else WORDS


def spelling(flag: Flag) -> st.SearchStrategy[list[str]]:
    """A flag as it may stand in a command line."""
    names = ["--" + flag.name, "-" + flag.name] + (["-" + flag.short] if flag.short else [])
    name = st.sampled_from(names)
    if flag.kind == commands.BOOL:
        suffixes = st.sampled_from(["", "=true", "=false", "=1", "=F"])
        return st.tuples(name, suffixes).map(lambda pair: [pair[0] + pair[1]])
    joined = st.tuples(name, value_of(flag)).map(lambda pair: [f"{pair[0]}={pair[1]}"])
    return st.one_of(joined, st.tuples(name, value_of(flag)).map(list))


def flags_of(flags: tuple[Flag, ...]) -> st.SearchStrategy[list[str]]:
    if not flags:
        return st.just([])
    return st.lists(st.sampled_from(flags).flatmap(spelling), max_size=4).map(lambda lists: sum(lists, []))


@st.composite
def valid_lines(draw: st.DrawFn) -> list[str]:
    command: Command = draw(st.sampled_from(list(COMMANDS.values())))
    words = [*draw(flags_of(GLOBAL_FLAGS)), command.name, *draw(flags_of(command.flags))]
    for argument in command.arguments:
        if argument[-1] == "*":
            words += draw(st.lists(WORDS, max_size=3))
        elif argument[-1] != "?" or draw(st.booleans()):
            words.append(draw(IDS))
    if not command.in_order:
        words += draw(flags_of(command.flags))
    return words


@st.composite
def any_lines(draw: st.DrawFn) -> list[str]:
    """Valid lines with a word left out, added or replaced."""
    words = draw(valid_lines())
    at = draw(st.integers(0, len(words)))
    change = draw(st.sampled_from(["remove", "add", "replace"]))
    added = [] if change == "remove" else [draw(WORDS)]
    return words[:at] + added + words[at + (change != "add") :]


def same(exact: Parsed, line: list[str]) -> None:
    other = understand(line)
    assert isinstance(other, Parsed), line
    assert exact.command is other.command
    assert exact.options == other.options
    assert exact.values == other.values


@settings(deadline=None, max_examples=150)
@given(valid_lines())
def test_valid_lines(line: list[str]) -> None:
    exact = parse(line)
    assert exact is not None
    same(exact, line)


@settings(deadline=None, max_examples=150)
@given(any_lines())
def test_any_lines(line: list[str]) -> None:
    exact = parse(line)
    if exact is not None:
        same(exact, line)
        return
    try:
        understand(line)
    except UsageError:
        pass
