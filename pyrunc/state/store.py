"""The store: one directory per container below the root, one record in each.

`<root>/<id>/` (0700) holds `state.json` (the record), `config.json` (the
configuration as it was at create), the FIFOs of the start rendezvous and, with
NOTIFY_SOCKET, the directory `notify`.  The lock is flock(2) on the directory
itself: it ends with its holder.  Reading needs no lock, as a record is
replaced whole by rename(2).
"""

from __future__ import annotations

import os
from errno import EACCES, EISDIR, ELOOP, ENOENT, ENOTDIR, ENXIO, EROFS, EWOULDBLOCK

from pyrunc.cores import parse_json, render_json
from pyrunc.errors import HostError, StateError, UsageError, reason_of
from pyrunc.state.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

RECORD = "state.json"
CONFIG = "config.json"
START_FIFO = "start.fifo"
REPLY_FIFO = "reply.fifo"
NOTIFY = "notify"
LOCK_SECONDS = 10.0
LARGEST_FILE = 1 << 26  # bytes

_NO_FILE = (EISDIR, ELOOP, ENXIO, EWOULDBLOCK)  # reading a directory, symlink, socket, FIFO
_ID_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+.-")


def check_id(id: str) -> None:
    """Raise UsageError unless `id` is a container id: [A-Za-z0-9_+.-]+, neither "." nor ".."."""
    if not id or id in (".", "..") or not _ID_CHARACTERS.issuperset(id):
        text = "invalid container ID format" + (f": {id!r}" if id else ": it is empty")
        raise UsageError(text, hint="use letters, digits and _ + - . only")


class Entry:
    """One container's directory, open while in use."""

    __slots__ = ("dir", "dir_fd", "id", "locked")

    def __init__(self, id: str, path: str, dir_fd: int) -> None:
        self.id = id
        self.dir = path
        self.dir_fd = dir_fd
        self.locked = False

    def lock(self, wait: bool = True) -> bool:
        """Take the lock; False if another command has it and `wait` is not set.

        A command that holds it longer than LOCK_SECONDS makes this a HostError.
        """
        import fcntl

        try:
            fcntl.flock(self.dir_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if not wait:
                return False
            self._wait_for_lock()
        self.locked = True
        if os.fstat(self.dir_fd).st_nlink == 0:
            raise StateError("container does not exist")
        return True

    def unlock(self) -> None:
        """Give the lock back; the entry stays open."""
        import fcntl

        fcntl.flock(self.dir_fd, fcntl.LOCK_UN)
        self.locked = False

    def _wait_for_lock(self) -> None:
        """flock(2) that an interval timer interrupts."""
        import fcntl

        from pyrunc.cores import signals

        def expire(number: int, frame: object) -> None:
            raise OSError(EWOULDBLOCK, "lock")

        before = signals.signal(signals.SIGALRM, expire)
        signals.setitimer(signals.ITIMER_REAL, LOCK_SECONDS)
        try:
            fcntl.flock(self.dir_fd, fcntl.LOCK_EX)
        except BlockingIOError as error:
            text = f"container is locked by another command for more than {LOCK_SECONDS:g} s"
            raise HostError(text) from error
        finally:
            signals.setitimer(signals.ITIMER_REAL, 0)
            signals.signal(signals.SIGALRM, before)

    def is_locked_by_other(self) -> bool:
        """Whether another command works on the container now."""
        import fcntl

        if self.locked:
            return False
        try:
            fcntl.flock(self.dir_fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        fcntl.flock(self.dir_fd, fcntl.LOCK_UN)
        return False

    def read(self) -> Record:
        """The record. StateError if there is none (yet) or if it cannot be read."""
        try:
            return Record.from_json(parse_json(self.read_file(RECORD)))
        except FileNotFoundError as error:
            raise StateError("container does not exist", path=f"{self.dir}/{RECORD}") from error
        except ValueError as error:
            path = f"{self.dir}/{RECORD}"
            hint = "`delete --force` removes it"
            raise StateError(f"the record {path} is damaged: {error}", path=path, hint=hint) from error

    def read_config(self) -> Any:
        """The configuration as it was at create. StateError if it is gone or cannot be read."""
        path = f"{self.dir}/{CONFIG}"
        try:
            return parse_json(self.read_file(CONFIG))
        except (FileNotFoundError, ValueError) as error:
            why = reason_of(error) if isinstance(error, OSError) else str(error)
            hint = "`kill` and `delete` work without it"
            raise StateError(f"the copy {path} is damaged: {why}", path=path, hint=hint) from error

    def write(self, record: Record) -> None:
        """Store the record, whole or not at all."""
        self.write_file(RECORD, render_json(record.to_json()).encode())

    def read_file(self, name: str) -> bytes:
        """The content of one file of the entry; ValueError for what is none of ours.  Waits for no FIFO."""
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            fd = os.open(name, flags, dir_fd=self.dir_fd)
            try:
                size = os.fstat(fd).st_size
                if size > LARGEST_FILE:
                    raise ValueError(f"it has {size} bytes")
                content = os.read(fd, size + 1)
                while more := os.read(fd, 65536):
                    content += more
                return content
            finally:
                os.close(fd)
        except OSError as error:
            if error.errno == ENOENT:
                raise
            if error.errno in _NO_FILE:
                raise ValueError(reason_of(error)) from error
            raise host_error("read", f"{self.dir}/{name}", error) from error

    def write_file(self, name: str, content: bytes) -> None:
        """Write one file of the entry under a temporary name and rename it. HostError if that fails."""
        write_atomic(f".{name}", name, content, 0o600, self.dir_fd, self.dir)

    def remove(self) -> None:
        """Remove the directory and all in it; what is gone already is fine."""
        try:
            _remove_tree(self.dir_fd)
            os.rmdir(self.dir)
        except OSError as error:
            if error.errno != ENOENT:
                raise host_error("remove", self.dir, error) from error

    def close(self) -> None:
        """Give up the lock and the descriptor."""
        if self.dir_fd >= 0:
            os.close(self.dir_fd)
            self.dir_fd = -1

    __del__ = close


def host_error(action: str, path: str, error: OSError) -> HostError:
    """What could not be done below the root, why, and what helps a user who may not."""
    usable = error.errno not in (EACCES, EROFS, ENOTDIR)
    hint = "" if usable else "choose a directory of your own with --root or XDG_RUNTIME_DIR"
    text = f"cannot {action} {path}: {reason_of(error)}"
    return HostError(text, path=path, errno=error.errno or 0, hint=hint)


def write_atomic(
    temporary: str, name: str, content: bytes, mode: int, dir_fd: int | None = None, where: str = ""
) -> None:
    """Write `content` to `temporary` and rename it to `name`; HostError names the file if that fails.

    The temporary file is always a new one: nobody else has it open, and no FIFO stands there.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        try:
            fd = os.open(temporary, flags, mode, dir_fd=dir_fd)
        except FileExistsError:  # left by a runtime that was killed
            os.unlink(temporary, dir_fd=dir_fd)
            fd = os.open(temporary, flags, mode, dir_fd=dir_fd)
        try:
            view = memoryview(content)
            while view:
                view = view[os.write(fd, view) :]
        finally:
            os.close(fd)
        os.rename(temporary, name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
    except OSError as error:
        try:
            os.unlink(temporary, dir_fd=dir_fd)
        except OSError:
            pass
        path = f"{where}/{name}" if where else name
        text = f"cannot write {path}: {reason_of(error)}"
        raise HostError(text, path=path, errno=error.errno or 0) from error


def _remove_tree(dir_fd: int) -> None:
    for name in os.listdir(dir_fd):
        try:
            os.unlink(name, dir_fd=dir_fd)
        except IsADirectoryError:
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=dir_fd)
            try:
                _remove_tree(inner)
            finally:
                os.close(inner)
            os.rmdir(name, dir_fd=dir_fd)
        except FileNotFoundError:
            pass


class Store:
    """All containers below one root directory."""

    __slots__ = ("root",)

    def __init__(self, root: str) -> None:
        self.root = root

    def create(self, id: str) -> Entry:
        """A new, locked entry. StateError if the id is taken, UsageError if it is no id."""
        check_id(id)
        path = f"{self.root}/{id}"
        try:
            os.mkdir(path, 0o700)
        except FileExistsError as error:
            raise StateError("container with given ID already exists", path=path) from error
        except FileNotFoundError:
            self._make_root()
            return self.create(id)
        except OSError as error:
            raise host_error("make", path, error) from error
        try:
            entry = self.open(id)
        except HostError:
            os.rmdir(path)
            raise
        entry.lock()
        return entry

    def _make_root(self) -> None:
        try:
            os.makedirs(self.root, 0o700, exist_ok=True)
        except OSError as error:
            raise host_error("make the root directory", self.root, error) from error

    def open(self, id: str) -> Entry:
        """The entry of `id`. StateError if there is none."""
        check_id(id)
        path = f"{self.root}/{id}"
        try:
            return Entry(id, path, os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW))
        except OSError as error:
            if error.errno in (ENOENT, ENOTDIR):
                raise StateError("container does not exist", path=path) from error
            raise host_error("open", path, error) from error

    def list(self) -> list[str]:
        """The ids of all entries, in order. FileNotFoundError if the root is not there."""
        ids = []
        try:
            names = sorted(os.listdir(self.root))
        except OSError as error:
            if error.errno == ENOENT:
                raise
            raise host_error("read the root directory", self.root, error) from error
        for name in names:
            try:
                check_id(name)
            except UsageError:
                continue
            if os.path.isdir(f"{self.root}/{name}"):
                ids.append(name)
        return ids
