"""run: create, start and, in the foreground, wait and delete."""

from __future__ import annotations

from pyrunc.errors import StateError
from pyrunc.operations.create import create_container, make_options
from pyrunc.operations.delete import destroy
from pyrunc.operations.start import HookFailed, start_container, wait_ready

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.execute.creation import Creation
    from pyrunc.execute.foreground import Foreground
    from pyrunc.execute.notify_socket import NotifySocket
    from pyrunc.operations import Context
    from pyrunc.plan.options import CreateOptions
    from pyrunc.state.store import Entry


def run(
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
    detach: bool = False,
    keep: bool = False,
    no_subreaper: bool = False,
) -> int:
    """The exit status of the container's program (128 + N for signal N); 0 when detached."""
    options = make_options(
        context, id, bundle, detach=detach, console_socket=console_socket, pidfd_socket=pidfd_socket,
        pid_file=pid_file, no_pivot=no_pivot, no_new_keyring=no_new_keyring, preserve_fds=preserve_fds,
    )  # fmt: skip
    if detach:
        creation = create_container(context, options)
        notify = _start(context, creation)
        creation.started().let_go()
        if notify:
            wait_ready(creation.entry, creation.record, notify)
        creation.entry.close()
        return 0
    from pyrunc.execute.foreground import Foreground

    foreground = Foreground(subreaper=not no_subreaper)
    try:
        return _run_foreground(context, options, foreground, keep)
    finally:
        foreground.close()


def _start(context: Context, creation: Creation) -> NotifySocket | None:
    """Start what was just created; destroy it if that fails."""
    try:
        return start_container(context.log, creation.entry, creation.record)
    except BaseException as error:
        creation.abandon()
        destroy(context.log, creation.entry, creation.record)
        if isinstance(error, HookFailed):
            raise error.error from error
        raise


def _run_foreground(context: Context, options: CreateOptions, foreground: Foreground, keep: bool) -> int:
    creation = create_container(context, options)
    init = creation.started()
    foreground.begin(init.pid, init.pidfd, creation.console)
    foreground.notify = _start(context, creation)
    return wait_and_destroy(context, creation.entry, foreground, keep)


def wait_and_destroy(context: Context, entry: Entry, foreground: Foreground, keep: bool = False) -> int:
    """The exit status of the program of a locked entry; nobody is locked out while it runs."""
    entry.unlock()
    status = foreground.wait()
    if not keep:
        try:
            entry.lock()
            destroy(context.log, entry, entry.read())
        except StateError:  # another command deleted it
            pass
    entry.close()
    return status
