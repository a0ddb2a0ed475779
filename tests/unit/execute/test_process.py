"""Who a process is, and when it has ended."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import time

import pytest

from pyrunc.execute import process
from pyrunc.host.facts import probe_facts


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
