"""NOTIFY_SOCKET: hear sd_notify(3) of the container and tell the host's service manager.

The container sees `<state dir>/notify` as /run/notify.  The socket in it is
bound by `start`; READY=1 is passed on with the init's MAINPID, then a BARRIER
makes sure that the manager has read it before we exit.
"""

from __future__ import annotations

import os
import select
import time

from pyrunc.cores import send_with_descriptors, unix_socket
from pyrunc.state.store import NOTIFY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.cores import Socket

SOCKET = "notify.sock"
BARRIER_SECONDS = 30.0
SIZE = 4096


class NotifySocket:
    """The container's notify socket, from before its start until it is ready."""

    __slots__ = ("_directory", "_socket", "_target")

    def __init__(self, state_fd: int, target: str) -> None:
        """Bind `notify/notify.sock` below the state directory; `target` is our own NOTIFY_SOCKET."""
        self._target = target
        self._directory = os.open(NOTIFY, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=state_fd)
        path = f"/proc/self/fd/{self._directory}/{SOCKET}"  # a socket path has 107 bytes at most
        self._socket = unix_socket(datagram=True)
        try:
            os.unlink(SOCKET, dir_fd=self._directory)
        except FileNotFoundError:
            pass
        self._socket.bind(path)
        os.chmod(SOCKET, 0o777, dir_fd=self._directory)

    def fileno(self) -> int:
        """The descriptor to poll before `take`."""
        return self._socket.fileno()

    def take(self, pid: int) -> bool:
        """Receive one message; True if it said READY=1, which was passed on; pid: for MAINPID, 0 = none."""
        if b"READY=1" not in self._socket.recv(SIZE).split(b"\n"):
            return False
        self._announce(pid)
        return True

    def relay(self, pid: int, pidfd: int) -> None:
        """Wait until the container says READY=1 and pass it on; its end ends the wait."""
        poll = select.poll()
        poll.register(self._socket.fileno(), select.POLLIN)
        poll.register(pidfd, select.POLLIN)
        while True:
            ready = [fd for fd, _ in poll.poll()]
            if self._socket.fileno() in ready:
                if self.take(pid):
                    return
            elif pidfd in ready:
                return

    def close(self) -> None:
        """Close the socket; its name goes with the state directory."""
        self._socket.close()
        os.close(self._directory)

    def _announce(self, pid: int) -> None:
        connection = unix_socket(datagram=True)
        try:
            connection.connect("\0" + self._target[1:] if self._target.startswith("@") else self._target)
            connection.send(b"READY=1\nMAINPID=%d" % pid if pid else b"READY=1")
            _barrier(connection)
        except OSError:
            pass  # nobody listens any more; that is no fault of the container
        finally:
            connection.close()


def _barrier(connection: Socket) -> None:
    """sd_notify_barrier(3): the other end closes the pipe that we send when it has read all before it."""
    read_end, write_end = os.pipe2(os.O_CLOEXEC)
    try:
        send_with_descriptors(connection, b"BARRIER=1", [write_end])
    finally:
        os.close(write_end)
    poll = select.poll()
    poll.register(read_end, select.POLLHUP)
    deadline = time.monotonic() + BARRIER_SECONDS
    try:
        while not poll.poll(max(0, int((deadline - time.monotonic()) * 1000))):
            if time.monotonic() >= deadline:
                return
    finally:
        os.close(read_end)
