"""exec: another process in a running container."""

from __future__ import annotations

import os

from pyrunc.errors import UsageError
from pyrunc.execute.joining import Joining
from pyrunc.execute.process import status_of
from pyrunc.host.facts import probe_facts
from pyrunc.operations import is_decimal
from pyrunc.operations.create import check_preserved, check_terminal, compile_seccomp, listen_fds
from pyrunc.plan.exec import ExecOptions, plan_exec
from pyrunc.state.lifecycle import PAUSED, allowed
from pyrunc.state.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyrunc.execute.foreground import Foreground
    from pyrunc.operations import Context
    from pyrunc.spec.types import Config, Process
    from pyrunc.state.record import Record

LARGEST_ID = 4294967294


def exec(
    context: Context,
    id: str,
    args: Sequence[str] = (),
    *,
    process: str = "",
    cwd: str = "",
    env: Sequence[str] = (),
    tty: bool = False,
    user: str = "",
    additional_gids: Sequence[str | int] = (),
    process_label: str = "",
    apparmor: str = "",
    no_new_privs: bool = False,
    cap: Sequence[str] = (),
    detach: bool = False,
    pid_file: str = "",
    console_socket: str = "",
    pidfd_socket: str = "",
    preserve_fds: int = 0,
    cgroup: Sequence[str] = (),
    ignore_paused: bool = False,
) -> int:
    """The exit status of the process (128 + N for signal N); 0 when detached.

    `process` names a file with an OCI process; without it the other flags
    change the container's own process, as it was at create.
    Raises PyruncError when the process could not be started.
    """
    entry = Store(context.root).open(id)
    record = entry.read()
    status = status_of(entry, record)
    if not (ignore_paused and status == PAUSED):
        allowed("exec", status)
    config: Config = entry.read_config()
    config["process"] = _load_process(process) if process else merge_process(
        config, args, cwd, env, tty, user, additional_gids, process_label, apparmor, no_new_privs, cap
    )  # fmt: skip
    options = _make_options(config, preserve_fds, [console_socket, pidfd_socket, pid_file])
    options.detach, options.cgroup = detach, list(cgroup)
    check_terminal(config, detach, console_socket)
    return _run(context, config, record, options)


def _make_options(config: Config, preserve_fds: int, paths: list[str]) -> ExecOptions:
    options = ExecOptions(config.get("linux") or {})
    options.preserve_fds, options.listen_fds = preserve_fds, listen_fds()
    check_preserved(options.listen_fds + options.preserve_fds)
    absolute = [os.path.abspath(path) if path else "" for path in paths]
    options.console_socket, options.pidfd_socket, options.pid_file = absolute
    return options


def _run(context: Context, config: Config, record: Record, options: ExecOptions) -> int:
    if config["process"].get("terminal") and not options.console_socket:
        from pyrunc.execute.console import terminal_size

        if size := terminal_size():  # the program may ask for it before we relay
            config["process"]["consoleSize"] = {"height": size[0], "width": size[1]}
    warnings: list[str] = []
    options.seccomp_program = compile_seccomp(config, warnings)
    plan = plan_exec(config["process"], record, probe_facts(config, cgroups=False), options)
    plan.warnings += warnings
    joining = Joining(plan, config, record, options, context.log)
    if options.detach:
        _start(joining)
        joining.started().let_go()
        return 0
    from pyrunc.execute.foreground import Foreground

    foreground = Foreground(subreaper=False)
    try:
        return _run_foreground(joining, foreground)
    finally:
        foreground.close()


def _start(joining: Joining) -> None:
    try:
        joining.run()
    except BaseException:
        joining.abandon()
        raise


def _run_foreground(joining: Joining, foreground: Foreground) -> int:
    _start(joining)
    init = joining.started()
    foreground.begin(init.pid, init.pidfd, joining.console)
    return foreground.wait()


def _load_process(path: str) -> Process:
    from pyrunc.spec.load import load_process

    return load_process(path)


def merge_process(
    config: Config, args: Sequence[str], cwd: str, env: Sequence[str], tty: bool, user: str,
    additional_gids: Sequence[str | int], label: str, apparmor: str, no_new_privs: bool, cap: Sequence[str],
) -> Process:  # fmt: skip
    """The container's own process, changed as the flags say.  UsageError for a flag that makes no sense."""
    if not args:
        raise UsageError("exec args cannot be empty: name a program, or a file with --process")
    if "process" not in config:
        raise UsageError("the container has no process of its own: use --process")
    process: Process = {**config["process"], "args": list(args), "terminal": tty}
    if cwd:
        if not cwd.startswith("/"):
            raise UsageError(f"cwd must be an absolute path, not {cwd!r}")
        process["cwd"] = cwd
    for entry in env:
        if entry.find("=") < 1:
            raise UsageError(f"--env: {entry!r} is not an environment variable: want NAME=VALUE")
    if env:
        process["env"] = [*(process.get("env") or ()), *env]
    _merge_user(process, user, additional_gids)
    if label:
        process["selinuxLabel"] = label
    if apparmor:
        process["apparmorProfile"] = apparmor
    if no_new_privs:
        process["noNewPrivileges"] = True
    if cap:
        _merge_capabilities(process, cap)
    return process


def _merge_user(process: Process, user: str, additional_gids: Sequence[str | int]) -> None:
    who = dict(process["user"])
    if user:
        uid, colon, gid = user.partition(":")
        who["uid"] = parse_id(uid, "--user")
        if colon:
            who["gid"] = parse_id(gid, "--user")
    if additional_gids:
        before = process["user"].get("additionalGids") or []
        more = [parse_id(str(gid), "--additional-gids") for gid in additional_gids]
        who["additionalGids"] = [*before, *more]
    process["user"] = who  # type: ignore[typeddict-item]


def parse_id(text: str, flag: str) -> int:
    """A user or group id: decimal digits, all of `text`. UsageError otherwise (CVE-2026-30892)."""
    if is_decimal(text) and int(text) <= LARGEST_ID:
        return int(text)
    raise UsageError(f"{flag}: {text!r} is not a user or group id: want digits, as in 1000 or 1000:1000")


def _merge_capabilities(process: Process, names: Sequence[str]) -> None:
    """More capabilities; never inheritable ones (CVE-2022-29162), and so no ambient ones."""
    sets: dict[str, list[str]] = dict(process.get("capabilities") or {})  # type: ignore[arg-type]
    wanted = [name.upper() if name.upper().startswith("CAP_") else "CAP_" + name.upper() for name in names]
    for kind in ("bounding", "effective", "permitted"):
        before = list(sets.get(kind) or ())
        sets[kind] = before + [name for name in wanted if name not in before]
    process["capabilities"] = sets  # type: ignore[typeddict-item]
