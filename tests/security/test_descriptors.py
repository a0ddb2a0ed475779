"""Descriptors and directories of the host do not leak into the container."""

from __future__ import annotations

import os
import shutil
from copy import copy
from pathlib import Path

import pytest

from tests.harness import Box, only_ours

# in a mount namespace of its own, cgroup v2 is all that there is
UNIFIED_ALONE = """mount --make-rprivate / && umount --recursive /sys/fs/cgroup &&
mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$0" "$@\""""


@pytest.mark.parametrize("number", range(3, 21))
def test_cve_2024_21626_working_directory_in_a_leaked_descriptor(box: Box, number: int) -> None:
    bundle = box.bundle("/bin/sh", "-c", "pwd -P; ls ../../../../../../../..; cat file")
    bundle.process["cwd"] = f"/proc/self/fd/{number}"
    leaked = os.open("/tmp", os.O_RDONLY | os.O_DIRECTORY)
    try:
        result = box.run(bundle, pass_fds=[leaked])
    finally:
        os.close(leaked)
    assert result.rc != 0 or "pyrunc-" not in result.out
    assert "/tmp" not in result.out


@pytest.mark.parametrize("number", range(3, 21, 3))
def test_cve_2024_21626_exec_with_such_a_directory(box: Box, number: int) -> None:
    container = box.started(box.bundle("/bin/sleep", "100"))
    result = container.exec(
        "/bin/sh", "-c", "pwd -P; ls ../../../../../../../..", flags=("--cwd", f"/proc/self/fd/{number}")
    )
    assert result.rc != 0 or "rootfs" not in result.out
    assert "config.json" not in result.out


@pytest.mark.parametrize("cgroups", ["the host's", "unified"])
def test_cve_2024_21626_program_through_a_leaked_descriptor(box: Box, cgroups: str) -> None:
    """args[0] is looked up when nothing of the host can be reached any more: neither files nor its cgroup."""
    if cgroups == "unified":
        only_ours(box, "a unified hierarchy without controllers")
        box.runtime = copy(box.runtime)
        box.runtime.command = ["unshare", "--mount", "sh", "-c", UNIFIED_ALONE, *box.runtime.command]
    program = box.directory / "program" / "busybox"
    program.parent.mkdir()
    shutil.copy(box.bundle().rootfs / "bin/busybox", program)
    for number in range(3, 24):
        bundle = box.bundle(f"/proc/self/fd/{number}{'/..' * 12}{program}", "echo", "escaped")
        result = box.run(bundle)
        assert "escaped" not in result.out
        assert result.rc != 0


def test_cve_2024_21626_waiting_init_holds_no_directory(box: Box) -> None:
    source = box.directory / "source"
    source.mkdir()
    bundle = box.bundle("/bin/sleep", "100").mount("/source", "bind", str(source), "rbind")
    bundle.linux["sysctl"] = {"net.ipv4.ip_forward": "1"}
    only_ours(box, "others close them at the start")
    container = box.create(bundle)
    folder = Path(f"/proc/{container.pid}/fd")
    assert [number.readlink() for number in folder.iterdir() if number.is_dir()] == []


def test_leaked_descriptors_do_not_reach_the_program(box: Box) -> None:
    leaked = [os.open("/", os.O_RDONLY | os.O_DIRECTORY) for _ in range(10)]
    try:
        report = box.run(box.bundle().probe(), pass_fds=leaked).ok().json()
        container = box.started(box.bundle("/bin/sleep", "100"), pass_fds=leaked)
        again = container.exec("/bin/probe", pass_fds=leaked).ok().json()
    finally:
        for fd in leaked:
            os.close(fd)
    assert sorted(report["fds"]) == sorted(again["fds"]) == ["0", "1", "2"]
