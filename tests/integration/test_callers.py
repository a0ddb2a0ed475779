"""What a caller can be like: its signal dispositions and its limits must not change what happens."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import subprocess
from collections.abc import Callable

import pytest

from tests.harness import DEADLINE, Box, only_ours, peer_differs


def ignore_children() -> None:
    """Then the kernel reaps children by itself, and nobody learns how they ended."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)


def few_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))


@pytest.mark.parametrize("prepare", [ignore_children, few_descriptors])
def test_hooks_and_exit_codes(box: Box, prepare: Callable[[], None]) -> None:
    only_ours(box, "the peers were not made for this")
    bundle = box.bundle("/bin/sh", "-c", "exit 3")
    bundle.process.pop("rlimits", None)  # raising them again is a privilege
    for kind in ("createRuntime", "createContainer", "poststart", "poststop"):
        bundle.hook(kind, "exit 0")
    assert box.run(bundle, preexec_fn=prepare).rc == 3
    bundle.hook("prestart", "exit 7")
    box.try_create(bundle, preexec_fn=prepare).failed("exit status 7")


@pytest.mark.parametrize("command", ["state", "list", "features", "ps"])
def test_nobody_reads_the_output(box: Box, command: str) -> None:
    """As behind `| head`: it ends as if SIGPIPE had killed it, without a word."""
    container = box.started(box.bundle("/bin/sleep", "1000"))
    read, write = os.pipe()
    os.close(read)
    words = (command, container.id) if command in ("state", "ps") else (command,)
    done = box.call(*words, stdout=write)
    os.close(write)
    assert done.rc in (-signal.SIGPIPE, 128 + signal.SIGPIPE)
    assert done.err == ""


def test_damaged_record_is_told(box: Box) -> None:
    """A container whose record cannot be read may still live: `delete --force` says so."""
    only_ours(box, "the record's form is its own")
    container = box.create(box.bundle("/bin/sleep", "100"))
    record = box.root / container.id / "state.json"
    good = record.read_bytes()
    entry = record.parent
    kept = {path.name: path.read_bytes() for path in entry.iterdir() if path.is_file()}
    record.write_bytes(b"{")
    result = container.delete("--force").ok()
    assert any("stay" in str(line["msg"]) for line in result.log if line["level"] == "warning")
    entry.mkdir(mode=0o700)
    for name, content in {**kept, "state.json": good}.items():
        (entry / name).write_bytes(content)
    container.delete("--force").ok()


def test_list_goes_on_after_a_damaged_record(box: Box) -> None:
    only_ours(box, "the record's form is its own")
    container = box.create(box.bundle("/bin/sleep", "100"))
    (box.root / "broken").mkdir()
    (box.root / "broken/state.json").write_text("{")
    (box.root / "half-made").mkdir()
    result = box.call("list", "-q").ok()
    assert result.out.split() == [container.id]
    assert [line["msg"] for line in result.log if "damaged" in line["msg"]]
    assert not [line["msg"] for line in result.log if "half-made" in line["msg"]]


def test_a_fifo_does_not_stop_the_pid_file(box: Box) -> None:
    """In a directory where others may write, somebody could put one at the temporary name."""
    only_ours(box, "it is about the temporary name")
    pid_file = box.directory / "pid"
    os.mkfifo(box.directory / ".pid")
    bundle, name = box.bundle("/bin/sleep", "100"), box.name()
    box.place(bundle, name)
    box.call(
        "create", "--bundle", str(bundle.directory), "--pid-file", str(pid_file), name, timeout=DEADLINE
    ).ok()
    assert pid_file.read_text() == str(box.call("state", name).json()["pid"])
    assert not (box.directory / ".pid").exists()


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)], ids=str)
def test_closed_streams(box: Box, closed: tuple[int, ...]) -> None:
    """What worked is no failure, and no file that the program opens first becomes its output."""
    peer_differs(box, crun="fails", runc="gives pipes")
    seen = box.directory / "seen"
    seen.mkdir()
    script = "for i in 0 1 2; do is=$(readlink /proc/$$/fd/$i); echo $is >>/seen/streams; done; exit 3"
    bundle = box.bundle("/bin/sh", "-c", script)
    bundle.mount("/seen", "bind", str(seen), "bind")
    assert box.run(bundle, preexec_fn=lambda: [os.close(fd) for fd in closed]).rc == 3
    found = (seen / "streams").read_text().splitlines()
    assert [found[fd] for fd in closed] == ["/dev/null"] * len(closed)
    bundle.args("/bin/sleep", "100")
    container = box.create(bundle, preexec_fn=lambda: [os.close(fd) for fd in closed])
    assert container.call("update", "--resources", "-", preexec_fn=lambda: os.close(0)).failed(
        "not valid JSON"
    )


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_pause_and_resume_wait_for_whoever_works_on_the_container(box: Box, command: str) -> None:
    """Frozen by a `pause` in the midst of `delete --force`, what was killed could not die on cgroup v1."""
    only_ours(box, "the lock is its own")
    container = box.started(box.bundle("/bin/sleep", "100"))
    if command == "resume":
        container.call("pause").ok()
    before = container.status
    entry = os.open(box.root / container.id, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(entry, fcntl.LOCK_EX)
        process = box.popen(command, container.id)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2)
        assert container.status == before
    finally:
        os.close(entry)
    assert process.wait(DEADLINE) == 0
    assert container.status != before
