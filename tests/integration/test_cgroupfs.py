"""The file driver on real cgroups: made, used and removed below a name of its own.

Works on cgroup v1, hybrid and v2; what only one of them has says so.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyrunc.cgroup.driver import open_cgroup
from pyrunc.cgroup.tree import read_processes
from pyrunc.errors import HostError
from pyrunc.host.facts import Facts, probe_facts
from pyrunc.plan.cgroups import plan_cgroups
from tests.processes import DEADLINE, wait_until

pytestmark = [pytest.mark.root, pytest.mark.needs("native")]


class Made:
    """A plan's cgroup, made; `processes` are ended with the test."""

    def __init__(self, resources: dict[str, Any], parent: str) -> None:
        self.config = {"linux": {"cgroupsPath": f"/{parent}/c", "resources": resources}}
        self.facts: Facts = probe_facts(self.config)
        self.ops = plan_cgroups(self.config, self.facts, "c")
        paths = {str(op.args[0]): str(op.args[1]) for op in self.ops if op.name == "make_cgroup"}
        self.saved: dict[str, Any] = {
            "driver": "cgroupfs", "version": self.facts.cgroup_version, "paths": paths, "made": None,
        }  # fmt: skip
        self.cgroup = open_cgroup(self.saved)
        self.processes: list[subprocess.Popen[bytes]] = []

    def carry_out(self) -> Made:
        for op in self.ops:
            method = {
                "make_cgroup": self.cgroup.make,
                "write_cgroup": self.cgroup.write,
                "attach_device_program": self.cgroup.attach_devices,
                "own_cgroup": self.cgroup.own,
            }[op.name]
            method(*op.args)  # type: ignore[operator]
        return self

    def run(self, *command: str) -> subprocess.Popen[bytes]:
        """Start a program that is in the cgroup before it does anything."""
        script = 'read go && exec "$@"'
        process = subprocess.Popen(["/bin/sh", "-c", script, "sh", *command], stdin=subprocess.PIPE)
        self.processes.append(process)
        self.cgroup.join(process.pid)
        assert process.stdin
        process.stdin.write(b"go\n")
        process.stdin.close()
        return process

    def read(self, controller: str, file: str) -> str:
        directory = self.saved["paths"]["" if self.facts.cgroup_version == 2 else controller]
        return Path(directory, file).read_text().strip()


@pytest.fixture
def make() -> Iterator[Any]:
    parent = f"pyrunc-test-{uuid.uuid4().hex[:12]}"
    all_made: list[Made] = []

    def build(resources: dict[str, Any] | None = None) -> Made:
        all_made.append(Made(resources or {}, parent))
        return all_made[-1]

    build.parent = parent  # type: ignore[attr-defined]
    yield build
    for made in all_made:
        for process in made.processes:
            if process.poll() is None:
                made.cgroup.kill()
                process.wait(DEADLINE)
        made.cgroup.remove()
    left = [
        mount for mount in all_made[0].facts.cgroup_mounts.values() if os.path.exists(f"{mount}/{parent}")
    ]
    assert left == []


def test_made_and_removed_everywhere(make: Any) -> None:
    made = make().carry_out()
    assert set(made.saved["paths"]) == set(made.facts.cgroup_mounts)
    for path in made.saved["paths"].values():
        assert os.path.isdir(path)
        assert path in made.saved["made"]
    json.dumps(made.saved)
    made.cgroup.remove()
    for path in made.saved["paths"].values():
        assert not os.path.exists(os.path.dirname(path))


def test_removed_by_another_process_from_the_record(make: Any) -> None:
    made = make().carry_out()
    os.mkdir(f"{made.cgroup._process_path()}/below")
    reopened = open_cgroup(json.loads(json.dumps(made.saved)))
    reopened.remove()
    assert not any(os.path.exists(path) for path in made.saved["paths"].values())


def test_record_of_a_killed_create_is_enough(make: Any) -> None:
    made = make().carry_out()
    crashed = json.loads(json.dumps(made.saved)) | {"made": None}
    open_cgroup(crashed).remove()
    assert not any(os.path.exists(os.path.dirname(path)) for path in made.saved["paths"].values())


def test_last_one_removes_what_is_above(make: Any) -> None:
    first, second = make(), make()
    for controller, path in second.saved["paths"].items():
        second.saved["paths"][controller] = os.path.join(os.path.dirname(path), "other")
    first.cgroup.make()
    second.cgroup.make()
    first.cgroup.remove()
    assert all(os.path.exists(path) for path in second.saved["paths"].values())
    second.cgroup.remove()
    assert not any(os.path.exists(os.path.dirname(path)) for path in second.saved["paths"].values())


def test_what_others_made_above_stays(make: Any) -> None:
    made = make()
    parents = [os.path.dirname(path) for path in made.saved["paths"].values()]
    for parent in parents:
        os.mkdir(parent)
    made.carry_out().cgroup.remove()
    for parent in parents:
        os.rmdir(parent)


def test_processes_are_listed_killed_and_awaited(make: Any) -> None:
    made = make().carry_out()
    processes = [made.run("/bin/sleep", "100") for _ in range(3)]
    assert made.cgroup.procs() == sorted(process.pid for process in processes)
    made.cgroup.kill()
    assert made.cgroup.procs() == []
    assert [process.wait(DEADLINE) for process in processes] == [-9] * 3


def test_processes_of_cgroups_below_count(make: Any) -> None:
    made = make().carry_out()
    process = made.run("/bin/sleep", "100")
    below = Path(made.cgroup._process_path(), "a")
    (below / "b").mkdir(parents=True)
    (below / "b/cgroup.procs").write_text(str(process.pid))
    assert made.cgroup.procs() == [process.pid]
    made.cgroup.kill()
    process.wait(DEADLINE)
    made.cgroup.remove()
    assert not below.exists()


def test_remove_waits_for_dying_processes(make: Any) -> None:
    made = make().carry_out()
    process = made.run("/bin/sleep", "0.3")
    made.cgroup.remove()
    assert not any(os.path.exists(path) for path in made.saved["paths"].values())
    assert process.wait(DEADLINE) == 0


def moves(pid: int) -> bool:
    """Whether the process uses its CPU for more than the way into the freezer."""
    before = cpu_nanoseconds(pid)
    time.sleep(0.05)
    return cpu_nanoseconds(pid) > before + 1_000_000


def cpu_nanoseconds(pid: int) -> int:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def test_freeze_stops_and_thaw_goes_on(make: Any) -> None:
    made = make().carry_out()
    process = made.run("/bin/sh", "-c", "while :; do :; done")
    assert not made.cgroup.frozen()
    made.cgroup.freeze()
    assert open_cgroup(made.saved).frozen()
    assert not moves(process.pid)
    made.cgroup.thaw()
    assert not made.cgroup.frozen()
    wait_until(lambda: moves(process.pid), what="its going on")


def test_frozen_processes_can_be_killed(make: Any) -> None:
    made = make().carry_out()
    process = made.run("/bin/sleep", "100")
    made.cgroup.freeze()
    made.cgroup.kill()
    assert process.wait(DEADLINE) == -9


def test_existing_empty_cgroup_is_used_and_left(make: Any) -> None:
    made = make()
    for path in made.saved["paths"].values():
        os.makedirs(path)
    made.carry_out()
    made.cgroup.remove()
    for path in made.saved["paths"].values():
        os.rmdir(path)
        os.rmdir(os.path.dirname(path))


def test_cgroup_in_use_is_refused(make: Any) -> None:
    made = make().carry_out()
    made.run("/bin/sleep", "100")
    with pytest.raises(HostError, match=r"container's cgroup is not empty: 1 process\(es\) found"):
        make().carry_out()
    assert made.processes[0].poll() is None


def test_undo_and_delete_leave_another_containers_cgroup_alone(make: Any) -> None:
    made = make().carry_out()
    process = made.run("/bin/sleep", "100")
    below = Path(made.cgroup._process_path(), "below")
    below.mkdir()
    second = make()
    crashed = json.loads(json.dumps(second.saved))
    with pytest.raises(HostError):
        second.carry_out()
    for cgroup in (second.cgroup, open_cgroup(crashed)):
        cgroup.kill()
        cgroup.remove()
    assert process.poll() is None and below.is_dir()


def test_delete_after_a_crash_waits_for_our_dying_init(make: Any) -> None:
    made = make().carry_out()
    process = made.run("/bin/sleep", "0.2")
    crashed = open_cgroup(json.loads(json.dumps(made.saved)) | {"made": None})
    crashed.kill()
    crashed.remove()
    assert process.wait(DEADLINE) == 0
    assert not any(os.path.exists(path) for path in made.saved["paths"].values())


def test_undo_removes_what_was_made_before_the_refusal(make: Any) -> None:
    made = make()
    *before, last = made.saved["paths"].values()
    os.makedirs(last)
    process = subprocess.Popen(["/bin/sleep", "100"])
    Path(last, "cgroup.procs").write_text(str(process.pid))
    try:
        with pytest.raises(HostError, match="not empty"):
            made.carry_out()
        assert all(os.path.exists(path) for path in before)
        made.cgroup.kill()
        made.cgroup.remove()
        assert not any(os.path.exists(path) for path in before)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
        os.rmdir(last)
        os.rmdir(os.path.dirname(last))


def test_frozen_cgroup_is_refused(make: Any) -> None:
    made = make().carry_out()
    made.cgroup.freeze()
    with pytest.raises(HostError, match="container's cgroup unexpectedly frozen"):
        make().carry_out()
    made.cgroup.thaw()


def test_limits_are_in_force(make: Any) -> None:
    made = make(
        {
            "memory": {"limit": 64 << 20, "swap": 96 << 20, "reservation": 32 << 20},
            "cpu": {"shares": 512, "quota": 50000, "period": 100000, "burst": 1000, "cpus": "0", "mems": "0"},
            "pids": {"limit": 7},
        }
    ).carry_out()
    if made.facts.cgroup_version == 2:
        expected = {
            "memory.max": str(64 << 20), "memory.swap.max": str(32 << 20), "memory.low": str(32 << 20),
            "cpu.weight": "59", "cpu.max": "50000 100000", "cpu.max.burst": "1000", "cpuset.cpus": "0",
            "cpuset.mems": "0", "pids.max": "7",
        }  # fmt: skip
    else:
        expected = {
            "memory.limit_in_bytes": str(64 << 20), "memory.memsw.limit_in_bytes": str(96 << 20),
            "memory.soft_limit_in_bytes": str(32 << 20), "cpu.shares": "512", "cpu.cfs_quota_us": "50000",
            "cpu.cfs_period_us": "100000", "cpu.cfs_burst_us": "1000", "cpuset.cpus": "0", "cpuset.mems": "0",
            "pids.max": "7",
        }  # fmt: skip
    assert {file: made.read(file.split(".")[0], file) for file in expected} == expected


def test_new_cpusets_can_be_joined(make: Any) -> None:
    made = make().carry_out()
    process = made.run("/bin/sleep", "100")
    assert "/pyrunc-test-" in Path(f"/proc/{process.pid}/cgroup").read_text()


def test_all_hierarchies_are_joined(make: Any) -> None:
    made = make().carry_out()
    process = made.run("/bin/sleep", "100")
    lines = Path(f"/proc/{process.pid}/cgroup").read_text().splitlines()
    controllers = {name for line in lines for name in line.split(":")[1].split(",")}
    joined = {name for line in lines if line.endswith("/c") for name in line.split(":")[1].split(",")}
    assert joined == set(made.facts.cgroup_mounts) & controllers


def test_memory_limit_kills_are_counted(make: Any) -> None:
    limit = 4 << 20
    made = make({"memory": {"limit": limit, "swap": limit}}).carry_out()
    assert (made.cgroup.oom_kills(), made.cgroup.lacked_memory()) == (0, False)
    process = made.run("/bin/sh", "-c", "exec head -c 64m /dev/zero | tail")
    process.wait(DEADLINE)
    assert made.cgroup.oom_kills() >= 1
    assert made.cgroup.lacked_memory()


def test_bad_value_is_an_error_with_the_file(make: Any) -> None:
    made = make({"cpu": {"cpus": "4000"}})
    with pytest.raises(OSError) as caught:
        made.carry_out()
    assert str(caught.value.filename).endswith("/c/cpuset.cpus")


def test_device_rules_are_enforced(make: Any, tmp_path: Path) -> None:
    rules = [
        {"allow": False, "access": "rwm"},
        {"allow": True, "type": "c", "major": 10, "minor": 200, "access": "r"},
    ]
    made = make({"devices": rules}).carry_out()
    script = "cat /dev/null && mknod $1/n c 1 11 && ! (: > $1/n) 2> /dev/null"
    assert made.run("/bin/sh", "-c", script, "sh", str(tmp_path)).wait(DEADLINE) == 0


@pytest.mark.needs("cgroup1")
def test_device_list_of_v1(make: Any) -> None:
    made = make({"devices": [{"allow": False, "access": "rwm"}]}).carry_out()
    assert made.read("devices", "devices.list").splitlines() == [
        "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm", "c 1:9 rwm", "c 5:0 rwm", "c 5:2 rwm",
        "c 136:* rwm", "c *:* m", "b *:* m",
    ]  # fmt: skip


@pytest.mark.needs("cgroup2")
def test_device_programs_are_replaced(make: Any) -> None:
    from pyrunc import native
    from pyrunc.cgroup.device_rules import assemble, normalise

    made = make().carry_out()
    for rules in ([], [{"allow": True, "access": "rwm"}]):
        made.cgroup.attach_devices(assemble(normalise(rules, "")))
        programs = native.bpf_device_programs(made.cgroup.directory_fd)
        assert len(programs) == 1
        os.close(programs[0])
    process = made.run("/bin/sh", "-c", "! test -e /dev/kmsg || : > /dev/kmsg")
    assert process.wait(DEADLINE) == 0


@pytest.mark.needs("cgroup2")
def test_starts_in_the_cgroup(make: Any) -> None:
    from pyrunc import native

    made = make().carry_out()
    pid, pidfd = native.spawn("/bin/sleep", [b"sleep", b"100"], [], cgroup_fd=made.cgroup.directory_fd)
    os.close(pidfd)
    assert made.cgroup.procs() == [pid]
    made.cgroup.kill()
    os.waitpid(pid, 0)


@pytest.mark.needs("cgroup2")
def test_given_to_a_user(make: Any) -> None:
    made = make().carry_out()
    made.cgroup.own(12345, -1)
    directory = Path(made.saved["paths"][""])
    owners = {path.name: path.stat().st_uid for path in (directory, *directory.iterdir())}
    assert owners["c"] == owners["cgroup.procs"] == owners["cgroup.subtree_control"] == 12345
    assert owners["cgroup.kill"] == owners["memory.max"] == 0


@pytest.mark.needs("cgroup2")
def test_controller_that_a_full_cgroup_withholds(make: Any) -> None:
    made = make({"memory": {"limit": 64 << 20}})
    parent = Path(made.facts.cgroup_mounts[""], make.parent)
    parent.mkdir()
    process = subprocess.Popen(["/bin/sleep", "100"])
    (parent / "cgroup.procs").write_text(str(process.pid))
    try:
        with pytest.raises(HostError, match=f"{parent} holds processes"):
            made.carry_out()
    finally:
        process.kill()
        process.wait()
        made.cgroup.remove()
        parent.rmdir()


@pytest.mark.needs("cgroup2")
def test_threaded_parent_is_refused(make: Any) -> None:
    made = make()
    parent = Path(made.facts.cgroup_mounts[""], make.parent)
    parent.mkdir()
    (parent / "t").mkdir()
    (parent / "t/cgroup.type").write_text("threaded")
    try:
        with pytest.raises(HostError, match="`domain invalid`"):
            made.carry_out()
    finally:
        made.cgroup.remove()
        (parent / "t").rmdir()
        parent.rmdir()


def test_gone_cgroup_has_no_processes(make: Any) -> None:
    made = make().carry_out()
    made.cgroup.remove()
    assert made.cgroup.procs() == []
    made.cgroup.remove()
    with pytest.raises(FileNotFoundError):
        made.cgroup.frozen()
    assert read_processes("/sys/fs/cgroup/no-such-cgroup") == []


def test_cgroups_nested_deeper_than_a_path(make: Any) -> None:
    made = make().carry_out()
    fd = os.open(next(iter(made.saved["paths"].values())), os.O_RDONLY)
    name = "n" * 200
    for _ in range(40):
        os.mkdir(name, dir_fd=fd)
        below = os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = below
    sleep = subprocess.Popen(["/bin/sleep", "1000"])
    with open("cgroup.procs", "w", opener=lambda path, flags: os.open(path, flags, dir_fd=fd)) as procs:
        procs.write(str(sleep.pid))
    os.close(fd)
    made.processes.append(sleep)
    assert read_processes(next(iter(made.saved["paths"].values()))) == [sleep.pid]
    sleep.kill()
    sleep.wait()
    made.cgroup.remove()
    assert not any(map(os.path.exists, made.saved["paths"].values()))


def test_more_levels_than_the_stack_has(make: Any) -> None:
    made = make().carry_out()
    top = fd = os.open(next(iter(made.saved["paths"].values())), os.O_RDONLY)
    for _ in range(1100):
        os.mkdir("n", dir_fd=fd)
        fd = os.open("n", os.O_RDONLY, dir_fd=fd)
    made.cgroup.remove()
    os.closerange(top, fd + 1)
