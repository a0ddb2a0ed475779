"""cgroup v2 as the only hierarchy: limits are seen inside, outside, and enforced."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from pyrunc import native
from tests.harness import CGROUP_PARENT, DEADLINE, Box, Bundle

MEGA = 1 << 20
CGROUP = Path("/sys/fs/cgroup")


def show_cgroup(bundle: Bundle, mode: str = "ro") -> Bundle:
    """Show the container its own cgroup at /sys/fs/cgroup."""
    bundle.namespace("cgroup")
    return bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", mode, "nosuid", "noexec", "nodev")


def limit(bundle: Bundle, **sections: Any) -> Bundle:
    bundle.linux["resources"].update(sections)
    return bundle


def test_denied_device_gives_eperm(box: Box) -> None:
    result = box.run(box.bundle().shell("mknod /mem c 1 1 && head -c 1 /mem"))
    assert "Operation not permitted" in result.err
    assert box.run(box.bundle().shell("head -c 4 /dev/zero >/dev/null && echo ok")).ok().out == "ok\n"


def test_allowed_device_opens(box: Box) -> None:
    rules = [{"allow": False, "access": "rwm"}, {"allow": True, "type": "b", "major": 254, "access": "rm"}]
    bundle = limit(box.bundle(), devices=rules).shell(
        "mknod /disk b 254 0 && head -c 1 /disk >/mem && echo ok; : >>/disk"
    )
    result = box.run(bundle)
    assert result.out == "ok\n"
    assert "Operation not permitted" in result.err


def test_one_device_program_is_attached(box: Box) -> None:
    container = box.started(box.bundle("/bin/sleep", "1000"))
    directory = os.open(CGROUP / CGROUP_PARENT.strip("/") / container.id, os.O_RDONLY | os.O_DIRECTORY)
    programs = native.bpf_device_programs(directory)
    for fd in [directory, *programs]:
        os.close(fd)
    assert len(programs) == 1


def test_the_root_of_a_user_namespace_owns_its_cgroup(box: Box) -> None:
    bundle = show_cgroup(box.bundle(), "rw").user_namespace()
    bundle.shell(
        "mkdir /sys/fs/cgroup/below && echo $$ >/sys/fs/cgroup/below/cgroup.procs && cat /proc/self/cgroup"
    )
    assert box.run(bundle).ok().out == "0::/below\n"


def test_pause_and_resume(box: Box) -> None:
    container = box.started(box.bundle("/bin/sleep", "1000"))
    events = CGROUP / CGROUP_PARENT.strip("/") / container.id / "cgroup.events"
    container.call("pause").ok()
    assert "frozen 1" in events.read_text()
    assert container.status == "paused"
    container.exec("/bin/true").failed("paused", rc=255)
    container.call("resume").ok()
    assert "frozen 0" in events.read_text()
    container.call("pause").ok()
    container.delete("--force").ok()


def test_exec_joins_the_cgroup(box: Box) -> None:
    container = box.started(box.bundle("/bin/sleep", "1000"))
    assert container.exec("cat", "/proc/self/cgroup").ok().out == f"0::{CGROUP_PARENT}/{container.id}\n"


def test_exec_follows_an_init_that_moved_into_a_child(box: Box) -> None:
    script = "cd /sys/fs/cgroup; mkdir init; echo $$ >init/cgroup.procs; echo +pids >cgroup.subtree_control; echo up; exec sleep 1000"
    container = box.started(show_cgroup(box.bundle(), "rw").shell(script))
    container.wait_output("up")
    assert container.exec("cat", "/proc/self/cgroup").ok().out == "0::/init\n"
    container.delete("--force").ok()


@pytest.mark.needs("strace")
def test_init_is_cloned_into_its_cgroup(box: Box) -> None:
    bundle = box.bundle()
    name = box.name()
    box.place(bundle, name)
    trace = box.directory / "trace"
    command = ["strace", "-f", "-o", str(trace), "-e", "trace=clone3,openat,openat2"]
    command += [*box.runtime.command, "--root", str(box.root), "run", "-b", str(bundle.directory), name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode == 0, done.stderr
    text = trace.read_text()
    assert "CLONE_INTO_CGROUP" in text
    assert "cgroup.procs" not in text, "the init was moved, not cloned into its cgroup"
