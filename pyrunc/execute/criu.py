"""CRIU as a running program: `criu swrk`, one request, its notifications, and why it failed.

Here: finding it, talking to it, reading its log.  What is asked of it is up to
`operations.checkpoint` and `operations.restore`.
"""

from __future__ import annotations

import os

from pyrunc import native
from pyrunc.cores import message_pair, receive_with_descriptors, signals
from pyrunc.errors import HostError, OperationError, reason
from pyrunc.execute import criu_messages
from pyrunc.execute.criu_messages import NOTIFY, Response, encode_notified, encode_request
from pyrunc.execute.process import caller_environment, reap, send_signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LEAST_VERSION = (3, 12, 0)
SOCKET = 3
FIRST_EXTRA = 4
SHOWN_LINES = 5
NOISE = ("tun: Unable to create tun", "rlimit: Can't setup RLIMIT_NOFILE", "FAILED.")
"""Errors in a log that stop nothing, or say only that something did."""
CONFIG_FILES = ("/etc/criu/pyrunc.conf", "/etc/criu/runc.conf")
CONFIG_ANNOTATION = "org.criu.config"


def find_criu(name: str = "") -> str:
    """The program `name` (a path, or looked up in PATH; criu without one); HostError if there is none."""
    name = name or "criu"
    for directory in [""] if "/" in name else os.get_exec_path():
        path = os.path.join(directory or ".", name)
        if os.path.isfile(path) and os.access(path, os.X_OK, effective_ids=True):
            return path
    raise HostError(
        f"{name} is not installed: checkpoint and restore need it",
        step="criu",
        hint="install the package criu and see what `criu check` says",
    )


def config_file(annotations: dict[str, str]) -> str | None:
    """criu's configuration file: what the annotation says ("": none), else the system's for runtimes."""
    if CONFIG_ANNOTATION in annotations:
        return annotations[CONFIG_ANNOTATION] or None
    return next((path for path in CONFIG_FILES if os.path.isfile(path)), None)


class Criu:
    """One `criu swrk`: started, not yet asked for anything.

    It opens directories through /proc of this process: their descriptors are
    ours.  Those that it is to pass on must be its own: it gets `extra` as
    FIRST_EXTRA and so on.
    """

    def __init__(self, program: str, extra: list[int] | None = None) -> None:
        self._program = program
        self._socket, theirs = message_pair()
        self._output = os.memfd_create("criu", os.MFD_CLOEXEC)
        fds = [(self._output, 1), (self._output, 2), (theirs.fileno(), SOCKET)]
        fds += [(fd, FIRST_EXTRA + index) for index, fd in enumerate(extra or [])]
        try:
            arguments = [b"criu", b"swrk", str(SOCKET).encode()]
            self.pid, self._pidfd = native.spawn(program, arguments, caller_environment(), fds)
        except OSError as error:
            self._socket.close()
            os.close(self._output)
            raise HostError(f"cannot run {program}: {error.strerror}", step="criu", path=program) from error
        finally:
            theirs.close()

    def ask(
        self,
        request: bytes,
        what: str,
        notified: Callable[[Response, list[int]], None] | None = None,
        log: str = "",
    ) -> Response:
        """Send the request, answer notifications, give the final answer; OperationError if it failed.

        notified: gets each notification and the descriptors that came with it,
        which are its own then.  log: where criu writes what it does.
        """
        try:
            answer = self._talk(request, notified)
        except BaseException:
            self.end(kill=True)
            raise
        if answer is None or not answer.success:
            said = self.end_and_read()
            raise explain(what, answer, read_text(log) if log else "", said, log, self._program)
        return answer

    def _talk(
        self, request: bytes, notified: Callable[[Response, list[int]], None] | None
    ) -> Response | None:
        try:
            self._socket.send(request)
            while True:
                data, descriptors = receive_with_descriptors(self._socket, 65536)
                if not data:
                    return None
                answer = Response(data)
                if answer.kind != NOTIFY:
                    return answer
                if notified:
                    notified(answer, descriptors)
                self._socket.send(encode_notified())
        except (BrokenPipeError, ConnectionResetError):
            return None
        except ValueError as error:
            raise OperationError(f"criu sent what is no answer: {error}", step="criu") from error

    def end_and_read(self) -> str:
        """Wait for its end; what it printed."""
        fd = os.dup(self._output)
        try:
            self.end()
            return read_output(fd)
        finally:
            os.close(fd)

    def end(self, kill: bool = False) -> None:
        """Wait for its end, with `kill` after SIGKILL; nothing if it had ended before."""
        self._socket.close()
        if self.pid <= 0:
            return
        if kill:
            send_signal(self._pidfd, signals.SIGKILL)
        reap(self.pid)
        os.close(self._pidfd)
        os.close(self._output)
        self.pid = 0


def check_features(program: str, *names: str) -> None:
    """HostError if criu or the kernel lacks one of `mem_track` and `lazy_pages`."""
    criu = Criu(program)
    request = encode_request(criu_messages.FEATURE_CHECK, {"images_dir_fd": -1}, features=[*names])
    answer = criu.ask(request, "feature check")
    criu.end()
    reasons = {
        "mem_track": "does not track changed memory (CONFIG_MEM_SOFT_DIRTY), which pre-dumps need",
        "lazy_pages": "does not support lazy pages (userfaultfd)",
    }
    for name in names:
        if name not in answer.features:
            hint = f"see criu check --feature {name}"
            raise HostError(f"the kernel {reasons[name]}", step="criu", hint=hint)


def check_version(program: str) -> tuple[int, int, int]:
    """criu's version; HostError if it does not run or is too old."""
    criu = Criu(program)
    answer = criu.ask(encode_request(criu_messages.VERSION), "version")
    criu.end()
    if answer.version < LEAST_VERSION:
        found, least = (".".join(map(str, version)) for version in (answer.version, LEAST_VERSION))
        raise HostError(f"criu {found} is too old, {least} is needed", step="criu")
    return answer.version


def explain(
    what: str, answer: Response | None, log: str, said: str, path: str, program: str
) -> OperationError:
    """The error for a request that failed, with the telling line of the log and where the log is."""
    lines = telling_lines(log) or telling_lines(said)
    if _is_kernel_trouble(lines):
        lines = telling_lines(run_check(program)) or lines
    text = f"criu {what} failed"
    if answer is not None and answer.errno > 0:
        text += f" ({reason(answer.errno)})"
    said_why = "; ".join(lines) or " ".join((answer.text if answer else "").split())
    hint = "run `criu check`: this kernel may be newer than this criu" if _is_kernel_trouble(lines) else ""
    if path and os.path.exists(path):
        text += f", log: {path}"
    return OperationError(f"{text}: {said_why}" if said_why else text, step="criu", path=path, hint=hint)


def telling_lines(log: str) -> list[str]:
    """The first errors of a log of criu, without times."""
    found = []
    for line in log.splitlines():
        _, error, rest = line.partition("Error (")
        if error and rest and not any(noise in rest for noise in NOISE):
            found.append(f"Error ({rest.strip()}")
    return found[:SHOWN_LINES]


def _is_kernel_trouble(lines: list[str]) -> bool:
    return any("vdso" in line or "kerndat" in line for line in lines)


def run_check(program: str) -> str:
    """What `criu check` prints: whether it works on this kernel at all, and if not, why."""
    output = os.memfd_create("criu", os.MFD_CLOEXEC)
    try:
        streams = [(output, 1), (output, 2)]
        pid, pidfd = native.spawn(program, [b"criu", b"check"], caller_environment(), streams)
        os.close(pidfd)
        reap(pid)
        return read_output(output)
    finally:
        os.close(output)


def read_output(fd: int) -> str:
    """The text of a memory file; criu fills it up with NULs."""
    return os.pread(fd, 1 << 20, 0).decode("utf-8", "replace").replace("\0", "")


def read_text(path: str) -> str:
    """The text of a log; "" if there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
