"""Ending the processes of a cgroup, with real processes and no cgroup."""

from __future__ import annotations

import signal
import subprocess
import time

import pytest

from pyrunc.cgroup import processes
from tests.processes import DEADLINE


def test_more_processes_than_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed in portions, none of them forgotten."""
    monkeypatch.setattr(processes, "MOST", 3)
    most = 0

    def opened(pids: list[int]) -> dict[int, int]:
        nonlocal most
        most = max(most, len(pids))
        return real(pids)

    real = processes.open_pidfds
    monkeypatch.setattr(processes, "open_pidfds", opened)
    children = [subprocess.Popen(["/bin/sleep", "100"]) for _ in range(8)]
    try:
        processes.kill_all(
            lambda: [child.pid for child in children if child.poll() is None], lambda: None, time.monotonic() + DEADLINE
        )
        assert [child.returncode for child in children] == [-9] * 8
        assert most == 3
    finally:
        for child in children:
            child.kill()
            child.wait()


def test_a_process_that_left_is_not_signalled() -> None:
    """Between the list and the signal its pid may become somebody else's."""
    member, leaver = (subprocess.Popen(["/bin/sleep", "100"]) for _ in range(2))
    lists = iter([[member.pid, leaver.pid], [member.pid]])
    try:
        processes.signal_all(lambda: next(lists), signal.SIGTERM)
        assert member.wait(DEADLINE) == -signal.SIGTERM
        assert leaver.poll() is None
    finally:
        for child in (member, leaver):
            child.kill()
            child.wait()
