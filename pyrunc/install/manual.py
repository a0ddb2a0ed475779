"""Renders the manual page from the command table: `python -m pyrunc.install.manual`."""

from __future__ import annotations

from pyrunc.cli.commands import BOOL, COMMANDS, GLOBAL_FLAGS, Command, Flag
from pyrunc.cli.details import describe, paragraphs

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
failed before its program ran. Else 0, and 1 on failure.
.SH DIAGNOSTICS
A command that fails writes exactly one line of level
.BR error ,
to standard error or to the file of \-\-log; then its text goes to standard error, too. Warnings tell what
was asked for and will not be so, while the command goes on. Behind the text stand, where known:
.TP
.B pointer
the property of config.json that asked for it, as a JSON pointer
.TP
.B step
the operation that failed, as
.B pyrunc plan
prints it
.TP
.BR path ,\  errno
the file or directory it is about, and the number of the kernel's error
.TP
.B hint
what may help
.PP
With \-\-debug every operation is logged before it is carried out.
.B validate
names everything that is wrong with a config.json.
.B delete \-\-force
removes what a command left that was killed at whatever point, and is no error where nothing is left.
.SH ENVIRONMENT
.TP
.B XDG_RUNTIME_DIR
Ordinary users' records are in its subdirectory
.IR pyrunc .
.TP
.BR NOTIFY_SOCKET ,\  LISTEN_FDS ,\  LISTEN_PID
As systemd sets them; passed on to the container.
.TP
.B PATH
Where
.BR criu (8),
.BR newuidmap (1),
.BR newgidmap (1)
and
.BR ps (1)
are looked for.
.TP
.BR DBUS_SYSTEM_BUS_ADDRESS ,\  DBUS_SESSION_BUS_ADDRESS
The bus of the system's and of an ordinary user's systemd, with \-\-systemd\-cgroup.
.SH FILES
.TP
.I config.json
The configuration, in the bundle directory.
.TP
.I /run/pyrunc
The records of root's containers, one directory for each, unless \-\-root names another place. Engines do:
.I /run/containerd/runc/NAMESPACE
(containerd),
.I /run/docker/runtime\-runc/moby
(Docker).
.TP
.I $XDG_RUNTIME_DIR/pyrunc
The records of an ordinary user's containers.
.TP
.IR /run/pyrunc.cache ,\  $XDG_RUNTIME_DIR/pyrunc.cache
Compiled seccomp filters, root's and an ordinary user's; may be removed at any time.
.TP
.I /var/lib/pyrunc/snapshot
Startup images, see
.BR snapshot .
.SH EXAMPLES
A first container, from a directory
.I bundle/rootfs
with a root file system:
.PP
.nf
pyrunc spec \-b bundle
pyrunc run \-b bundle box
.fi
.PP
Step by step, as engines do it:
.PP
.nf
pyrunc create \-b bundle \-\-pid\-file box.pid box
pyrunc start box
pyrunc exec box sh \-c 'echo hello'
pyrunc kill box KILL
pyrunc delete box
.fi
.PP
What would be done, and what is wrong with a configuration:
.PP
.nf
pyrunc plan \-b bundle
pyrunc validate \-b bundle
.fi
.PP
What is done, step by step, until it fails:
.PP
.nf
pyrunc \-\-debug run \-b bundle box
.fi
.PP
The containers of an engine:
.PP
.nf
pyrunc \-\-root /run/docker/runtime\-runc/moby list
.fi
.SH SEE ALSO
The pages on containerd, Docker, Podman, Kubernetes, use without root, security and troubleshooting are in
.I lib/pyrunc/pyrunc/docs
below the prefix of the installation, as a rule /usr/local.
.PP
.BR runc (8),
.BR crun (1),
.BR criu (8)
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
    parts += [_paragraph(text) for text in paragraphs(command.name)]
    return "\n".join(parts + [_flag(flag) for flag in command.flags])


def _paragraph(text: str) -> str:
    """Filled, or as it is if it begins with spaces."""
    if text.startswith(" "):
        return f".PP\n.nf\n{_escape(text)}\n.fi"
    return f".PP\n{_escape(text)}"


def _flag(flag: Flag) -> str:
    shown = flag.metavar or "|".join(filter(None, flag.choices)) or "N"
    value = "" if flag.kind == BOOL else f" \\fI{shown}\\fR"
    short = f"\\fB\\-{flag.short}\\fR, " if flag.short else ""
    return f".TP\n{short}\\fB\\-\\-{_escape(flag.name)}\\fR{value}\n{_escape(describe(flag))}"


def _escape(text: str) -> str:
    return text.replace("\\", "\\e").replace("-", "\\-").replace("`", "")


if __name__ == "__main__":
    print(manual(), end="")
