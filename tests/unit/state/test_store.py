"""The store: ids, whole records, locks that end with their holder."""

from __future__ import annotations

import errno
import os
import resource
import signal
import socket
import threading
from pathlib import Path

import pytest

from pyrunc.errors import HostError, StateError, UsageError
from pyrunc.state.record import Record
from pyrunc.state.store import Store, check_id, host_error


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "root"))


@pytest.mark.parametrize("id", ["a", "A_z-0.9+", "..a", "-", "x" * 200])
def test_ids(id: str) -> None:
    check_id(id)


@pytest.mark.parametrize("id", ["", ".", "..", "a/b", "a b", "ä", "a\n", "a\0", "../x", "a:b"])
def test_not_ids(id: str, store: Store) -> None:
    with pytest.raises(UsageError, match="invalid container ID format"):
        check_id(id)
    with pytest.raises(UsageError):
        store.create(id)
    assert not os.path.exists(store.root)


def test_create_read_remove(store: Store) -> None:
    entry = store.create("a")
    assert os.stat(entry.dir).st_mode & 0o777 == 0o700
    entry.write(Record("a", "/b"))
    assert entry.read().bundle == "/b"
    assert store.list() == ["a"]
    os.mkfifo(f"{entry.dir}/x.fifo")
    os.mkdir(f"{entry.dir}/notify")
    Path(f"{entry.dir}/notify/y").touch()
    entry.remove()
    entry.remove()
    entry.close()
    assert store.list() == []


def test_taken_id(store: Store) -> None:
    entry = store.create("a")
    with pytest.raises(StateError) as caught:
        store.create("a")
    assert caught.value.text == "container with given ID already exists"
    entry.close()


def test_unknown_id(store: Store) -> None:
    with pytest.raises(StateError) as caught:
        store.open("a")
    assert caught.value.text == "container does not exist"


def test_entry_without_record(store: Store) -> None:
    entry = store.create("a")
    with pytest.raises(StateError, match="does not exist"):
        entry.read()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"format": 1}', b"\xff"])
def test_damaged_record(store: Store, content: bytes) -> None:
    entry = store.create("a")
    entry.write_file("state.json", content)
    with pytest.raises(StateError, match=f"{entry.dir}/state.json is damaged"):
        entry.read()


@pytest.mark.parametrize("kind", ["directory", "fifo", "link", "socket", "huge"])
def test_no_record_at_all(store: Store, kind: str) -> None:
    """It is refused at once, whatever stands in its place; `remove` removes that too."""
    entry = store.create("a")
    path = Path(f"{entry.dir}/state.json")
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("/proc/self/mem")
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
    else:
        path.touch()
        os.truncate(path, 1 << 40)
    with pytest.raises(StateError, match=f"{path} is damaged"):
        entry.read()
    entry.remove()
    assert store.list() == []


def test_too_many_open_files(store: Store) -> None:
    """It is said, with the path; it says nothing of the record, and no entry is left half made."""
    entry = store.create("a")
    entry.write(Record("a", "/b"))
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        with pytest.raises(HostError, match=f"cannot read {entry.dir}/state.json: too many open files"):
            entry.read()
        with pytest.raises(HostError, match=f"cannot open {store.root}/b: too many open files"):
            store.create("b")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert entry.read().bundle == "/b"
    assert store.list() == ["a"]


def test_lock(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    first = store.create("a")
    second = store.open("a")
    assert second.is_locked_by_other()
    assert not second.lock(wait=False)
    monkeypatch.setattr("pyrunc.state.store.LOCK_SECONDS", 0.05)
    with pytest.raises(HostError, match="locked"):
        second.lock()
    first.close()
    assert second.lock()
    assert not second.is_locked_by_other()


def test_lock_of_a_killed_command(store: Store) -> None:
    """The kernel gives the lock back; who waits for it gets it then."""
    store.create("a").close()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        entry = store.open("a")
        entry.lock()
        os.write(writer, b"locked")
        signal.pause()
    assert os.read(reader, 6) == b"locked"
    entry = store.open("a")
    assert entry.is_locked_by_other()
    killer = threading.Timer(0.1, os.kill, (child, signal.SIGKILL))
    killer.start()
    assert entry.lock()
    entry.close()
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    killer.join()
    os.close(reader)
    os.close(writer)


def test_lock_of_a_removed_entry(store: Store) -> None:
    entry = store.create("a")
    late = store.open("a")
    entry.remove()
    entry.close()
    with pytest.raises(StateError, match="does not exist"):
        late.lock()


def test_a_write_that_fails_leaves_the_old_file(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = store.create("a")
    entry.write_file("f", b"old")

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "")

    with monkeypatch.context() as patch, pytest.raises(HostError, match="/f: no space left on device"):
        patch.setattr(os, "write", full)
        entry.write_file("f", b"new")
    assert entry.read_file("f") == b"old"
    assert os.listdir(entry.dir) == ["f"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOTDIR])
def test_a_root_that_cannot_be_used_names_the_cure(number: int) -> None:
    assert "--root" in host_error("make", "/r/x", OSError(number, os.strerror(number))).hint
    assert not host_error("make", "/r/x", OSError(errno.ENOSPC, "no room")).hint
