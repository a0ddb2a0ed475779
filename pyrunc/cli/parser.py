"""The exact parser: complete, valid command lines only, without importing click.

It reads what `commands` describes and answers None to everything else (help,
usage errors, bundled short flags, completion): the caller then asks `app`, which
understands more and explains.  A property test holds the two to the same values.
"""

from __future__ import annotations

from pyrunc.cli import commands
from pyrunc.cli.commands import COMMANDS, GLOBAL_FLAGS, Command, Flag


class Parsed:
    """A command line understood: the command, the global values, its own values by parameter name."""

    __slots__ = ("command", "options", "values")

    def __init__(self, command: Command, options: dict[str, object], values: dict[str, object]) -> None:
        self.command = command
        self.options = options
        self.values = values


def parse(arguments: list[str]) -> Parsed | None:
    """What the command line `arguments` (without the program's name) asks for, or None."""
    try:
        options = _defaults(GLOBAL_FLAGS)
        at, ended = _read_flags(arguments, 0, GLOBAL_FLAGS, options)
        command = COMMANDS[arguments[at]]
        if ended:
            return None
        values = _defaults(command.flags)
        positional: list[str] = []
        at += 1
        while at < len(arguments):
            at, ended = _read_flags(arguments, at, command.flags, values)
            if ended or command.in_order:
                positional += arguments[at:]
                break
            positional += arguments[at : at + 1]
            at += 1
        return Parsed(command, options, values) if _bind(command, positional, values) else None
    except (ValueError, IndexError, KeyError):
        return None


def read_globals(arguments: list[str]) -> dict[str, object]:
    """The global values as far as they can be read, whatever is wrong behind them."""
    options = _defaults(GLOBAL_FLAGS)
    try:
        _read_flags(arguments, 0, GLOBAL_FLAGS, options)
    except (ValueError, IndexError, KeyError):
        pass
    return options


def _defaults(flags: tuple[Flag, ...]) -> dict[str, object]:
    return {flag.parameter: flag.default() for flag in flags}


def _read_flags(
    arguments: list[str], at: int, flags: tuple[Flag, ...], values: dict[str, object]
) -> tuple[int, bool]:
    """Read flags from `arguments[at]` on into `values`; returns their end and whether `--` was it."""
    while at < len(arguments):
        word = arguments[at]
        if word[:1] != "-" or word == "-":
            break
        at += 1
        if word == "--":
            return at, True
        name, equals, text = word.partition("=")
        flag = _find(name, flags)
        if flag.kind == commands.BOOL:
            values[flag.parameter] = commands.parse_bool(text) if equals else True
            continue
        if not equals:
            text = arguments[at]
            at += 1
        _set(flag, text, values)
    return at, False


def _find(word: str, flags: tuple[Flag, ...]) -> Flag:
    """The flag that `--name`, `-name` or `-n` means; KeyError if none."""
    name = word[2:] if word[1] == "-" else word[1:]
    for flag in flags:
        if flag.name == name or (flag.short == name and word[1] != "-" and name):
            return flag
    raise KeyError(word)


def _set(flag: Flag, text: str, values: dict[str, object]) -> None:
    if flag.kind == commands.LIST or flag.kind == commands.COUNTS:
        value = commands.parse_count(text) if flag.kind == commands.COUNTS else text
        values[flag.parameter].append(value)  # type: ignore[attr-defined]
    elif flag.kind == commands.COUNT:
        values[flag.parameter] = commands.parse_count(text)
    elif flag.kind == commands.CHOICE and text not in flag.choices:
        raise ValueError(text)
    else:
        values[flag.parameter] = text


def _bind(command: Command, positional: list[str], values: dict[str, object]) -> bool:
    """Give the positional words to the command's arguments; False if there are too few or too many."""
    left = positional
    for argument in command.arguments:
        if argument[-1] == "*":
            values[argument[:-1]] = left
            return True
        if left:
            values[argument.rstrip("?")] = left[0]
            left = left[1:]
        elif argument[-1] != "?":
            return False
    return not left
