"""runtime.md: the lifecycle and the state, one test per duty (numbered as in the project's list of duties)."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.harness import CGROUP_PARENT, DEADLINE, Box, descendants, only_ours, peer_differs, wait_until

STATE_KEYS = {"ociVersion", "id", "status", "bundle"}
SLEEP = ("/bin/sleep", "100")


def test_c01_the_creator_can_use_every_operation(box: Box) -> None:
    container = box.create(box.bundle(*SLEEP))
    assert container.status == "created"
    container.start()
    assert container.status == "running"
    container.kill().ok()
    assert container.wait() == 128 + signal.SIGKILL
    assert container.status == "stopped"
    container.delete().ok()
    container.call("state").failed("does not exist")


def test_c02_state_has_the_required_properties(box: Box) -> None:
    bundle = box.bundle(*SLEEP)
    bundle.config["annotations"] = {"org.example.key": "value"}
    container = box.create(bundle)
    for status in ("created", "running"):
        state = container.state()
        assert state.keys() >= STATE_KEYS | {"pid", "annotations"}
        assert state["id"] == container.id
        assert state["status"] == status
        assert state["bundle"] == str(bundle.directory)
        assert state["pid"] == container.pid
        assert state["annotations"] == {"org.example.key": "value"}
        assert re.fullmatch(r"1\.\d+\.\d+(-[\w.-]+)?", state["ociVersion"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", state["created"])
        if status == "created":
            container.start()
    container.kill().ok()
    container.wait()
    state = container.state()
    assert state["status"] == "stopped"
    assert state.get("pid", 0) == 0


def test_c02_bundle_is_absolute(box: Box) -> None:
    bundle = box.bundle(*SLEEP)
    name = box.name()
    box.place(bundle, name)
    box.call("create", "--bundle", ".", name, cwd=bundle.directory, stdout=None).ok()
    assert box.call("state", name).json()["bundle"] == str(bundle.directory)


def test_c02_bundle_is_that_of_the_kernel(box: Box, tmp_path: Path) -> None:
    """What a path with symbolic links means, `..` behind one too: it may not change with them."""
    bundle = box.bundle("/bin/sleep", "1000")
    (tmp_path / "link").symlink_to(bundle.rootfs)
    name = box.name()
    box.place(bundle, name)
    with (tmp_path / "out").open("wb") as out:
        box.call("create", "--bundle", f"{tmp_path}/link/..", name, stdout=out, stderr=out).ok()
    assert box.call("state", name).ok().json()["bundle"] == str(bundle.directory)


def test_c03_a_used_id_is_refused_and_nothing_is_made(box: Box) -> None:
    container = box.create(box.bundle(*SLEEP))
    box.try_create(box.bundle(), name=container.id).failed("already exists")
    assert container.status == "created"
    container.start()
    assert container.status == "running"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/abs", "a b", "a:b", "ü", "a\n"])
def test_c03_an_invalid_id_is_refused(box: Box, name: str) -> None:
    bundle = box.bundle().write()
    result = box.call("create", "--bundle", str(bundle.directory), name)
    assert result.rc == 1
    assert not box.root.exists() or os.listdir(box.root) == []


@pytest.mark.parametrize("suffix", ["-a_B.9+x", "-" + "n" * 150])
def test_c03_every_allowed_character_works(box: Box, suffix: str) -> None:
    name = box.name() + suffix
    box.names.append(name)
    assert box.create(box.bundle(*SLEEP), name=name).state()["id"] == name


def test_c03_ids_are_per_state_root(box: Box, tmp_path: Path) -> None:
    container = box.create(box.bundle(*SLEEP))
    other = Box(box.runtime, tmp_path / "other")
    other.children_before |= set(descendants(os.getpid()))
    other.directory.mkdir()
    second = other.bundle(*SLEEP)
    second.linux["cgroupsPath"] = f"{CGROUP_PARENT}/{container.id}-other"
    assert other.create(second, name=container.id).pid != container.pid
    other.call("delete", "--force", container.id).ok()
    assert other.close() == []
    assert container.status == "created"


def test_c05_create_needs_an_id_and_a_bundle(box: Box) -> None:
    assert box.call("create").rc == 1
    result = box.call("create", "--bundle", str(box.directory / "nowhere"), box.name())
    assert result.rc == 1
    assert "no such file" in result.message.lower()


def test_c05_create_takes_the_current_directory(box: Box) -> None:
    bundle, name = box.bundle(*SLEEP), box.name()
    box.place(bundle, name)
    box.call("create", name, cwd=bundle.directory).ok()
    assert box.call("state", name).json()["status"] == "created"


def test_c05_create_does_not_run_the_program(box: Box) -> None:
    container = box.create(box.bundle("/bin/touch", "/ran"))
    assert not (container.bundle.rootfs / "ran").exists()
    container.start()
    assert container.wait() == 0
    assert (container.bundle.rootfs / "ran").exists()


def test_c06_arguments_are_applied_by_start(box: Box) -> None:
    container = box.create(box.bundle(*SLEEP))
    assert b"sleep" not in Path(f"/proc/{container.pid}/cmdline").read_bytes()
    container.start()
    wait_until(lambda: Path(f"/proc/{container.pid}/cmdline").read_bytes(), what="the arguments, set late in execve")
    assert Path(f"/proc/{container.pid}/cmdline").read_bytes() == b"/bin/sleep\x00100\x00"


def test_c07_what_cannot_be_applied_makes_no_container(box: Box) -> None:
    bundle = box.bundle()
    bundle.mount("/data", "nosuchfs", "none")
    result = box.try_create(bundle)
    assert result.rc == 1
    assert box.call("list", "-q").out == ""


def test_c08_later_edits_have_no_effect(box: Box) -> None:
    container = box.create(box.bundle("/bin/sh", "-c", "echo first; sleep 100"))
    container.bundle.shell("echo second").write()
    container.start()
    container.wait_output("first")
    (container.bundle.directory / "config.json").unlink()
    peer_differs(box, runc="exec reads the bundle's config.json again")
    assert container.exec("/bin/echo", "still").ok().out == "still\n"


def test_c09_hooks_run_in_order(box: Box) -> None:
    bundle = box.bundle("/bin/sh", "-c", "echo program >>/log/order")
    log = box.directory / "log"
    log.mkdir()
    bundle.mount("/log", "bind", str(log), "bind")
    for number in (1, 2):
        for kind in ("prestart", "createRuntime", "createContainer", "poststart", "poststop"):
            bundle.hook(kind, f"echo {kind}{number} >>{log}/order")
        bundle.hook("startContainer", f"echo startContainer{number} >>/log/order")
    container = box.create(bundle)
    before = [
        f"{kind}{number}" for kind in ("prestart", "createRuntime", "createContainer") for number in (1, 2)
    ]
    peer_differs(box, runc="runs poststart in create")
    assert (log / "order").read_text().split() == before
    container.start()
    container.wait()
    wait_until(lambda: "program" in (log / "order").read_text(), what="the program")
    after = (log / "order").read_text().split()[6:]
    assert after[:2] == ["startContainer1", "startContainer2"]
    assert sorted(after[2:]) == ["poststart1", "poststart2", "program"]
    assert after.index("poststart1") < after.index("poststart2")
    container.delete().ok()
    assert (log / "order").read_text().split()[-2:] == ["poststop1", "poststop2"]


@pytest.mark.parametrize("kind", ["prestart", "createRuntime", "createContainer"])
def test_c10_a_failing_hook_destroys_the_container(box: Box, kind: str) -> None:
    bundle = box.bundle()
    bundle.hook(kind, "exit 7").hook("poststop", f"echo gone >{box.directory}/poststop")
    result = box.try_create(bundle)
    assert result.rc == 1
    assert box.call("list", "-q").out == ""
    assert box.left() == []
    assert (box.directory / "poststop").exists() or not box.runtime.is_ours


@pytest.mark.parametrize("kind", ["startContainer", "poststart"])
def test_c10_a_failing_hook_of_start_destroys_the_container(box: Box, kind: str) -> None:
    bundle = box.bundle("/bin/sh", "-c", "echo >/ran; sleep 100").hook(kind, "exit 7")
    bundle.hook("poststop", f"echo gone >{box.directory}/poststop")
    peer_differs(box, runc="runs poststart in create, and start returns early", crun="start returns early")
    container = box.create(bundle)
    container.call("start").failed(kind)
    assert box.left() == []
    assert (box.directory / "poststop").exists()
    assert kind == "poststart" or not (bundle.rootfs / "ran").exists()


def test_c11_start_needs_an_id(box: Box) -> None:
    assert box.call("start").rc == 1


def test_c11_start_wants_created(box: Box) -> None:
    container = box.started(box.bundle(*SLEEP))
    container.call("start").failed()
    assert container.status == "running"
    container.kill().ok()
    container.wait()
    container.call("start").failed()
    assert container.status == "stopped"
    box.call("start", "no-such-container").failed("does not exist")


def test_c12_start_runs_the_program_and_poststart(box: Box) -> None:
    bundle = box.bundle("/bin/sh", "-c", "echo ran; sleep 100")
    bundle.hook("poststart", f"sleep 0.2; echo done >{box.directory}/poststart")
    container = box.create(bundle)
    peer_differs(box, runc="runs poststart in create")
    assert not (box.directory / "poststart").exists()
    container.start()
    assert (box.directory / "poststart").exists()
    container.wait_output("ran")


def test_c13_kill_sends_exactly_that_signal(box: Box) -> None:
    container = box.started(
        box.bundle(
            "/bin/sh",
            "-c",
            "trap 'echo usr1' USR1; trap 'exit 9' TERM; echo up; while :; do sleep 0.05; done",
        )
    )
    container.wait_output("up")
    for form in ("USR1", "SIGUSR1", "usr1", "10"):
        before = container.output.count("usr1")
        container.kill(form).ok()
        wait_until(lambda count=before: container.output.count("usr1") > count, what="the trap")
    container.call("kill").ok()
    assert container.wait() == 9


def test_c13_kill_wants_a_living_container(box: Box) -> None:
    assert box.call("kill").rc == 1
    box.call("kill", "no-such-container", "KILL").failed("does not exist")
    container = box.started(box.bundle("/bin/true"))
    container.wait()
    container.kill().failed("container not running" if box.runtime.name != "crun" else "")
    container.call("kill", "NOSUCHSIGNAL").failed()


def test_c13_kill_works_on_created_and_paused(box: Box) -> None:
    created = box.create(box.bundle(*SLEEP))
    created.kill().ok()
    assert created.wait() == 137
    assert created.status == "stopped"
    paused = box.started(box.bundle(*SLEEP))
    paused.call("pause").ok()
    assert paused.status == "paused"
    paused.kill("9").ok()
    peer_differs(box, crun="waits for resume")
    assert paused.wait(DEADLINE) == 137


def test_c13_a_created_container_is_ended_by_kill(box: Box) -> None:
    """Nothing else reaches the first process of a pid namespace that has no handler for it."""
    created = box.create(box.bundle(*SLEEP))
    peer_differs(box, runc="its init has a handler")
    created.kill("TERM").ok()
    only_ours(box, "the others delete it")
    assert "kill ID KILL" in created.delete().failed("not stopped: created").log[-1]["hint"]
    created.kill("KILL").ok()
    assert created.wait() == 137
    created.delete().ok()


def test_c14_delete_wants_stopped(box: Box) -> None:
    assert box.call("delete").rc == 1
    container = box.started(box.bundle(*SLEEP))
    container.delete().failed("that is not stopped: running" if box.runtime.name != "crun" else "")
    assert container.status == "running"
    container.delete("--force").ok()
    container.call("state").failed("does not exist")


def test_c14_delete_of_created(box: Box) -> None:
    """The specification wants stopped; runc and crun kill it instead."""
    container = box.create(box.bundle(*SLEEP))
    result = container.delete()
    if box.runtime.is_ours:
        result.failed("not stopped: created")
        assert container.status == "created"
    else:
        result.ok()


def test_c14_the_id_can_be_used_again(box: Box) -> None:
    for _ in range(3):
        container = box.create(box.bundle("/bin/true"), name=box.names[0] if box.names else "")
        container.start()
        assert container.wait() == 0
        container.delete().ok()


def test_c14_delete_removes_nothing_else(box: Box) -> None:
    container = box.started(box.bundle("/bin/sh", "-c", "echo kept >/tmp/kept"))
    container.wait()
    container.delete().ok()
    assert box.left() == []
    assert (container.bundle.rootfs / "tmp/kept").read_text() == "kept\n"
    assert json.loads((container.bundle.directory / "config.json").read_text())


def test_c15_poststop_runs_before_delete_returns(box: Box) -> None:
    bundle = box.bundle()
    bundle.hook("poststop", "exit 3").hook("poststop", f"sleep 0.2; cat >{box.directory}/seen")
    container = box.started(bundle)
    container.wait()
    container.delete().ok()
    peer_differs(box, runc="stops at the first failing poststop")
    state = json.loads((box.directory / "seen").read_text())
    assert state["id"] == container.id
    assert state["status"] == "stopped"
    container.call("state").failed("does not exist")


def test_c16_state_of_an_unknown_id(box: Box) -> None:
    box.call("state", "no-such-container").failed("does not exist")
    assert box.call("state").rc == 1


@pytest.mark.parametrize("broken", ["mount", "program", "hook", "sysctl"])
def test_c17_an_error_leaves_no_trace(box: Box, broken: str) -> None:
    bundle = box.bundle()
    if broken == "mount":
        bundle.mount("/data", "bind", "/no/such/source", "bind")
    elif broken == "program":
        bundle.args("/no/such/program")
    elif broken == "hook":
        bundle.hook("createRuntime", "exit 1")
    else:
        bundle.linux["sysctl"] = {"net.ipv4.no_such_key": "1"}
    name = box.name()
    box.try_create(bundle, name=name).failed()
    assert box.left() == []
    box.create(box.bundle(*SLEEP), name=name)


def test_c18_only_three_descriptors_are_open(box: Box) -> None:
    extra = os.open("/dev/null", os.O_RDONLY)
    try:
        bundle = box.bundle().probe()
        report = box.run(bundle, pass_fds=[extra]).ok().json()
    finally:
        os.close(extra)
    assert sorted(report["fds"]) == ["0", "1", "2"]


def test_c18_socket_activation_passes_descriptors(box: Box) -> None:
    ends = os.pipe()
    try:
        bundle = box.bundle().probe()
        name = box.name()
        box.place(bundle, name)
        flags = ["--root", str(box.root), "run", "--bundle", str(bundle.directory), name]
        shell = f'exec 3<&{ends[0]} 4<&{ends[1]}; export LISTEN_FDS=2 LISTEN_PID=$$; exec "$@"'
        done = subprocess.run(
            ["/bin/bash", "-c", shell, "sh", *box.runtime.command, *flags],
            pass_fds=ends,
            capture_output=True,
            timeout=DEADLINE,
        )
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
    finally:
        os.close(ends[0])
        os.close(ends[1])
    assert sorted(report["fds"]) == ["0", "1", "2", "3", "4"]
    assert "LISTEN_FDS=2" in report["env"]
    assert "LISTEN_PID=1" in report["env"]


def test_c19_device_links(box: Box) -> None:
    links = box.report(box.bundle())["links"]
    assert links["/dev/fd"] == "/proc/self/fd"
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        assert links[f"/dev/{name}"] == f"/proc/self/fd/{number}"


def test_list_shows_every_container(box: Box) -> None:
    created, running = box.create(box.bundle(*SLEEP)), box.started(box.bundle(*SLEEP))
    rows = {row["id"]: row for row in box.call("list", "--format", "json").ok().json()}
    assert {created.id, running.id} == rows.keys()
    assert rows[created.id]["status"] == "created"
    assert rows[running.id]["pid"] == running.pid
    table = box.call("list").ok().out
    assert table.split("\n")[0].split()[:2] in (["ID", "PID"], ["NAME", "PID"])
    assert sorted(box.call("list", "-q").out.split()) == sorted([created.id, running.id])


def test_pause_and_resume(box: Box) -> None:
    container = box.started(box.bundle("/bin/sh", "-c", "while :; do echo tick; sleep 0.02; done"))
    container.wait_output("tick")
    container.call("pause").ok()
    assert container.status == "paused"
    length = len(container.output)
    time.sleep(0.1)  # some ticks
    assert len(container.output) == length
    container.call("resume").ok()
    assert container.status == "running"
    wait_until(lambda: len(container.output) > length, what="a tick after resume")


def test_ps_lists_host_pids(box: Box) -> None:
    container = box.started(box.bundle("/bin/sh", "-c", "sleep 100 & sleep 100; true"))
    wait_until(
        lambda: len(box.call("ps", "--format", "json", container.id).json()) == 3, what="three processes"
    )
    result = box.call("ps", "--format", "json", container.id).ok()
    assert container.pid in result.json()
    assert result.err == ""
    table = box.call("ps", container.id).ok().out
    assert "PID" in table.split("\n")[0]
    assert len(table.strip().split("\n")) == 4


def test_a_zombie_is_stopped(box: Box) -> None:
    container = box.started(box.bundle("/bin/true"))
    wait_until(
        lambda: Path(f"/proc/{container.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z",
        what="the end",
    )
    assert container.status == "stopped"
    container.wait()


def test_run_keep_keeps_the_record(box: Box) -> None:
    name = box.name()
    result = box.run(box.bundle("/bin/sh", "-c", "exit 4"), "--keep", name=name)
    if "unknown" in result.err.lower() or "not defined" in result.err.lower():
        pytest.skip("needs a runtime with run --keep")
    assert result.rc == 4
    assert box.call("state", name).json()["status"] == "stopped"


def test_run_deletes_the_container(box: Box) -> None:
    name = box.name()
    assert box.run(box.bundle("/bin/sh", "-c", "exit 4"), name=name).rc == 4
    box.call("state", name).failed("does not exist")


def test_pid_file_is_written_before_return(box: Box) -> None:
    container = box.create(box.bundle(*SLEEP))
    assert int((box.directory / f"{container.id}.pid").read_text()) == container.state()["pid"]
    assert [path.name for path in box.directory.glob("*.pid")] == [f"{container.id}.pid"]


def test_the_api_gives_its_descriptors_back(box: Box) -> None:
    """A program that uses the verbs as functions lives longer than one command."""
    only_ours(box, "it is our API")
    import pyrunc

    container = box.started(box.bundle("/bin/sleep", "1000"))
    root = str(box.root)
    before = os.listdir("/proc/self/fd")
    pyrunc.kill(container.id, "0", root=root)  # loads the verbs: tests before may have imported the package state
    pyrunc.state(container.id, root=root)
    pyrunc.list(root=root)
    pyrunc.pause(container.id, root=root)
    pyrunc.resume(container.id, root=root)
    pyrunc.ps(container.id, root=root)
    with pytest.raises(pyrunc.StateError):
        pyrunc.delete(container.id, root=root)
    assert os.listdir("/proc/self/fd") == before
    container.call("kill", "KILL").ok()
    container.wait()
    pyrunc.delete(container.id, root=root)
    assert os.listdir("/proc/self/fd") == before
