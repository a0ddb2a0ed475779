"""The click app built from the command table: help, usage errors, shell completion, unusual spellings.

It only understands a command line; `main` carries it out.  Imported when the
exact parser declines, because click takes longer to import than most commands run.
"""

from __future__ import annotations

import os
from itertools import islice
from typing import Any

import click
from click.core import ParameterSource
from click.shell_completion import CompletionItem

from pyrunc.cli import commands
from pyrunc.cli.commands import COMMANDS, GLOBAL_FLAGS, Command, Flag
from pyrunc.cli.details import describe, paragraphs
from pyrunc.cli.parser import Parsed
from pyrunc.errors import UsageError

PROGRAM = "pyrunc"
COMPLETION_VARIABLE = "_PYRUNC_COMPLETE"
_SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


def understand(arguments: list[str]) -> Parsed | int:
    """What `arguments` ask for, or the exit code where printing (help, version, completion) was all.

    Raises UsageError, its hint naming the command whose help tells more.
    """
    app = build_app()
    try:
        result = app.main(arguments, PROGRAM, standalone_mode=False, complete_var=COMPLETION_VARIABLE)
    except SystemExit as left:  # completion ends like this
        return left.code if isinstance(left.code, int) else 1
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else PROGRAM
        text = error.format_message().rstrip(".")
        raise UsageError(text[:1].lower() + text[1:], hint=f"see {where} --help") from error
    except click.exceptions.Abort as error:
        raise UsageError("interrupted") from error
    return result if isinstance(result, (Parsed, int)) else 0


def build_app() -> click.Group:
    """The whole app; running a command of it gives a `Parsed`."""

    @click.group(
        PROGRAM,
        cls=_Group,
        help="Run containers as the OCI runtime specification describes them.",
        context_settings=_SETTINGS,
        params=[_option(flag) for flag in GLOBAL_FLAGS],
        invoke_without_command=True,
    )
    @click.option(
        "-v", "--version", "-version", cls=_Option, is_flag=True, expose_value=False, is_eager=True,
        callback=_print_version, help="Print the version and leave.",
    )  # fmt: skip
    @click.pass_context
    def app(context: click.Context, /, **_: object) -> None:
        """Take the global flags, which the command reads from the context; without a command, help."""
        if context.invoked_subcommand is None:
            click.echo(context.get_help())

    for command in COMMANDS.values():
        app.add_command(_build_command(command))
    for name in ("help", "h"):
        app.add_command(_build_help(name, app))
    return app


def _build_help(name: str, app: click.Group) -> click.Command:
    """`help [COMMAND]`, the spelling of it that Go programs have."""

    @click.pass_context
    def show_help(context: click.Context, /, command: str | None) -> None:
        assert context.parent is not None
        if command is None:
            click.echo(context.parent.get_help())
            return
        _, found, _ = app.resolve_command(context.parent, [command])
        assert found is not None  # else it is a usage error
        with click.Context(found, info_name=command, parent=context.parent) as about:
            click.echo(found.get_help(about))

    return click.Command(
        name, params=[_Argument(["command"], required=False)], callback=show_help, hidden=True
    )


def _build_command(command: Command) -> click.Command:
    @click.pass_context
    def parsed(context: click.Context, /, **values: Any) -> Parsed:
        parent = context.parent
        assert parent is not None
        options = _plain(GLOBAL_FLAGS, parent.params)
        late = [flag.parameter for flag in _late(command)]
        options |= {name: values[name] for name in late if _given(context, name)}
        arguments = {name.rstrip("?*"): values[name.rstrip("?*")] for name in command.arguments}
        return Parsed(
            command,
            options,
            _plain(command.flags, values)
            | {
                name: list(value) if isinstance(value, tuple) else value
                for name, value in arguments.items()
                if value is not None
            },
        )

    return _Command(
        command,
        params=[
            *(_option(flag) for flag in command.flags),
            *(_option(flag, hidden=True) for flag in _late(command)),
            *(_argument(name) for name in command.arguments),
        ],
        callback=parsed,
    )


def _late(command: Command) -> list[Flag]:
    """The global flags that are taken behind the command too, as runc 1.5 does: those it has not itself."""
    own = {flag.name for flag in command.flags}
    return [flag for flag in GLOBAL_FLAGS if flag.name not in own]


def _given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is ParameterSource.COMMANDLINE


def _plain(flags: tuple[Flag, ...], given: dict[str, Any]) -> dict[str, object]:
    """The values as the exact parser gives them: lists for tuples, the default for what is missing."""
    values: dict[str, object] = {}
    for flag in flags:
        value = given[flag.parameter]
        if value is None:
            value = flag.default()
        values[flag.parameter] = list(value) if isinstance(value, tuple) else value
    return values


class _Count(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The strict decimal number of the table."""
        try:
            return value if isinstance(value, int) else commands.parse_count(value)
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)


class _Option(click.Option):
    """An option whose single-dash long spelling is accepted but not shown."""

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """The name in the text of an error."""
        return self.opts[0]

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """The two columns of the help: spellings, and what it does."""
        shown = [name for name in self.opts if name.startswith("--") or len(name) == 2]
        shown.sort(key=len)
        metavar = f" {self.metavar}" if self.metavar and not self.is_flag else ""
        more = " (repeatable)" if self.multiple else ""
        return ", ".join(shown) + metavar, (self.help or "") + more


def _option(flag: Flag, hidden: bool = False) -> click.Option:
    names = [flag.parameter, "--" + flag.name, "-" + flag.name] + (["-" + flag.short] if flag.short else [])
    kinds: dict[str, dict[str, Any]] = {
        commands.TEXT: {"type": str, "metavar": flag.metavar or "TEXT"},
        commands.BOOL: {"is_flag": True},
        commands.COUNT: {"type": _Count(), "metavar": flag.metavar or "N"},
        commands.LIST: {"type": str, "multiple": True, "metavar": flag.metavar or "TEXT"},
        commands.COUNTS: {"type": _Count(), "multiple": True, "metavar": flag.metavar or "N"},
        commands.CHOICE: {
            "type": click.Choice(flag.choices),
            "metavar": "|".join(filter(None, flag.choices)),
        },
    }
    return _Option(names, help=_sentence(describe(flag)), hidden=hidden, **kinds[flag.kind])


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _whole_help(command: Command) -> str:
    """The first line and the paragraphs behind it; \\b keeps click from filling one."""
    more = ["\b\n" + text if text.startswith(" ") else text for text in paragraphs(command.name)]
    return "\n\n".join([command.help, *more])


class _Argument(click.Argument):
    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Ids of containers where an id is wanted."""
        if self.name != "id":
            return super().shell_complete(ctx, incomplete)
        from pyrunc.cli.main import state_root

        try:
            names = os.listdir(state_root(ctx.find_root().params.get("root") or ""))
        except (OSError, UsageError):
            return []
        return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]


def _argument(name: str) -> click.Argument:
    plain = name.rstrip("?*")
    if name.endswith("*"):
        return _Argument([plain], nargs=-1, type=str)
    return _Argument([plain], required=not name.endswith("?"), type=str)


class _Group(click.Group):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words after `_separate`."""
        return super().parse_args(ctx, _separate(args, GLOBAL_FLAGS, True))


class _Command(click.Command):
    def __init__(self, command: Command, **attributes: Any) -> None:
        super().__init__(
            command.name,
            help=_whole_help(command),
            short_help=command.help,
            context_settings={"allow_interspersed_args": not command.in_order},
            **attributes,
        )
        self._row = command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the words after `_separate`."""
        flags = (*self._row.flags, *_late(self._row))
        return super().parse_args(ctx, _separate(args, flags, self._row.in_order))


def _separate(words: list[str], flags: tuple[Flag, ...], in_order: bool) -> list[str]:
    """Rewrite what Go programs take and click does not: `-f=value`, `--switch=true`, `--switch=false`."""
    known = {"--" + flag.name: flag for flag in flags} | {"-" + flag.name: flag for flag in flags}
    known |= {"-" + flag.short: flag for flag in flags if flag.short}
    kept: list[tuple[str, Flag | None]] = []
    left = iter(words)
    for word in left:
        name, equals, text = word.partition("=")
        flag = known.get(name)
        if word == "--" or (in_order and (word[:1] != "-" or word == "-")):
            return [kept_word for kept_word, _ in kept] + [word, *left]
        if flag is None:
            kept.append((word, None))
        elif flag.kind == commands.BOOL:
            try:
                value = not equals or commands.parse_bool(text)
            except ValueError as error:
                raise click.BadParameter(f"{text!r}: {error}", param_hint=name) from error
            kept = [pair for pair in kept if pair[1] is not flag]
            kept += [("--" + flag.name, flag)] if value else []
        else:
            kept.append(("--" + flag.name, None))
            values = [text] if equals else list(islice(left, 1))
            kept += [(given, None) for given in values]
    return [kept_word for kept_word, _ in kept]


def _print_version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from pyrunc.cli.version import version_text

        click.echo(version_text(), nl=False)
        ctx.exit()
