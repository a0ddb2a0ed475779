"""Who a process is, and when it has ended."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pyrunc.execute import process
from pyrunc.host.facts import probe_facts
from tests.processes import wait_until


def test_no_descriptor_is_no_end() -> None:
    """Without one to look with, nothing is said of a process or of the host."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, before[1]))
    try:
        for look in (lambda: process.read_stat(os.getpid()), lambda: probe_facts({})):
            with pytest.raises(OSError) as caught:
                look()
            assert caught.value.errno == errno.EMFILE
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert process.read_start_time(os.getpid()) > 0


def test_late_look_at_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody stopped us for longer than we wanted to wait: what has ended meanwhile has ended."""
    child = subprocess.Popen(["/bin/true"])
    pidfd = os.pidfd_open(child.pid)
    try:
        assert process.wait_gone(pidfd)
        times = iter([0.0, 100.0, 200.0, 300.0])
        monkeypatch.setattr(time, "monotonic", lambda: next(times))
        assert process.wait_gone(pidfd, 1.0)
    finally:
        os.close(pidfd)
        child.wait()


def test_wait_ends() -> None:
    pidfd = os.pidfd_open(os.getpid())
    try:
        assert not process.wait_gone(pidfd, 0.01)
        assert not process.wait_gone(pidfd, 0)
    finally:
        os.close(pidfd)


def test_first_thread_ends_before_the_others() -> None:
    """The process lives as long as any of its threads, though /proc calls it a zombie."""
    program = (
        "import ctypes, threading, time\n"
        "threading.Thread(target=time.sleep, args=(1000,)).start()\n"
        "ctypes.CDLL(None).pthread_exit(None)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program])
    pidfd = os.pidfd_open(child.pid)
    stat = Path(f"/proc/{child.pid}/stat")
    try:
        wait_until(lambda: ") Z " in stat.read_text(), what="the end of the first thread")
        assert process.read_start_time(child.pid) > 0
        child.kill()
        assert process.wait_gone(pidfd)
        assert ") Z " in stat.read_text()
        assert process.read_start_time(child.pid) == 0
    finally:
        os.close(pidfd)
        child.kill()
        child.wait()
