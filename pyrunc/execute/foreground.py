"""A program in the foreground: pass on our signals, relay the terminal, reap, give its exit status."""

from __future__ import annotations

import os
import select

from pyrunc import native
from pyrunc.cores import signals
from pyrunc.execute.process import exit_status, send_signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyrunc.execute.console import Relay
    from pyrunc.execute.notify_socket import NotifySocket

_OURS = (
    signals.SIGKILL, signals.SIGSTOP, signals.SIGURG, signals.SIGPIPE,
    signals.SIGSEGV, signals.SIGBUS, signals.SIGILL, signals.SIGFPE, signals.SIGTRAP, signals.SIGABRT,
    signals.SIGSYS,
    signals.SIGTTIN, signals.SIGTTOU,  # the kernel stops us by these where our terminal is another job's
)  # fmt: skip


def _note(number: int, frame: object) -> None:
    """The wake-up descriptor tells the number; nothing else to do."""


class Foreground:
    """From before a create until the program's end.

    Signals that arrive before the program runs are kept and passed on then.
    """

    def __init__(self, subreaper: bool) -> None:
        self._wake, self._wake_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._relay: Relay | None = None
        self._pid = 0
        self._pidfd = -1
        self._status: int | None = None
        self.notify: NotifySocket | None = None
        self._before: list[tuple[int, Any]] = []
        if subreaper:
            native.set_child_subreaper()
        self._wakeup_before = signals.set_wakeup_fd(self._wake_end, warn_on_full_buffer=False)
        for number in range(1, 65):
            if number not in _OURS:
                try:
                    self._before.append((number, signals.signal(number, _note)))
                except (OSError, ValueError):  # the C library keeps 32 and 33 to itself
                    pass

    def begin(self, pid: int, pidfd: int, console: int) -> None:
        """The program is `pid`, a child of ours; `console` is its pty's primary end, or -1."""
        self._pid = pid
        self._pidfd = pidfd
        if console >= 0:
            from pyrunc.execute.console import Relay

            self._relay = Relay(console)
            self._relay.start()

    def wait(self) -> int:
        """Relay until the program has ended, and close its pidfd; its exit status."""
        while self._status is None:
            poll = select.poll()
            poll.register(self._wake, select.POLLIN)
            poll.register(self._pidfd, select.POLLIN)
            for fd, events in self._relay.interests() if self._relay else ():
                poll.register(fd, events)
            if self.notify:
                poll.register(self.notify.fileno(), select.POLLIN)
            ready = dict(poll.poll())
            if self._wake in ready:
                self._handle_signals()
            if self._relay:
                self._relay.pump(ready)
            if self.notify and self.notify.fileno() in ready and self.notify.take(0):
                self.close_notify()
            if self._pidfd in ready:
                self._reap()
        if self._relay:
            self._relay.drain()
        os.close(self._pidfd)
        return exit_status(self._status)

    def close(self) -> None:
        """Restore the terminal and the signals."""
        if self._relay:
            self._relay.stop()
        self.close_notify()
        signals.set_wakeup_fd(self._wakeup_before)
        for number, handler in self._before:
            if handler is not None:
                signals.signal(number, handler)
        os.close(self._wake)
        os.close(self._wake_end)

    def close_notify(self) -> None:
        """The container is ready, or gone."""
        if self.notify:
            self.notify.close()
            self.notify = None

    def _handle_signals(self) -> None:
        try:
            numbers = os.read(self._wake, 512)
        except BlockingIOError:
            return
        for number in numbers:
            if number == signals.SIGCHLD:
                self._reap()
            elif number == signals.SIGWINCH:  # about our terminal; to some programs it means "end"
                if self._relay:
                    self._relay.resize()
            elif self._status is None:
                send_signal(self._pidfd, number)

    def _reap(self) -> None:
        """Every child that has ended: the program, and orphans that came to us."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                if self._status is None:
                    self._status = 0
                return
            if pid == 0:
                return
            if pid == self._pid:
                self._status = status
