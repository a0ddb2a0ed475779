"""From the command line to an exit code: understand, carry out, report.

The only place that turns errors into log lines and exit codes.  A command that
fails writes exactly one error line (see `pyrunc.log`).
"""

from __future__ import annotations

import os
import sys

from pyrunc.cli.parser import Parsed, parse, read_globals
from pyrunc.cores import signals
from pyrunc.errors import HostError, OperationError, PyruncError, UsageError, reason_of
from pyrunc.log import Log
from pyrunc.operations import Context

DEFAULT_ROOT = "/run/pyrunc"
_WHOLE_RANGE = ["0", "0", "4294967295"]


def main(arguments: list[str]) -> int:
    """Carry out one command line (without the program's name); returns the exit code."""
    signals.signal(signals.SIGCHLD, signals.SIG_DFL)  # ignored by our caller, it would hide how children end
    parsed: Parsed | None = None
    log = Log()
    try:
        understood = _understand(arguments)
        if isinstance(understood, int):
            return understood
        parsed = understood
        options = parsed.options
        log = Log(str(options["log"]), str(options["log_format"]), bool(options["debug"]))
        return _carry_out(parsed, _context(options, log))
    except Exception as error:
        failure = explain(error)
        if parsed is None:
            log = _log_asked_for(arguments)
        if log.debugging and failure is not error:
            _log_trace(log, error)
        log.failure(failure, parsed.command.prefix if parsed else "")
        return parsed.command.setup_failure if parsed else 1
    except KeyboardInterrupt:
        return 130


def entry() -> None:
    """The process entry: run `main` on sys.argv and leave at once, without the interpreter's tear-down."""
    open_streams()
    code = main(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:  # what our caller closed, nothing was written to
                stream.flush()
        except (OSError, ValueError):
            code = code or 1
    os._exit(code)


def open_streams() -> None:
    """Open /dev/null for each of descriptors 0 to 2 that our caller closed; the container's program gets it.

    Else a file that we open took the number, to be read as input or to get our log lines.
    """
    for fd in range(3):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open("/dev/null", os.O_RDWR), True)


def _understand(arguments: list[str]) -> Parsed | int:
    parsed = None if "_PYRUNC_COMPLETE" in os.environ else parse(arguments)
    if parsed is not None:
        return parsed
    from pyrunc.cli.app import understand

    return understand(arguments)


def _log_asked_for(arguments: list[str]) -> Log:
    """The log that a wrong command line asks for: engines look there for the reason."""
    options = read_globals(arguments)
    try:
        return Log(str(options["log"]), str(options["log_format"]), bool(options["debug"]))
    except PyruncError:
        return Log()


def _carry_out(parsed: Parsed, context: Context) -> int:
    name = parsed.command.name
    if parsed.command.shown:
        from pyrunc.cli.output import show

        return show(name, context, parsed.values)
    module = __import__("pyrunc.operations." + name, None, None, [name])
    result: int | None = getattr(module, name)(context, **parsed.values)
    return result or 0


def _context(options: dict[str, object], log: Log) -> Context:
    manager = options["cgroup_manager"]
    root = str(options["root"])
    return Context(
        root=state_root(root, str(options["rootless"])),
        systemd_cgroup=manager == "systemd" or (bool(options["systemd_cgroup"]) and not manager),
        rootless=str(options["rootless"]),
        log=log,
        root_given=bool(root),
        no_cgroup=manager == "disabled",
        criu=str(options["criu"]),
    )


def state_root(given: str, rootless: str = "auto") -> str:
    """The absolute directory of the container records.

    `given` is what --root says; without it /run/pyrunc, and for the unprivileged
    $XDG_RUNTIME_DIR/pyrunc, made here (0700, sticky so that it outlives cleaners
    of that directory).
    """
    if given:
        root = "/" + os.path.abspath(given).lstrip("/")
        if root == "/":
            raise UsageError("--root may not be /")
        return root
    runtime_dir = os.environ.get("XDG_RUNTIME_DIR", "")
    if not runtime_dir or not _unprivileged(rootless):
        return DEFAULT_ROOT
    root = os.path.abspath(runtime_dir + "/pyrunc")
    try:
        os.makedirs(root, 0o700)
        os.chmod(root, 0o1700)
    except FileExistsError:
        pass
    except OSError as error:
        from pyrunc.state.store import host_error

        raise host_error("make the root directory", root, error) from error
    return root


def _unprivileged(rootless: str) -> bool:
    """Whether the caller is an ordinary user: by id, or root only inside a user namespace."""
    if rootless != "auto":
        return rootless == "true"
    if os.geteuid() != 0:
        return True
    try:
        with open("/proc/self/uid_map") as file:
            mapped = file.read().split()
    except OSError:
        return False
    return mapped != _WHOLE_RANGE and os.environ.get("USER") != "root"


def explain(error: Exception) -> PyruncError:
    """The error as one that can be logged: unforeseen ones are named as such."""
    if isinstance(error, PyruncError):
        return error
    if isinstance(error, OSError) and error.errno:
        path = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else ""
        text = f"{path}: {reason_of(error)}" if path else reason_of(error)
        return OperationError(text, path=path, errno=error.errno)
    if isinstance(error, MemoryError):
        return OperationError("out of memory")
    if isinstance(error, ImportError):
        return HostError(f"cannot load a part of pyrunc: {error}")
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace else ""
    text = f"internal error: {type(error).__name__}: {error} ({where})"
    return PyruncError(text, hint="run it with --debug")


def _log_trace(log: Log, error: Exception) -> None:
    """Where in the code an unforeseen error comes from; not on standard error, which engines read."""
    from traceback import format_exception

    for line in "".join(format_exception(error)).splitlines():
        log.debug(line)
