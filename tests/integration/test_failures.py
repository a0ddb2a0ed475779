"""What goes wrong: one clear error, and `delete --force` (or create's own undo) leaves nothing.

The fixture `box` deletes by force after each test and fails it for every
process, mount, cgroup and record that is left.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest

from tests import cgroups
from tests.harness import CGROUP_PARENT, DEADLINE, Box, only_ours, peer_differs, wait_until

MEGA = 1 << 20


def one_error(box: Box) -> None:
    """The log holds exactly one line of level error."""
    assert len([line for line in box.log_lines() if line["level"] == "error"]) == 1


@pytest.mark.parametrize("delay", [0.0, 0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.035, 0.04, 0.05, 0.06, 0.08])
def test_create_is_killed(box: Box, delay: float) -> None:
    """Whenever the runtime dies, its half-made container can be deleted by force."""
    only_ours(box, "others leave cgroups and helpers behind")
    bundle, name = box.bundle("/bin/sleep", "1000"), box.name()
    box.place(bundle, name)
    process = box.popen("create", "--bundle", str(bundle.directory), name)
    time.sleep(delay)
    process.kill()
    process.wait()
    box.call("delete", "--force", name).ok()
    assert box.new_processes() == []
    assert cgroups.find(name) == []
    assert not (box.root / name).exists()


@pytest.mark.parametrize("kind", ["createRuntime", "createContainer"])
def test_create_is_killed_in_a_hook(box: Box, kind: str) -> None:
    """At this moment namespaces, mounts and cgroups exist; init dies with its runtime."""
    only_ours(box, "others leave cgroups and helpers behind")
    bundle, name = box.bundle("/bin/sleep", "1000"), box.name()
    reached = box.directory / "reached"
    reached.touch()
    bundle.hook(kind, f"echo $$ >{reached}; exec sleep 1000")
    box.place(bundle, name)
    process = box.popen("create", "--bundle", str(bundle.directory), name)
    wait_until(reached.read_text, what="the hook")
    process.kill()
    process.wait()
    box.call("delete", "--force", name).ok()
    if kind == "createRuntime":  # it runs on the host, and is nobody's to kill
        hook = int(reached.read_text())
        wait_until(lambda: box.new_processes(0) == [hook], what="the end of all but the hook")
        os.kill(hook, signal.SIGKILL)
    assert box.new_processes() == []
    assert cgroups.find(name) == []


def test_foreground_run_is_killed(box: Box) -> None:
    bundle, name = box.bundle("/bin/sh", "-c", "echo up; sleep 1000"), box.name()
    box.place(bundle, name)
    with (box.directory / "out").open("wb") as out:
        process = box.popen("run", "--bundle", str(bundle.directory), name, stdout=out)
    if box.runtime.is_ours:
        wait_until(lambda: (box.directory / "out").read_text() == "up\n", what="the program")
    else:
        wait_until(lambda: '"running"' in box.call("state", name).out, what="the program")
    process.kill()
    process.wait()
    assert box.call("state", name).ok().json()["status"] in ("running", "stopped")
    box.call("delete", "--force", name).ok()
    assert box.new_processes() == []


@pytest.mark.parametrize("inodes", range(2, 10))
def test_few_inodes_under_root(box: Box, inodes: int) -> None:
    """Wherever they run out, the error names the file, and nothing is left."""
    only_ours(box, "the records are its own")
    box.root.mkdir()
    options = f"nr_inodes={inodes}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", box.root], check=True)
    try:
        result = box.run(box.bundle())
        if result.rc:
            result.failed("no space left on device", str(box.root))
        assert list(box.root.iterdir()) == []
        assert box.new_processes() == []
    finally:
        subprocess.run(["umount", box.root], check=True)


def test_full_disk_under_root(box: Box) -> None:
    """The records have no room: an error that says so, and nothing was started."""
    box.root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k,nr_inodes=100", "tmpfs", box.root], check=True)
    try:
        try:
            (box.root / "filler").write_bytes(b"x" * 100000)
        except OSError:
            pass
        name = box.name()
        result = box.try_create(box.bundle("/bin/sleep", "100"), name=name)
        result.failed("no space left on device" if box.runtime.is_ours else "")
        assert box.new_processes() == []
        assert cgroups.find(name) == []
        box.call("delete", "--force", name).ok()
    finally:
        subprocess.run(["umount", "-l", box.root], check=True)
    if box.runtime.is_ours:
        one_error(box)


@pytest.mark.parametrize("why", ["full", "read-only"])
def test_root_that_cannot_be_written(box: Box, why: str) -> None:
    """What need not write goes on; what must says so and has changed nothing."""
    only_ours(box, "the records are its own")
    box.root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", box.root], check=True)
    try:
        created = box.create(box.bundle("/bin/sleep", "100"))
        running = box.started(box.bundle("/bin/sleep", "100"))
        if why == "full":
            with pytest.raises(OSError):
                (box.root / "filler").write_bytes(b"x" * 100000)
            reason = "no space left on device"
        else:
            subprocess.run(["mount", "-o", "remount,ro", box.root], check=True)
            reason = "read-only file system"
        created.start()
        assert created.status == "running"
        running.exec("/bin/true").ok()
        if "pids" in cgroups.controllers():
            before = cgroups.read(running.pid, "pids", "pids.max")
            running.call("update", "--pids-limit", "77").failed(reason, f"{running.id}/state.json")
            assert cgroups.read(running.pid, "pids", "pids.max") == before
        if why == "read-only":
            running.delete("--force").failed(f"cannot remove {box.root / running.id}: {reason}")
            subprocess.run(["mount", "-o", "remount,rw", box.root], check=True)
        running.delete("--force").ok()
        created.delete("--force").ok()
        assert box.new_processes() == []
    finally:
        subprocess.run(["umount", "-l", box.root], check=True)


def test_log_that_nobody_reads(box: Box) -> None:
    """A FIFO without a reader is an error at once; one whose reader sleeps loses lines and delays nobody."""
    only_ours(box, "others wait for a reader")
    fifo, bundle, name = box.directory / "fifo", box.bundle("/bin/sleep", "100"), box.name()
    os.mkfifo(fifo)
    box.place(bundle, name)
    flags = ("--log", str(fifo), "--debug")
    create = ("create", "--bundle", str(bundle.directory), name)
    assert box.popen(*create, log=False, global_flags=flags, stderr=subprocess.DEVNULL).wait(DEADLINE) == 1
    assert not (box.root / name).exists()
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(BlockingIOError):
            while True:
                os.write(writer, b"x" * 4096)
        assert box.popen(*create, log=False, global_flags=flags, stdout=subprocess.DEVNULL).wait(DEADLINE) == 0
    finally:
        os.close(writer)
        os.close(reader)


def test_root_that_cannot_be_made(box: Box) -> None:
    (box.directory / "file").touch()
    bundle = box.bundle().write()
    flags = ("--root", str(box.directory / "file" / "below"))
    done = subprocess.run(
        [*box.runtime.command, *flags, "create", "--bundle", bundle.directory, "x1"],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert done.returncode == 1
    assert "not a directory" in done.stderr.lower()


def test_missing_program(box: Box) -> None:
    name = box.name()
    box.try_create(box.bundle("/no/such/program"), name=name).failed("no such file or directory")
    if box.runtime.is_ours:
        one_error(box)
    box.call("state", name).failed("does not exist")


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
def test_failing_hook(box: Box, kind: str) -> None:
    name = box.name()
    box.try_create(box.bundle().hook(kind, "echo because >&2; exit 4"), name=name).failed("hook", "4")
    if box.runtime.is_ours:
        one_error(box)
    box.call("state", name).failed("does not exist")


@pytest.mark.parametrize("flags", [(), ("--detach",)], ids=["foreground", "detached"])
@pytest.mark.parametrize("what", ["program", "startContainer", "poststart"])
def test_run_whose_start_fails(box: Box, what: str, flags: tuple[str, ...]) -> None:
    """The error is that of the start, and nothing is left that `delete` would have to remove."""
    bundle = box.bundle("/bin/sleep", "1000")
    if what == "program":
        (bundle.rootfs / "text").write_text("no program\n")
        (bundle.rootfs / "text").chmod(0o755)
        bundle.args("/text")
    else:
        bundle.hook(what, "exit 3")
    if what == "poststart":
        peer_differs(box, crun="goes on")
    if flags and what != "poststart":
        peer_differs(box, runc="does not wait for the program", crun="does not wait for the program")
    box.try_create(bundle, *flags, command="run").failed(
        "exec format error" if what == "program" else "exit status 3"
    )
    assert box.left() == []


def test_error_names_what_was_asked(box: Box) -> None:
    """The JSON line says which property, step and errno."""
    only_ours(box, "fields beyond runc's")
    bundle = box.bundle().mount("/data", "bind", "/no/such/source", "bind")
    line = box.try_create(bundle).failed().log[-1]
    assert line["level"] == "error"
    assert line["pointer"].startswith("/mounts/5")
    assert line["errno"] == 2
    assert line["step"]


def test_cgroup_that_cannot_be_made(box: Box) -> None:
    """A file stands where a cgroup directory would have to be."""
    bundle = box.bundle()
    name = box.name()
    box.create(box.bundle("/bin/sleep", "100"), name=name)
    bundle.linux["cgroupsPath"] = f"{CGROUP_PARENT}/{name}/cgroup.procs/below"
    box.try_create(bundle).failed("not a directory")
    box.call("delete", "--force", name).ok()


def test_cgroup_limit_that_the_kernel_refuses(box: Box) -> None:
    if "cpuset" not in cgroups.controllers():
        pytest.skip("needs the cgroup controller cpuset")
    bundle, name = box.bundle(), box.name()
    bundle.linux["resources"]["cpu"] = {"cpus": "4000"}
    result = box.try_create(bundle, name=name).failed()
    assert "cpuset.cpus" in result.message or "/linux/resources/cpu/cpus" in result.message
    assert cgroups.find(name) == []


def test_occupied_cgroup(box: Box) -> None:
    """A cgroup with processes in it, or a frozen one, is no place for a container."""
    first = box.started(box.bundle("/bin/sleep", "100"))
    bundle = box.bundle()
    bundle.linux["cgroupsPath"] = f"{CGROUP_PARENT}/{first.id}"
    peer_differs(box, runc="1.1 only warns", crun="does not look")
    box.try_create(bundle).failed("cgroup")
    assert first.status == "running"
    assert cgroups.find(first.id) != []


def test_cgroup_above_is_frozen(box: Box) -> None:
    """Nobody can thaw the container then; commands say that, and do not wait for it."""
    only_ours(box, "others say that all is well")
    if cgroups.version() != 1 or "freezer" not in cgroups.controllers():
        pytest.skip("needs the cgroup controller freezer of version 1")
    bundle, name = box.bundle("/bin/sleep", "100"), box.name()
    bundle.linux["cgroupsPath"] = f"{CGROUP_PARENT}/{name}/below"
    container = box.started(bundle, name=name)
    above = cgroups.of(container.pid)["freezer"].parent / "freezer.state"
    above.write_text("FROZEN")
    try:
        assert container.status == "paused"
        container.call("resume").failed("a cgroup above it is frozen")
        container.kill().ok()
        container.delete("--force").failed("a cgroup above it is frozen")
    finally:
        above.write_text("THAWED")
    assert container.wait() == 137
    container.delete("--force").ok()


@pytest.mark.parametrize("limit", [4096, 16384])
def test_tiny_memory_limit(box: Box, limit: int) -> None:
    """Too small for the set-up, of which the program's execution is the last step: it says so."""
    if "memory" not in cgroups.controllers():
        pytest.skip("needs the cgroup controller memory")
    bundle = box.bundle()
    bundle.linux["resources"]["memory"] = {"limit": limit, "swap": limit}
    name = box.name()
    result = box.try_create(bundle, name=name)
    created = result.rc == 0
    if created:
        result = box.call("start", name)
    assert result.rc == 1
    if box.runtime.is_ours:
        result.failed("memory")
        assert created or (box.new_processes() == [] and cgroups.find(name) == [])
    box.call("delete", "--force", name).ok()
    assert box.new_processes() == []
    assert cgroups.find(name) == []


def test_small_memory_limit_that_is_enough(box: Box) -> None:
    if "memory" not in cgroups.controllers():
        pytest.skip("needs the cgroup controller memory")
    peer_differs(box, runc="needs some megabytes")
    bundle = box.bundle("/bin/probe", "out:/dev/null")
    bundle.linux["resources"]["memory"] = {"limit": 512 << 10, "swap": 512 << 10}
    box.run(bundle).ok()


def test_killed_init_before_start(box: Box) -> None:
    container = box.create(box.bundle("/bin/sleep", "100"))
    os.kill(container.pid, signal.SIGKILL)
    assert container.wait() == 137
    assert container.status == "stopped"
    container.call("start").failed("stopped")
    container.delete().ok()


def test_lost_state_directory(box: Box) -> None:
    """Somebody removed the record: the container is unknown, not an endless wait."""
    container = box.create(box.bundle("/bin/sleep", "100"))
    subprocess.run(["rm", "-rf", box.root / container.id], check=True)
    container.call("state").failed("does not exist")
    box.call("delete", "--force", container.id).ok()
    os.kill(container.pid, signal.SIGKILL)
    container.wait()
    for path in sorted(cgroups.find(container.id), key=len, reverse=True):
        cgroups.remove(path)


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"null", b'{"id": 5}', b'{"format": 1, "id": "a", "bundle": "/", "pid": "7"}']
)
def test_damaged_record(box: Box, damage: bytes) -> None:
    """An error, never a traceback; delete --force still ends."""
    only_ours(box, "the record's form is its own")
    container = box.create(box.bundle("/bin/sleep", "100"))
    (box.root / container.id / "state.json").write_bytes(damage)
    for command in ("state", "start", "kill", "delete", "exec", "pause", "update", "ps"):
        container.call(command, *(["/bin/true"] if command == "exec" else [])).failed(
            f"{container.id}/state.json is damaged", rc=255 if command == "exec" else 1
        )
    assert box.call("list", "-q").rc == 0
    assert box.call("delete", "--force", container.id).rc == 0
    os.kill(container.pid, signal.SIGKILL)
    container.wait()
    for path in sorted(cgroups.find(container.id), key=len, reverse=True):
        cgroups.remove(path)


@pytest.mark.parametrize("kind", ["directory", "fifo", "cgroup", "hooks", "pid"])
def test_foreign_record(box: Box, kind: str) -> None:
    """What no version of ours wrote: the same error, no endless wait, and it can be deleted."""
    only_ours(box, "the record's form is its own")
    container = box.started(box.bundle("/bin/true"))
    container.wait()
    container.delete().ok()
    path = box.root / container.id / "state.json"
    path.parent.mkdir()
    if kind == "directory":
        (path / "below").mkdir(parents=True)
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        flaws = {"cgroup": {"driver": "cgroupfs"}, "hooks": {"poststop": [[]]}, "pid": 1 << 80}
        path.write_text(json.dumps({"format": 1, "id": container.id, "bundle": "/", kind: flaws[kind]}))
    for command in ("state", "start", "kill", "delete"):
        container.call(command).failed(f"{path} is damaged")
    assert "is damaged" in str(box.call("list").ok().log)
    container.delete("--force").ok()
    assert not path.parent.exists()


@pytest.mark.parametrize("damage", [b"{", b"\xff", None])
def test_damaged_copy_of_the_configuration(box: Box, damage: bytes | None) -> None:
    """It is named with its directory, and what needs no configuration goes on."""
    only_ours(box, "the copy is its own")
    container = box.started(box.bundle("/bin/sleep", "100"))
    copy = box.root / container.id / "config.json"
    copy.unlink() if damage is None else copy.write_bytes(damage)
    container.exec("/bin/true").failed(f"the copy {copy} is damaged", rc=255)
    container.call("update", "--pids-limit", "9").failed(f"the copy {copy} is damaged")
    assert container.status == "running"
    container.delete("--force").ok()


def test_pid_is_not_trusted_after_reuse(box: Box) -> None:
    """A record whose pid belongs to another process now is a stopped container."""
    only_ours(box, "the record's form is its own")
    container = box.started(box.bundle("/bin/true"))
    container.wait()
    path = box.root / container.id / "state.json"
    record = json.loads(path.read_text())
    victim = subprocess.Popen(["sleep", "100"])
    record["pid"] = victim.pid
    path.write_text(json.dumps(record))
    try:
        assert container.status == "stopped"
        container.kill().failed("not running")
        container.delete("--force").ok()
        assert victim.poll() is None
    finally:
        victim.kill()
        victim.wait()


def test_bundle_is_gone_at_delete(box: Box) -> None:
    container = box.started(box.bundle("/bin/true"))
    container.wait()
    subprocess.run(["rm", "-rf", container.bundle.directory], check=True)
    container.delete().ok()


def test_console_socket_nobody_reads(box: Box) -> None:
    bundle = box.bundle()
    bundle.process["terminal"] = True
    name = box.name()
    box.try_create(bundle, "--console-socket", str(box.directory / "nothing.sock"), name=name).failed()
    box.call("state", name).failed("does not exist")


def test_two_creates_of_one_id_at_once(box: Box) -> None:
    """One wins, the other says that the id is taken; neither harms the other."""
    only_ours(box, "runc's loser deletes the winner")
    name = box.name()
    bundles = [box.bundle("/bin/sleep", "100") for _ in range(4)]
    for bundle in bundles:
        box.place(bundle, name)
    running = [
        box.popen("create", "--bundle", str(bundle.directory), name, log=False, stderr=subprocess.DEVNULL)
        for bundle in bundles
    ]
    codes = sorted(process.wait(DEADLINE) for process in running)
    assert codes == [0, 1, 1, 1]
    assert box.call("state", name).ok().json()["status"] == "created"


def test_delete_while_starting(box: Box) -> None:
    for _ in range(5):
        container = box.create(box.bundle("/bin/sleep", "100"))
        starting = box.popen("start", container.id, log=False, stderr=subprocess.DEVNULL)
        box.call("delete", "--force", container.id).ok()
        assert starting.wait(DEADLINE) in (0, 1)
        assert cgroups.find(container.id) == []
