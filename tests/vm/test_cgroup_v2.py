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


LIMITS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "memory": (
        {"memory": {"limit": 64 * MEGA, "swap": 96 * MEGA, "reservation": 32 * MEGA}},
        {
            "memory.max": str(64 * MEGA),
            "memory.swap.max": str(32 * MEGA),
            "memory.low": str(32 * MEGA),
        },
    ),
    "cpu": (
        {"cpu": {"shares": 1024, "quota": 50000, "period": 100000, "burst": 10000}},
        {"cpu.weight": "100", "cpu.max": "50000 100000", "cpu.max.burst": "10000"},
    ),
    "idle": ({"cpu": {"idle": 1}}, {"cpu.idle": "1"}),
    "cpuset": ({"cpu": {"cpus": "0", "mems": "0"}}, {"cpuset.cpus": "0", "cpuset.mems": "0"}),
    "pids": ({"pids": {"limit": 17}}, {"pids.max": "17"}),
    "io": (
        {"blockIO": {"weight": 500, "throttleReadBpsDevice": [{"major": 254, "minor": 0, "rate": 1048576}]}},
        {"io.max": "254:0 rbps=1048576 wbps=max riops=max wiops=max"},
    ),
    "hugetlb": (
        {"hugepageLimits": [{"pageSize": "2MB", "limit": 4 * MEGA}]},
        {"hugetlb.2MB.max": str(4 * MEGA), "hugetlb.2MB.rsvd.max": str(4 * MEGA)},
    ),
    "unified": (
        {"unified": {"memory.high": str(48 * MEGA), "pids.max": "33"}},
        {"memory.high": str(48 * MEGA), "pids.max": "33"},
    ),
}


@pytest.mark.parametrize("name", LIMITS)
def test_limits_are_seen_inside_and_outside(box: Box, name: str) -> None:
    sections, files = LIMITS[name]
    bundle = show_cgroup(limit(box.bundle(), **sections))
    bundle.shell("cd /sys/fs/cgroup && cat " + " ".join(files) + "; exec sleep 1000")
    container = box.started(bundle)
    wanted = "".join(f"{text}\n" for text in files.values())
    assert container.wait_output(wanted) == wanted
    for file, text in files.items():
        directory = CGROUP / CGROUP_PARENT.strip("/") / container.id
        assert (directory / file).read_text().strip() == text


def test_memory_limit_kills(box: Box) -> None:
    bundle = limit(box.bundle(), memory={"limit": 16 * MEGA, "swap": 16 * MEGA})
    bundle.args("/bin/probe", "out:/dev/null", f"touch:{64 * MEGA}")
    assert box.run(bundle).rc == 137


def test_fork_bomb_stops_at_the_pids_limit(box: Box) -> None:
    bundle = limit(box.bundle(), pids={"limit": 8})
    found = box.report(bundle, "fork:50")["actions"]["fork:50"]
    assert found["error"] == "EAGAIN"
    assert found["children"] <= 7


def test_cpuset_binds_the_processes(box: Box) -> None:
    bundle = limit(box.bundle(), cpu={"cpus": "1"}).args("grep", "Cpus_allowed_list", "/proc/self/status")
    assert box.run(bundle).ok().out.split() == ["Cpus_allowed_list:", "1"]


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
