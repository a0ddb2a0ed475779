"""exec: a further process in a running container, by flags and by process file."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import cgroups
from tests.harness import DEADLINE, Box, Container, peer_differs, wait_child, wait_until


@pytest.fixture
def running(box: Box) -> Iterator[Container]:
    yield box.started(box.bundle("/bin/sleep", "1000"))


def probe(container: Container, *flags: str, actions: tuple[str, ...] = ()) -> dict[str, Any]:
    report: dict[str, Any] = container.exec("/bin/probe", *actions, flags=flags).ok().json()
    return report


def process_file(box: Box, **changes: Any) -> str:
    """A process object as engines write it."""
    process = {
        "terminal": False,
        "user": {"uid": 0, "gid": 0},
        "args": ["/bin/probe"],
        "env": ["PATH=/bin"],
        "cwd": "/",
        "capabilities": {name: ["CAP_KILL"] for name in ("bounding", "effective", "permitted")},
        "noNewPrivileges": True,
        **changes,
    }
    path = box.directory / "process.json"
    path.write_text(json.dumps(process))
    return str(path)


def test_output_and_exit_code(running: Container) -> None:
    result = running.exec("/bin/sh", "-c", "echo out; echo err >&2; exit 7")
    assert (result.rc, result.out) == (7, "out\n")
    assert result.err.endswith("err\n")


@pytest.mark.parametrize("number", [9, 15])
def test_death_by_signal(running: Container, number: int) -> None:
    assert running.exec("/bin/sh", "-c", f"kill -{number} $$").rc == 128 + number


def test_same_namespaces_and_root(running: Container) -> None:
    report = probe(running, actions=("list:/",))
    for kind in ("ipc", "mnt", "net", "pid", "uts", "cgroup", "user"):
        assert report["namespaces"][kind] == os.readlink(f"/proc/{running.pid}/ns/{kind}"), kind
    assert report["hostname"] == "box"
    assert "bin" in report["actions"]["list:/"]


def test_same_cgroup(running: Container) -> None:
    lines = Path(f"/proc/{running.pid}/cgroup").read_text().splitlines()
    assert probe(running)["cgroup"] == lines


def test_same_attributes_as_the_container_process(box: Box, running: Container) -> None:
    report = probe(running)
    assert report["no_new_privs"] == 1
    assert report["rlimits"]["NOFILE"] == [1024, 1024]
    assert report["status"]["CapInh"] == "0" * 16
    assert int(report["status"]["SigIgn"], 16) == 0
    assert report["session_keyring"].endswith(f"_ses.{running.id}")


def test_the_session_keyring_is_shared(box: Box) -> None:
    """One keyring, not two of one name."""
    container = box.started(box.bundle("/bin/sleep", "1000"))
    held = ("/bin/sh", "-c", "echo up; exec sleep 1000")
    with (box.directory / "held").open("wb") as out:
        process = box.popen("exec", container.id, *held, stdout=out)
    wait_until(lambda: (box.directory / "held").read_text() == "up\n", what="the second process")
    peer_differs(box, crun="names it after the id alone")
    keys = Path("/proc/keys").read_text().splitlines()
    assert len([line for line in keys if f" _ses.{container.id}:" in line]) == 1
    container.kill().ok()
    assert process.wait(DEADLINE) == 137


def test_no_new_keyring_holds_for_exec(box: Box) -> None:
    container = box.started(box.bundle("/bin/sleep", "1000"), "--no-new-keyring")
    assert not probe(container)["session_keyring"].endswith(f"_ses.{container.id}")


def test_only_three_descriptors(running: Container) -> None:
    extra = os.open("/dev/null", os.O_RDONLY)
    try:
        result = running.exec("/bin/probe", pass_fds=[extra]).ok()
    finally:
        os.close(extra)
    assert sorted(result.json()["fds"]) == ["0", "1", "2"]


FLAGS = [
    (["--cwd", "/tmp"], "cwd", "/tmp"),
    (["--user", "1000"], "uid", [1000] * 3),
    (["--user", "1000:1001"], "gid", [1001] * 3),
    (["-u", "0:5"], "gid", [5] * 3),
    (["-g", "7", "-g", "9"], "groups", [7, 9]),
    (["--no-new-privs"], "no_new_privs", 1),
]


@pytest.mark.parametrize(("flags", "key", "value"), FLAGS)
def test_flags(running: Container, flags: list[str], key: str, value: Any) -> None:
    if "-g" in flags:
        peer_differs(running.box, crun="has no -g")
    assert probe(running, *flags)[key] == value


def test_environment_flags(running: Container) -> None:
    env = probe(running, "--env", "A=1,2", "--env", "B=x y", "--env=C=")["env"]
    assert {"A=1,2", "B=x y", "C="} <= set(env)
    assert "PATH=/bin:/usr/bin" in env


def test_capability_flag(running: Container) -> None:
    status = probe(running, "--cap", "CAP_SYS_PTRACE")["status"]
    bit = 1 << 19
    assert int(status["CapBnd"], 16) & bit
    assert int(status["CapEff"], 16) & bit
    assert int(status["CapInh"], 16) == 0
    assert int(status["CapAmb"], 16) == 0


@pytest.mark.parametrize(
    "text", ["1x", "-1", "0x10", "1:", ":1", "1:2:3", "4294967296", " 1", "+1", "root:root"]
)
def test_bad_users_are_refused(running: Container, text: str) -> None:
    if text in ("1:", "+1", "0x10", ":1", "4294967296"):
        peer_differs(running.box, runc="is lenient", crun="is lenient")
    result = running.exec("/bin/id", flags=(f"--user={text}",))
    assert result.rc != 0
    assert "uid=" not in result.out


def test_process_file(box: Box, running: Container) -> None:
    changes = {"user": {"uid": 12, "gid": 34, "additionalGids": [56]}, "cwd": "/tmp", "env": ["ONLY=this"]}
    path = process_file(box, **changes, rlimits=[{"type": "RLIMIT_NOFILE", "soft": 99, "hard": 100}])
    report = box.call("exec", "--process", path, running.id).ok().json()
    assert (report["uid"], report["gid"], report["groups"]) == ([12] * 3, [34] * 3, [56])
    assert report["cwd"] == "/tmp"
    assert "ONLY=this" in report["env"]
    assert report["rlimits"]["NOFILE"] == [99, 100]


@pytest.mark.parametrize(
    "changes", [{"args": []}, {"cwd": "tmp"}, {"user": {"uid": -1, "gid": 0}}, {"args": ["/bin/true\x00x"]}]
)
def test_bad_process_files_are_refused(box: Box, running: Container, changes: dict[str, Any]) -> None:
    result = box.call("exec", "--process", process_file(box, **changes), running.id)
    assert result.rc in ((255,) if box.runtime.is_ours else (255, 1))


def test_detached(box: Box, running: Container) -> None:
    pid_file = box.directory / "exec.pid"
    result = running.exec(
        "/bin/sh", "-c", "sleep 0.1; exit 6", flags=("--detach", "--pid-file", str(pid_file))
    )
    assert result.ok().rc == 0
    pid = int(pid_file.read_text())
    assert int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) == os.getpid()
    assert wait_child(pid) == 6


def test_signals_are_forwarded(box: Box, running: Container) -> None:
    path = box.directory / "out"
    with path.open("wb") as out:
        process = box.popen(
            "exec",
            running.id,
            "/bin/sh",
            "-c",
            "trap 'exit 8' TERM; echo up; while :; do sleep 0.02; done",
            stdout=out,
        )
    wait_until(lambda: "up" in path.read_text(), what="the program")
    process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE) == 8


def test_standard_input(running: Container) -> None:
    assert running.exec("/bin/cat", input=b"in\n").ok().out == "in\n"


FAILURES = [
    (("/nonexist",), "no such file or directory"),
    (("nonexist",), "executable file not found in $PATH"),
    (("/etc/passwd",), "permission denied"),
]


@pytest.mark.parametrize(("args", "text"), FAILURES)
def test_setup_failures_give_255(running: Container, args: tuple[str, ...], text: str) -> None:
    peer_differs(running.box, crun="has words of its own")
    running.exec(*args).failed(text, "exec failed: ", args[0], rc=255)


@pytest.mark.parametrize(
    ("flags", "args"),
    [((), ()), (("--user", "name"), ("/bin/true",)), (("--cgroup", "../.."), ("/bin/true",))],
)
def test_refused_flags_give_255(running: Container, flags: tuple[str, ...], args: tuple[str, ...]) -> None:
    peer_differs(running.box, crun="has one status for all")
    running.exec(*args, flags=flags).failed("exec failed: ", rc=255)


def test_missing_working_directory(running: Container) -> None:
    peer_differs(running.box, crun="makes it")
    running.exec("/bin/true", flags=("--cwd", "/nonexist")).failed(
        "no such file or directory", "/nonexist", rc=255
    )


def test_unknown_container(box: Box) -> None:
    box.call("exec", "no-such-container", "/bin/true").failed("does not exist", rc=255)


def test_stopped_container(box: Box) -> None:
    container = box.started(box.bundle("/bin/true"))
    container.wait()
    peer_differs(box, crun="has words of its own")
    container.exec("/bin/true").failed("cannot exec in a stopped container", rc=255)


def test_created_container(box: Box) -> None:
    container = box.create(box.bundle("/bin/sleep", "100"))
    assert container.exec("/bin/echo", "in").ok().out == "in\n"
    assert container.status == "created"


def test_paused_container(running: Container) -> None:
    running.call("pause").ok()
    peer_differs(running.box, crun="has words of its own")
    running.exec("/bin/true").failed(
        "cannot exec in a paused container (use --ignore-paused to override)", rc=255
    )
    running.call("resume").ok()
    running.exec("/bin/true").ok()


def test_ignore_paused(box: Box, running: Container) -> None:
    """The process is made, and runs when the container is resumed."""
    peer_differs(box, crun="has no --ignore-paused")
    running.call("pause").ok()
    process = box.popen("exec", "--ignore-paused", running.id, "/bin/sh", "-c", "exit 3")
    wait_until(lambda: len(box.call("ps", "--format", "json", running.id).json()) > 1, what="the process")
    running.call("resume").ok()
    assert process.wait(DEADLINE) == 3


def test_in_a_user_namespace(box: Box) -> None:
    container = box.started(box.bundle("/bin/sleep", "100").user_namespace())
    report = probe(container, actions=("create:/tmp",))
    assert report["uid"] == [0, 0, 0]
    assert report["uid_map"][0].split() == ["0", "100000", "65536"]
    assert isinstance(report["actions"]["create:/tmp"], dict)


def test_in_a_time_namespace(box: Box) -> None:
    peer_differs(box, runc="1.1 has none")
    container = box.started(box.bundle("/bin/sleep", "100").namespace("time"))
    assert probe(container)["namespaces"]["time"] == os.readlink(f"/proc/{container.pid}/ns/time")


def test_seccomp_applies_to_exec(box: Box) -> None:
    bundle = box.bundle("/bin/sleep", "100")
    bundle.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}],
    }
    report = probe(box.started(bundle), actions=("syscall:140",))
    assert report["status"]["Seccomp"] == "2"
    assert report["actions"]["syscall:140"] == "ENOSYS"


def test_device_rules_apply_to_exec(running: Container) -> None:
    assert probe(running, actions=("node:c,10,229",))["actions"]["node:c,10,229"]["read"] == "EPERM"


def test_sub_cgroup(box: Box, running: Container) -> None:
    """A cgroup below the container's own; nothing above it can be named."""
    directory = cgroups.of(running.pid).get("pids") or cgroups.of(running.pid)[""]
    (directory / "below").mkdir()
    flag = "--cgroup=pids:below" if cgroups.version() == 1 else "--cgroup=below"
    peer_differs(box, crun="wants a path only")
    lines = probe(running, flag)["cgroup"]
    assert any(line.endswith(f"{running.id}/below") for line in lines)
    for bad in ("../..", "/../../other", "no/such"):
        assert running.exec("/bin/true", flags=(f"--cgroup={bad}",)).rc != 0


def test_container_end_takes_the_exec_along(box: Box, running: Container) -> None:
    pid_file = box.directory / "exec.pid"
    running.exec("/bin/sleep", "1000", flags=("--detach", "--pid-file", str(pid_file))).ok()
    running.kill().ok()
    assert wait_child(int(pid_file.read_text())) == 137  # reaped first: init's end waits for it
    assert running.wait() == 137


def test_many_at_once(box: Box, running: Container) -> None:
    started = [box.popen("exec", running.id, "/bin/sh", "-c", f"exit {number}") for number in range(8)]
    assert [process.wait(DEADLINE) for process in started] == list(range(8))
