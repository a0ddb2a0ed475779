"""Every command of the command line, as data.

Here: names, arguments, flags, help texts, exit codes.  Both parsers (`parser`
for the hot path, `app` with click for everything else) are built from these
tables, and so are the man page and the shell completion.  What a command does
is in `pyrunc.operations.<name>`; its parameters there are the names used here.

A new command is an entry here, a module of its name in `pyrunc.operations`, its
name in `pyrunc.__init__`, and, if it prints something, a function in `output`.
"""

from __future__ import annotations

TEXT = "text"  # --flag VALUE
BOOL = "bool"  # --flag
COUNT = "count"  # --flag N, decimal, not negative
LIST = "list"  # --flag VALUE, repeatable; a comma does not split
COUNTS = "counts"  # --flag N, repeatable
CHOICE = "choice"  # --flag VALUE, one of `choices`, the first is the default


class Flag:
    """One flag: `--name`, perhaps `-short`; single-dash `-name` is accepted too, as Go programs do."""

    __slots__ = ("choices", "help", "kind", "metavar", "name", "parameter", "short")

    def __init__(
        self,
        name: str,
        kind: str,
        help: str,
        short: str = "",
        metavar: str = "",
        choices: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.kind = kind
        self.help = help
        self.short = short
        self.metavar = metavar
        self.choices = choices
        self.parameter = name.replace("-", "_")

    def default(self) -> object:
        """The value when the flag is not given; a new list each time."""
        if self.kind == BOOL:
            return False
        if self.kind == COUNT:
            return 0
        if self.kind == LIST or self.kind == COUNTS:
            return []
        return self.choices[0] if self.kind == CHOICE else ""


class Command:
    """One command.

    arguments: names in order; `name?` may be missing (and is not passed on
    then), `name*` takes all that is left (a list).  `prefix` stands before its
    error texts, `setup_failure` is the exit code of its own failures.  With
    `in_order` nothing after the first argument is read as a flag.  What a verb
    with `shown` gives is printed by `output`, that of the others is nothing or
    an exit code.  The flags of a `rare` command are in `rare`.
    """

    __slots__ = ("_flags", "arguments", "help", "in_order", "name", "prefix", "setup_failure", "shown")

    def __init__(
        self,
        name: str,
        arguments: tuple[str, ...],
        help: str,
        flags: tuple[Flag, ...] = (),
        prefix: str = "",
        setup_failure: int = 1,
        in_order: bool = False,
        shown: bool = False,
        rare: bool = False,
    ) -> None:
        self.name = name
        self.arguments = arguments
        self.help = help
        self._flags = None if rare else flags
        self.prefix = prefix
        self.setup_failure = setup_failure
        self.in_order = in_order
        self.shown = shown

    @property
    def flags(self) -> tuple[Flag, ...]:
        """The flags, in the order of the help."""
        if self._flags is None:
            from pyrunc.cli.rare import FLAGS

            self._flags = FLAGS[self.name]
        return self._flags


def parse_count(text: str) -> int:
    """A decimal number, not negative; ValueError otherwise (also for `+1`, `1_0` and ` 1`)."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError("want a decimal number, not negative")
    return int(text)


_TRUE = ("1", "t", "T", "true", "TRUE", "True")
_FALSE = ("0", "f", "F", "false", "FALSE", "False")


def parse_bool(text: str) -> bool:
    """The value of `--flag=VALUE` for a flag that needs none; ValueError if it is neither true nor false."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError("want true or false")


GLOBAL_FLAGS = (
    Flag(
        "root",
        TEXT,
        "directory of the records (default: /run/pyrunc, for ordinary users $XDG_RUNTIME_DIR/pyrunc)",
        metavar="DIR",
    ),
    Flag("log", TEXT, "append log lines to this file (default: standard error)", metavar="FILE"),
    Flag("log-format", CHOICE, "form of the log lines", choices=("text", "json")),
    Flag("debug", BOOL, "log every operation as it is carried out"),
    Flag("systemd-cgroup", BOOL, "let systemd make the cgroups (cgroupsPath is slice:prefix:name)"),
    Flag(
        "rootless",
        CHOICE,
        "go on without a cgroup where none may be made; auto: ordinary users do",
        choices=("auto", "true", "false"),
    ),
    Flag("criu", TEXT, "the program criu (default: that in PATH)", metavar="FILE"),
    Flag(
        "cgroup-manager",
        CHOICE,
        "who makes the cgroups (default: systemd with --systemd-cgroup, else cgroupfs); disabled: nobody",
        choices=("", "cgroupfs", "systemd", "disabled"),
    ),
)

BUNDLE = Flag("bundle", TEXT, "the bundle directory (default: the current one)", "b", "DIR")
CONSOLE_SOCKET = Flag(
    "console-socket", TEXT, "unix socket that receives the terminal's descriptor", metavar="PATH"
)
_PIDFD = Flag("pidfd-socket", TEXT, "unix socket that receives a pidfd of the process", metavar="PATH")
PID_FILE = Flag("pid-file", TEXT, "write the process id to this file", metavar="FILE")
_PRESERVE = Flag("preserve-fds", COUNT, "pass N descriptors beyond 0-2 and $LISTEN_FDS", metavar="N")
DETACH = Flag("detach", BOOL, "return as soon as the process runs", "d")
NO_SUBREAPER = Flag("no-subreaper", BOOL, "do not adopt orphans of the container")
_NO_PIVOT = Flag("no-pivot", BOOL, "move the root mount instead of pivot_root (for a root on ramfs)")
_NO_NEW_KEYRING = Flag("no-new-keyring", BOOL, "keep the caller's session keyring")
_CREATE_FLAGS = (
    BUNDLE,
    CONSOLE_SOCKET,
    _PIDFD,
    PID_FILE,
    _NO_PIVOT,
    _NO_NEW_KEYRING,
    _PRESERVE,
)
_TABLE_OR_JSON = Flag("format", CHOICE, "form of the output", "f", choices=("table", "json"))

_ENTRIES = (
    Command(
        "create",
        ("id",),
        "Make a container from a bundle; `start` runs its program.",
        _CREATE_FLAGS,
        "create failed: ",
    ),
    Command(
        "run",
        ("id",),
        "Create a container, start it, wait for its end and delete it.",
        (
            *_CREATE_FLAGS,
            DETACH,
            Flag("keep", BOOL, "do not delete the container when its program ends"),
            NO_SUBREAPER,
        ),
        "run failed: ",
    ),
    Command("start", ("id",), "Run the program of a created container."),
    Command("state", ("id",), "Print the state of a container as JSON.", shown=True),
    Command(
        "kill",
        ("id", "signal?"),
        "Send a signal, SIGTERM by default, to the init of a container.",
        (Flag("all", BOOL, "send it to every process of the container", "a"),),
        in_order=True,
    ),
    Command(
        "delete",
        ("id",),
        "Remove a stopped container and all it holds.",
        (Flag("force", BOOL, "kill it first if it is not stopped; a missing container is no error", "f"),),
    ),
    Command(
        "exec",
        ("id", "args*"),
        "Run a further process in a container.",
        (
            CONSOLE_SOCKET,
            _PIDFD,
            Flag("cwd", TEXT, "its working directory", metavar="DIR"),
            Flag("env", LIST, "set an environment variable", "e", "NAME=VALUE"),
            Flag("tty", BOOL, "give it a terminal", "t"),
            Flag("user", TEXT, "its user and group ids", "u", "UID[:GID]"),
            Flag("additional-gids", COUNTS, "a further group id", "g", "GID"),
            Flag("process", TEXT, "a JSON file with the process object", "p", "FILE"),
            DETACH,
            PID_FILE,
            Flag("process-label", TEXT, "its SELinux label", metavar="LABEL"),
            Flag("apparmor", TEXT, "its AppArmor profile", metavar="PROFILE"),
            Flag("no-new-privs", BOOL, "set no_new_privs"),
            Flag("cap", LIST, "a further capability", "c", "CAP_NAME"),
            _PRESERVE,
            Flag("cgroup", LIST, "an existing cgroup below the container's", metavar="[CONTROLLER,..:]PATH"),
            Flag("ignore-paused", BOOL, "run in a paused container too (it starts at `resume`)"),
        ),
        "exec failed: ",
        255,
        in_order=True,
    ),
    Command(
        "list",
        (),
        "List the containers of this root directory.",
        (_TABLE_OR_JSON, Flag("quiet", BOOL, "print ids only", "q")),
        shown=True,
    ),
    Command(
        "ps",
        ("id", "args*"),
        "List the processes of a container.",
        (_TABLE_OR_JSON,),
        in_order=True,
        shown=True,
    ),
    Command("pause", ("id",), "Freeze all processes of a container."),
    Command("resume", ("id",), "Let a paused container go on."),
    Command("events", ("id",), "Print statistics of a container, and OOM kills.", rare=True, shown=True),
    Command("checkpoint", ("id",), "Write a running container into image files (needs criu).", rare=True),
    Command("restore", ("id",), "Let a container go on from its image files (needs criu).", rare=True),
    Command("update", ("id",), "Change the limits of a container.", rare=True),
    Command(
        "snapshot",
        ("action",),
        "Startup image of this host: build, status or remove it.",
        rare=True,
        shown=True,
    ),
    Command(
        "spec",
        (),
        "Write a config.json to start from.",
        (BUNDLE, Flag("rootless", BOOL, "one that an ordinary user can run")),
    ),
    Command("features", (), "Print what this runtime supports as JSON.", shown=True),
    Command(
        "plan",
        ("id?",),
        "Print the operations of a create; needs no privileges.",
        (
            BUNDLE,
            Flag("format", CHOICE, "form of the output", choices=("text", "json")),
            Flag("facts", TEXT, "plan for the host that this file describes", metavar="FILE"),
            _NO_PIVOT,
            _NO_NEW_KEYRING,
            _PRESERVE,
        ),
        shown=True,
    ),
    Command("validate", (), "Check a bundle's config.json and name every violation.", (BUNDLE,), shown=True),
)

COMMANDS: dict[str, Command] = {command.name: command for command in _ENTRIES}
