"""Renders the manual page from the command table: `python -m pyrunc.install.manual`."""

from __future__ import annotations

from pyrunc.cli.commands import BOOL, COMMANDS, GLOBAL_FLAGS, Command, Flag

_HEAD = r""".\" Generated from pyrunc/cli/commands.py by pyrunc/install/manual.py; `make man` renews it.
.TH PYRUNC 8 "" "pyrunc" "System administration"
.SH NAME
pyrunc \- run containers as the OCI runtime specification describes them
.SH SYNOPSIS
.B pyrunc
.RI [ global\ flags ]\  command \ [ flags ]\ [ arguments ]
.SH DESCRIPTION
pyrunc reads a bundle (a directory with a
.I config.json
and a root file system), plans the kernel operations that make the container, and carries them out.
Global flags stand before the command. A flag's value follows it, or an equals sign:
\-\-root DIR or \-\-root=DIR.
"""

_TAIL = r""".SH EXIT STATUS
The exit status of the container's program, 128 plus the signal's number if a signal ended it, for
.B run
and
.B exec
in the foreground. 255 where
.B exec
could not start the program. Else 0, and 1 on failure.
.SH ENVIRONMENT
.TP
.B XDG_RUNTIME_DIR
Ordinary users' records are in its subdirectory
.IR pyrunc .
.TP
.BR NOTIFY_SOCKET ,\  LISTEN_FDS ,\  LISTEN_PID
As systemd sets them; passed on to the container.
.SH FILES
.TP
.I /run/pyrunc
The records of root's containers, unless \-\-root names another directory.
.SH SEE ALSO
.BR runc (8),
.BR crun (1)
"""


def manual() -> str:
    """The page in roff."""
    lines = [_HEAD + ".SH GLOBAL FLAGS"]
    lines += [_flag(flag) for flag in GLOBAL_FLAGS]
    lines += [".TP\n\\fB\\-v\\fR, \\fB\\-\\-version\\fR\nprint the version", ".SH COMMANDS"]
    lines += [_command(command) for command in COMMANDS.values()]
    return "\n".join(lines) + "\n" + _TAIL


def _command(command: Command) -> str:
    words = [f"\\fB{command.name}\\fR"] + (["[flags]"] if command.flags else [])
    for argument in command.arguments:
        name = f"\\fI{argument.rstrip('?*')}\\fR"
        words.append({"?": f"[{name}]", "*": f"[{name} ...]"}.get(argument[-1], name))
    parts = [f".SS {' '.join(words)}", _escape(command.help)]
    return "\n".join(parts + [_flag(flag) for flag in command.flags])


def _flag(flag: Flag) -> str:
    shown = flag.metavar or "|".join(filter(None, flag.choices)) or "N"
    value = "" if flag.kind == BOOL else f" \\fI{shown}\\fR"
    short = f"\\fB\\-{flag.short}\\fR, " if flag.short else ""
    return f".TP\n{short}\\fB\\-\\-{_escape(flag.name)}\\fR{value}\n{_escape(flag.help)}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-").replace("`", "")


if __name__ == "__main__":
    print(manual(), end="")
