"""create: everything the configuration asks for, but not the program."""

from __future__ import annotations

import os

from pyrunc.errors import UsageError
from pyrunc.execute.creation import Creation
from pyrunc.host.facts import probe_facts
from pyrunc.operations import is_decimal
from pyrunc.plan.create import plan_create
from pyrunc.plan.options import CreateOptions
from pyrunc.spec.load import load_bundle
from pyrunc.state.store import Store, check_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.operations import Context
    from pyrunc.spec.types import Config


def create(
    context: Context,
    id: str,
    bundle: str = "",
    *,
    console_socket: str = "",
    pidfd_socket: str = "",
    pid_file: str = "",
    no_pivot: bool = False,
    no_new_keyring: bool = False,
    preserve_fds: int = 0,
) -> None:
    """Create the container `id` from `bundle` ("" = current directory); leave its init waiting for start."""
    options = make_options(
        context, id, bundle, detach=True, console_socket=console_socket, pidfd_socket=pidfd_socket,
        pid_file=pid_file, no_pivot=no_pivot, no_new_keyring=no_new_keyring, preserve_fds=preserve_fds,
    )  # fmt: skip
    creation = create_container(context, options)
    creation.started().let_go()
    creation.entry.close()


def create_container(context: Context, options: CreateOptions) -> Creation:
    """Carry out the create that `options` ask for; all is undone if it fails.

    What comes back has the entry locked and, without a console socket, the pty.
    """
    loaded = load_bundle(options.bundle)
    check_preserved(options.listen_fds + options.preserve_fds)
    check_terminal(loaded.config, options.detach, options.console_socket)
    entry = Store(context.root).create(options.id)
    creation = None
    try:
        warnings: list[str] = []
        options.seccomp_program = compile_seccomp(loaded.config, warnings)
        facts = probe_facts(loaded.config)
        plan = plan_create(loaded.config, facts, options)
        plan.warnings += warnings
        tolerant = context.rootless == "true" or (
            context.rootless == "auto" and (facts.euid != 0 or facts.user_namespace)
        )
        creation = Creation(plan, loaded, entry, options, facts, context.log, tolerant)
        creation.run()
    except BaseException:
        if creation is not None:
            creation.undo()
        else:
            entry.remove()
        entry.close()
        raise
    return creation


def make_options(context: Context, id: str, bundle: str, **flags: str | int) -> CreateOptions:
    """The options that flags and environment give; paths are absolute, the bundle's without symbolic links.

    UsageError: no id or bundle.
    """
    check_id(id)
    options = CreateOptions(id, os.path.realpath(bundle or "."), f"{context.root}/{id}")
    if not os.path.isdir(options.bundle):
        why = "not a directory" if os.path.exists(options.bundle) else "no such file or directory"
        raise UsageError(f"bundle {options.bundle}: {why}", path=options.bundle)
    for name, value in flags.items():
        setattr(options, name, value)
    for name in ("pid_file", "console_socket", "pidfd_socket"):
        if path := getattr(options, name):
            setattr(options, name, os.path.abspath(path))
    options.systemd_cgroup = context.systemd_cgroup
    options.no_cgroup = context.no_cgroup
    options.notify_socket = os.environ.get("NOTIFY_SOCKET", "")
    options.listen_fds = listen_fds()
    return options


def listen_fds() -> int:
    """How many descriptors socket activation hands to us: LISTEN_FDS, if LISTEN_PID is us."""
    count = os.environ.get("LISTEN_FDS", "")
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return 0
    return int(count) if is_decimal(count) and len(count) < 10 else 0


def check_preserved(count: int) -> None:
    """UsageError unless we inherited descriptors 3 to 3 + count - 1: those of our own are closed on exec."""
    for number in range(3, 3 + count):
        try:
            inherited = os.get_inheritable(number)
        except OSError:
            inherited = False
        if not inherited:
            text = f"file descriptor {number} is not open, but {count} from 3 on are to be preserved"
            raise UsageError(text)


def check_terminal(config: Config, detach: bool, console_socket: str) -> None:
    """UsageError if a terminal is wanted and nobody takes it, or the other way round."""
    terminal = "process" in config and bool(config["process"].get("terminal"))
    if terminal and detach and not console_socket:
        text = "cannot allocate tty if pyrunc will detach without setting console socket"
        raise UsageError(text, pointer="/process/terminal", hint="use --console-socket, or run without -d")
    if console_socket and not (terminal and detach):
        text = "cannot use console socket if pyrunc will not detach or allocate tty"
        hint = "leave it out, or set process.terminal and detach"
        raise UsageError(text, pointer="/process/terminal", hint=hint)


def compile_seccomp(config: Config, warnings: list[str]) -> bytes:
    """The BPF program of the configuration's seccomp section; b"" without one."""
    section = config["linux"].get("seccomp") if "linux" in config else None
    if not section:
        return b""
    from pyrunc.execute.seccomp import compile_filter

    return compile_filter(section, cache_directory(), warnings)


def cache_directory() -> str | None:
    """Where compiled filters are kept until the next boot; None if there is no good place."""
    if os.geteuid() == 0:
        return "/run/pyrunc.cache"
    directory = os.environ.get("XDG_RUNTIME_DIR", "")
    return f"{directory}/pyrunc.cache" if directory.startswith("/") else None
