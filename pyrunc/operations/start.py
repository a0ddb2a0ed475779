"""start: let the program of a created container run."""

from __future__ import annotations

import os
import select
from errno import ENXIO

from pyrunc.cores import unpack_from
from pyrunc.errors import PyruncError, StateError
from pyrunc.execute.conversation import ERROR, HEADER, HEADER_SIZE, MAXIMUM_SIZE, Message, parse_message
from pyrunc.execute.process import lock_container, oci_state, open_pidfd, read_stat, was_executed
from pyrunc.state.lifecycle import RUNNING, STOPPED, allowed
from pyrunc.state.store import REPLY_FIFO, START_FIFO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.execute.notify_socket import NotifySocket
    from pyrunc.operations import Context, Log
    from pyrunc.state.record import Record
    from pyrunc.state.store import Entry


def start(context: Context, id: str) -> None:
    """Start the created container `id`; returns when its program was executed and poststart hooks ran.

    Spec runtime.md, "Start".  If a hook fails the container is destroyed.
    """
    entry, record = lock_container(context.root, id, "start")
    try:
        notify = start_container(context.log, entry, record)
    except HookFailed as failure:
        from pyrunc.operations.delete import destroy

        destroy(context.log, entry, record)
        raise failure.error from failure
    if notify:
        wait_ready(entry, record, notify)
    entry.close()


class HookFailed(Exception):
    """A startContainer or poststart hook failed: the container has to go."""

    def __init__(self, error: PyruncError) -> None:
        super().__init__(error.text)
        self.error = error


def start_container(log: Log, entry: Entry, record: Record) -> NotifySocket | None:
    """Release the waiting init of a locked entry; see `start`.

    With NOTIFY_SOCKET the container has yet to say READY=1, to what is returned.
    HookFailed: the container has to go; StateError: it has no process, or its init is gone.
    """
    if not any(name == "exec" for name, _, _ in record.late.values()):
        text = "cannot start a container whose configuration has no process"
        raise StateError(text, pointer="/process", step="start")
    pidfd = open_pidfd(record.pid, record.start_time)
    if pidfd < 0:
        allowed("start", STOPPED)
    notify = None
    try:
        target = os.environ.get("NOTIFY_SOCKET", "")
        if record.notify and target:
            from pyrunc.execute.notify_socket import NotifySocket

            notify = NotifySocket(entry.dir_fd, target)
        _release(log, entry, record, pidfd)
        if record.hooks.get("poststart"):
            _run_poststart(record)
    except BaseException:
        if notify:
            notify.close()
        raise
    finally:
        os.close(pidfd)
    return notify


def wait_ready(entry: Entry, record: Record, notify: NotifySocket) -> None:
    """Wait until the container is ready, or has ended; meanwhile others may work on it."""
    entry.unlock()
    pidfd = open_pidfd(record.pid, record.start_time)
    try:
        if pidfd >= 0:
            notify.relay(record.pid, pidfd)
    finally:
        notify.close()
        if pidfd >= 0:
            os.close(pidfd)


def _release(log: Log, entry: Entry, record: Record, pidfd: int) -> None:
    """Write the byte that init waits for, and hear until execve has closed the reply FIFO."""
    reply = os.open(REPLY_FIFO, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=entry.dir_fd)
    try:
        before, *_ = read_stat(record.pid)
        _write_start(entry)
        messages = _read_replies(reply, pidfd)
    finally:
        os.close(reply)
    for name in (START_FIFO, REPLY_FIFO):
        try:
            os.unlink(name, dir_fd=entry.dir_fd)
        except OSError:  # what has begun goes on; they go with the directory
            pass
    for message in messages:
        _judge(log, record, message)
    if not was_executed(record.pid, pidfd, before):
        _explain_end(record)


def _explain_end(record: Record) -> None:
    """Raise the error for an init that ended before it became the program: execve(2) changes the name."""
    from pyrunc.cgroup.driver import open_cgroup
    from pyrunc.execute.wording import explain_end

    cgroup = open_cgroup(record.cgroup)
    raise explain_end(-1, "start", cgroup.oom_kills() > 0, cgroup.lacked_memory())


def _write_start(entry: Entry) -> None:
    """The byte; StateError if no init waits for it any more."""
    try:
        fifo = os.open(START_FIFO, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=entry.dir_fd)
    except OSError as error:
        if error.errno != ENXIO:
            raise
        allowed("start", STOPPED)
    try:
        os.write(fifo, b"\0")
    finally:
        os.close(fifo)


def _read_replies(reply: int, pidfd: int) -> list[Message]:
    """All messages until nobody can send one any more."""
    poll = select.poll()
    poll.register(reply, select.POLLIN)
    poll.register(pidfd, select.POLLIN)
    data = b""
    ended = False
    while not ended:
        ready = dict(poll.poll())
        ended = pidfd in ready or bool(ready.get(reply, 0) & (select.POLLHUP | select.POLLERR))
        try:
            while part := os.read(reply, MAXIMUM_SIZE):
                data += part
        except BlockingIOError:
            pass
    messages = []
    while len(data) >= HEADER_SIZE:
        size = HEADER_SIZE + unpack_from(HEADER, data)[3]
        messages.append(parse_message(data[:size]))
        data = data[size:]
    return messages


def _judge(log: Log, record: Record, message: Message) -> None:
    """Log a warning; raise the error that an ERROR stands for."""
    from pyrunc.execute.wording import explain_failure, explain_warning
    from pyrunc.plan.ops import Op

    name, argument, pointer = record.late.get(str(message.op), ["start", "", ""])
    op = Op(name, argument).at(pointer)
    if message.kind != ERROR:
        log.warning(explain_warning(op, message))
        return
    error = explain_failure(op, message, {"ociVersion": "", "root": {"path": ""}})
    raise HookFailed(error) if name == "run_hook" else error


def _run_poststart(record: Record) -> None:
    from pyrunc.errors import HookError
    from pyrunc.execute.hooks import run_all

    try:
        run_all("poststart", record.hooks["poststart"], oci_state(record, RUNNING), record.bundle)
    except HookError as error:
        raise HookFailed(error) from error
