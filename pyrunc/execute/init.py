"""pyrunc-init as a running process: start it, talk to it, outlive it.

No wait here can hang: each ends with a message, with the end of the socket or
with the end of the process (its pidfd), whichever comes first.
"""

from __future__ import annotations

import os
import select

from pyrunc import native
from pyrunc.cores import message_pair, receive_with_descriptors, signals
from pyrunc.errors import OperationError
from pyrunc.execute.conversation import (
    MAXIMUM_SIZE,
    SIGNAL,
    TRACE,
    WARNING,
    Conversation,
    Message,
    parse_message,
    render_message,
)
from pyrunc.execute.process import read_executed, read_stat, reap, send_signal, wait_gone, was_executed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pyrunc.cores import Socket


class InitEnded(Exception):
    """pyrunc-init is gone without a word; `status` is its wait status, or -1 where unknown."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class InitFailed(Exception):
    """pyrunc-init reported an error: `message`."""

    def __init__(self, message: Message) -> None:
        super().__init__(message.text)
        self.message = message


class Init:
    """One pyrunc-init and the conversation with it.

    pid, pidfd: first its own, after message PID the container process's.
    """

    __slots__ = (
        "_listener", "_poll", "conversation", "first_pid", "name", "pid", "pidfd", "socket", "start_time",
    )  # fmt: skip

    def __init__(self, pid: int, pidfd: int, socket: Socket, listener: Callable[[Message], None]) -> None:
        self.pid = pid
        self.first_pid = pid
        self.pidfd = pidfd
        self.socket = socket
        self.conversation = Conversation()
        self.name, self.start_time = read_executed(pid)
        self._listener = listener
        self._poll = select.poll()
        self._poll.register(socket.fileno(), select.POLLIN)
        self._poll.register(pidfd, select.POLLIN)

    def signal(self, name: str) -> None:
        """Tell pyrunc-init that `name` was reached."""
        try:
            self.socket.send(render_message(Message(SIGNAL, text=name)))
        except (BrokenPipeError, ConnectionResetError):
            self.wait_end()  # raises InitFailed if it said why
            raise InitEnded(self._reap_end()) from None

    def wait(self, name: str) -> None:
        """Wait for a signal of pyrunc-init; InitFailed or InitEnded instead of it."""
        while not self.conversation.reached(name):
            self._step()
            if self.conversation.ended:
                raise InitEnded(self._reap_end())

    def wait_descriptor(self, slot: int) -> int:
        """Wait for the descriptor of slot number `slot`."""
        while slot not in self.conversation.descriptors:
            self._step()
            if self.conversation.ended:
                raise InitEnded(self._reap_end())
        return self.conversation.descriptors[slot]

    def wait_end(self) -> None:
        """Wait until nobody is at the other end: the program was executed, or the process ended."""
        while not self.conversation.ended:
            self._step()

    def wait_exec(self) -> None:
        """Wait until the program was executed; InitEnded if the process ended before."""
        self.wait_end()
        if not was_executed(self.pid, self.pidfd, self.name):
            raise InitEnded(self._reap_end())

    def poll_message(self) -> bool:
        """Take in one message if there is one; False if there was none."""
        try:
            data, descriptors = receive_with_descriptors(self.socket, MAXIMUM_SIZE, wait=False)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            # Said once, before what the other end had sent, when it ended with one of our signals unread.
            return self.poll_message()
        if not data:
            self.conversation.end()
            return True
        self._take(parse_message(data), descriptors)
        return True

    def _step(self) -> None:
        """Wait for one thing to happen and take it in."""
        ready = [fd for fd, _ in self._poll.poll()]
        if self.socket.fileno() in ready and self.poll_message():
            return
        if self.pidfd not in ready:
            return
        if self.pid == self.first_pid:
            # Stage 1 may end before stage 2, which shares its memory, says who it is.
            # If there is no stage 2, nobody holds the other end and the socket says so.
            self._poll.unregister(self.pidfd)
            return
        while not self.conversation.ended and self.poll_message():
            pass
        self.conversation.end()

    def _take(self, message: Message, descriptors: list[int]) -> None:
        if message.kind in (TRACE, WARNING):
            self._listener(message)
        self.conversation.receive(message, descriptors)
        if self.conversation.failure is not None:
            raise InitFailed(message)
        if self.conversation.pid and self.conversation.pid != self.pid:
            self._follow(self.conversation.pid)

    def _follow(self, pid: int) -> None:
        """The container's process is `pid` from here on: our child, so nobody else gets the number."""
        try:
            self._poll.unregister(self.pidfd)
        except KeyError:
            pass  # stage 1 had ended before
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            os.kill(pid, signals.SIGKILL)
            reap(pid)
            self.conversation.end()
            raise
        os.close(self.pidfd)
        self.pid, self.pidfd = pid, pidfd
        *_, self.start_time = read_stat(pid)  # the name is stage 1's: this one may have executed already
        self._poll.register(self.pidfd, select.POLLIN)

    def _reap_end(self) -> int:
        if not wait_gone(self.pidfd):
            return -1
        status = reap(self.pid)
        if self.pid == self.first_pid and status == 0:
            self._reap_unnamed()
        return status

    def _reap_unnamed(self) -> None:
        """Stage 2, where stage 1 has cloned it and it was killed before it said who it is.

        Nobody but its parent can reap it, and the init of the pid namespace that it joined waits for that.
        """
        for pid in [int(name) for name in os.listdir("/proc") if name.isdigit()]:
            name, _, parent, _ = read_stat(pid)
            if name == self.name and parent == os.getpid():
                pidfd = os.pidfd_open(pid)
                if wait_gone(pidfd, 1):
                    reap(pid)
                os.close(pidfd)

    def reap_first(self) -> None:
        """Reap stage 1, which ended when it had cloned the container's process."""
        if self.first_pid != self.pid:
            reap(self.first_pid)

    def let_go(self) -> None:
        """The process goes on without us."""
        self.reap_first()
        self.socket.close()
        os.close(self.pidfd)

    def kill(self) -> None:
        """End it for good, whichever stage it is in."""
        send_signal(self.pidfd, signals.SIGKILL)
        if self.first_pid == self.pid:
            status = reap(self.pid)
            self._drain()  # it may have cloned the container's process just before
            if self.first_pid == self.pid:
                if status == 0:
                    self._reap_unnamed()
                return
        send_signal(self.pidfd, signals.SIGKILL)
        reap(self.first_pid)
        if not wait_gone(self.pidfd):
            raise OperationError(f"process {self.pid} does not die", step="kill")
        reap(self.pid)

    def _drain(self) -> None:
        while not self.conversation.ended:
            try:
                if not self.poll_message():
                    return
            except (InitFailed, ValueError):
                pass

    def close(self) -> None:
        """Close the descriptors; the process goes on."""
        self.socket.close()
        os.close(self.pidfd)
        for fd in self.conversation.descriptors.values():
            os.close(fd)
        self.conversation.descriptors.clear()


def start_init(
    make_plan: Callable[[dict[str, int]], bytes],
    provided: dict[str, int],
    preserved: int,
    cgroup_fd: int,
    listener: Callable[[Message], None],
) -> Init:
    """Start pyrunc-init with descriptors 0..2, `preserved` more, and those of `provided` (slot name to fd).

    make_plan: the plan's bytes, given the numbers that the provided slots will
    have in pyrunc-init.  It begins at `signal("plan")`.
    """
    base = 3 + preserved
    numbers = {name: base + 2 + index for index, name in enumerate(provided)}
    ours, theirs = message_pair()
    program = native.init_memfd()
    plan = native.sealed_memfd(make_plan(numbers), "pyrunc-plan")
    fds = [(number, number) for number in range(3, base)]
    fds += [(theirs.fileno(), base), (plan, base + 1)]
    fds += [(fd, numbers[name]) for name, fd in provided.items()]
    try:
        pid, pidfd = native.spawn(
            program, [b"pyrunc-init", b"%d" % base, b"%d" % (base + 1)], [], fds, cgroup_fd=cgroup_fd
        )
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
        os.close(program)
        os.close(plan)
    try:
        return Init(pid, pidfd, ours, listener)
    except OSError:
        send_signal(pidfd, signals.SIGKILL)
        reap(pid)
        os.close(pidfd)
        ours.close()
        raise
