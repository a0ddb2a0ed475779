"""Ending the processes of a cgroup, with real processes and no cgroup."""

from __future__ import annotations

import subprocess
import time

import pytest

from pyrunc.cgroup import processes


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
            lambda: [child.pid for child in children if child.poll() is None], lambda: None, time.monotonic() + 10
        )
        assert [child.returncode for child in children] == [-9] * 8
        assert most == 3
    finally:
        for child in children:
            child.kill()
            child.wait()
