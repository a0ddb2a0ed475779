"""What help and manual page say about a command behind its first line.

No command that is carried out loads this.  Paragraphs are separated by an empty line;
one that begins with spaces is shown as it is.
"""

from __future__ import annotations

from pyrunc.cli.commands import CHOICE, Flag

DETAILS = {
    "create": """\
All is made as config.json says, the hooks up to createContainer are run, and the container's init waits for
`start`. If anything fails, all that was made is removed again. `plan` shows the operations beforehand,
--debug while they are carried out.""",
    "run": """\
The exit status is that of the container's program, or 128 plus the number of the signal that ended it. With
--detach the container stays until it is deleted.""",
    "start": """\
Returns when the program was executed; that it cannot be is an error here.""",
    "kill": """\
The signal is a number or a name with or without SIG, in any case.""",
    "delete": """\
A container that is created, running or paused is refused, unless --force kills it. With --force also
everything is removed that a command left which was killed half-way; files in the root file system are not
touched.""",
    "exec": """\
Flags stand before the id; what follows it is the program with its arguments. User, environment, working
directory and limits are those of the container's own process at `create`, but for what flags or --process
say. The exit status is that of the program; 255 if exec failed before.""",
    "list": """\
Engines keep the records of their containers in directories of their own: name it with --root.""",
    "ps": """\
The arguments are those of ps(1), -ef without any; its output needs a column PID.""",
    "events": """\
One JSON object in each line: the statistics now and at every interval, and an event of type oom when the
kernel killed a process. Ends with the container.""",
    "checkpoint": """\
The container is gone afterwards, but for --leave-running and --pre-dump. CRIU's own log is dump.log in the
work directory.""",
    "restore": """\
Needs the bundle that the container was made from. CRIU's own log is restore.log in the work directory.""",
    "update": """\
What is not named stays as it is, and so does what is given as 0. All limits are changed, or none. With
--resources the other flags do not count.""",
    "snapshot": """\
An image holds the memory of a Python interpreter with pyrunc loaded; commands that begin with it start
several times faster. It is for root, for the pyrunc of `make install`, and for this host alone: where
anything has changed, or a command is called in an unusual way, it starts as without an image.

    build    make an image, try it, put it into use
    status   say whether an image is used, and if not, why
    remove   remove it; commands start as ever

Build it again after an update of pyrunc, Python or the kernel: `status` says so. With --directory an image
can be made and tried elsewhere; the installed command looks in the default directory alone.""",
    "plan": """\
One operation in each line, in the order in which they are carried out:

    init     30  attach_root(<root>)   # /root/path

Who does it (`runtime`: the command itself, outside of the container; `init`: pyrunc-init, which becomes the
container), the number of the operation there, the call, and the property of config.json that asked for it.
--debug and the field `step` of errors speak of the same operations.

Nothing is changed, and no rights are needed: an ordinary user sees what root would do, unless config.json
has a user namespace. The id stands in names of cgroups; without one it is `ID`.

--facts takes a JSON object with the facts about another host, by the names of pyrunc.host.facts.Facts; what
is missing has its default. docs/troubleshooting.md shows how to print those of a host.""",
    "validate": """\
Each violation is a line on standard error: file and line, property, what was found and what is allowed,
section of the specification. The exit status is 1 if there are any. Looks at config.json alone, neither at
the host nor at the root file system: `plan` also refuses limits that this host cannot set.""",
}


def describe(flag: Flag) -> str:
    """The help of a flag with its default, if that is one of several values."""
    default = flag.choices[0] if flag.kind == CHOICE else ""
    return f"{flag.help} (default: {default})" if default else flag.help


def paragraphs(command: str) -> list[str]:
    """The paragraphs about a command; those that are shown as they are begin with spaces."""
    return DETAILS[command].split("\n\n") if command in DETAILS else []
