"""config.md#process: identity, environment, program, limits, capabilities, seccomp, exit codes."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.harness import DEADLINE, Box, only_ours, peer_differs, wait_until

CAPABILITY = {
    "CAP_CHOWN": 0,
    "CAP_DAC_OVERRIDE": 1,
    "CAP_KILL": 5,
    "CAP_NET_BIND_SERVICE": 10,
    "CAP_SYS_ADMIN": 21,
}


def mask(*names: str) -> str:
    return f"{sum(1 << CAPABILITY[name] for name in names):016x}"


def test_user_and_groups(box: Box) -> None:
    bundle = box.bundle()
    bundle.process["user"] = {"uid": 1000, "gid": 1001, "additionalGids": [5, 77]}
    report = box.report(bundle)
    assert report["uid"] == [1000] * 3
    assert report["gid"] == [1001] * 3
    assert sorted(report["groups"]) == [5, 77]


def test_groups_of_the_caller_are_dropped(box: Box) -> None:
    assert box.report(box.bundle())["groups"] in ([], [0])


def test_umask(box: Box) -> None:
    bundle = box.bundle()
    bundle.process["user"]["umask"] = 0o027
    report = box.report(bundle, "create:/tmp")
    assert report["umask"] == 0o027
    assert report["actions"]["create:/tmp"]["mode"] == 0o640


def test_working_directory(box: Box) -> None:
    bundle = box.bundle()
    bundle.process["cwd"] = "/home/user"
    assert box.report(bundle)["cwd"] == "/home/user"


def test_relative_working_directory_is_refused(box: Box) -> None:
    bundle = box.bundle()
    bundle.process["cwd"] = "tmp"
    box.try_create(bundle).failed()


def test_environment_is_exactly_the_given_one(box: Box) -> None:
    bundle = box.bundle()
    bundle.process["env"] = ["PATH=/bin", "HOME=/x", "A=", "B=a=b", "C=two words", "Ü=ä"]
    env = box.report(bundle)["env"]
    assert sorted(entry.encode("latin-1").decode() for entry in env) == sorted(bundle.process["env"])


@pytest.mark.parametrize(("uid", "home"), [(0, "/root"), (1000, "/home/user"), (4321, "/")])
def test_home_comes_from_passwd(box: Box, uid: int, home: str) -> None:
    bundle = box.bundle()
    bundle.process["env"] = ["PATH=/bin"]
    bundle.process["user"] = {"uid": uid, "gid": uid}
    assert f"HOME={home}" in box.report(bundle)["env"]


def test_home_is_found_where_few_files_may_be_open(box: Box) -> None:
    """The limit is the program's: the init has opened what it needs, here and in exec."""
    peer_differs(box, crun="opens files of its own below the limit")
    bundle = box.bundle("/bin/sleep", "100")
    (bundle.rootfs / "etc/passwd").write_text("root:x:0:0::/home/of/root:/bin/sh\n")
    bundle.process["env"] = ["PATH=/bin"]
    bundle.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 8, "hard": 8}]
    container = box.started(bundle)
    assert b"HOME=/home/of/root" in Path(f"/proc/{container.pid}/environ").read_bytes().split(b"\0")
    assert container.exec("/bin/sh", "-c", "ulimit -n; echo $HOME").ok().out.split() == ["8", "/home/of/root"]


def test_last_of_two_variables_wins(box: Box) -> None:
    bundle = box.bundle("/bin/sh", "-c", "echo $A")
    bundle.process["env"] = ["PATH=/bin", "A=1", "A=2"]
    assert box.run(bundle).ok().out == "2\n"


def test_program_is_looked_up_in_the_container_path(box: Box) -> None:
    bundle = box.bundle("own", "x")
    (bundle.rootfs / "opt").mkdir()
    (bundle.rootfs / "opt/own").write_text("#!/bin/sh\necho own $0 $1\n")
    (bundle.rootfs / "opt/own").chmod(0o755)
    bundle.process["env"] = ["PATH=/nowhere:/bin:/opt"]
    assert box.run(bundle).ok().out == "own /opt/own x\n"


def test_program_name_is_argument_zero(box: Box) -> None:
    bundle = box.bundle("probe")
    assert box.run(bundle).ok().json()["argv0"] == "probe"


LOOKUPS = [
    (["/nonexist"], "no such file or directory"),
    (["nonexist"], "executable file not found in $PATH"),
    (["/etc/passwd"], "permission denied"),
    (["/etc"], "permission denied"),
    (["./nonexist"], "no such file or directory"),
]


@pytest.mark.parametrize(("args", "text"), LOOKUPS)
def test_a_program_that_cannot_be_run(box: Box, args: list[str], text: str) -> None:
    if args == ["/etc"]:
        peer_differs(box, runc="says is a directory", crun="has its own words")
    else:
        peer_differs(box, crun="has its own words")
    box.try_create(box.bundle(*args)).failed(text, args[0])


def test_rlimits(box: Box) -> None:
    bundle = box.bundle()
    wanted = {
        "NOFILE": [100, 200],
        "CORE": [0, 0],
        "STACK": [1 << 20, 8 << 20],
        "NPROC": [500, 600],
        "FSIZE": [1 << 30, 1 << 31],
    }
    bundle.process["rlimits"] = [
        {"type": f"RLIMIT_{name}", "soft": soft, "hard": hard} for name, (soft, hard) in wanted.items()
    ]
    limits = box.report(bundle)["rlimits"]
    assert {name: limits[name] for name in wanted} == wanted


def test_unlimited_rlimit(box: Box) -> None:
    bundle = box.bundle()
    bundle.process["rlimits"] = [{"type": "RLIMIT_CPU", "soft": 2**64 - 1, "hard": 2**64 - 1}]
    assert box.report(bundle)["rlimits"]["CPU"] == [-1, -1]


def test_rlimit_above_the_hard_limit_names_the_kernel_reason(box: Box) -> None:
    if resource.getrlimit(resource.RLIMIT_NOFILE)[1] > 30000 or can_raise_limits():
        pytest.skip("needs a machine without CAP_SYS_RESOURCE")
    bundle = box.bundle()
    bundle.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 1048576, "hard": 1048576}]
    box.try_create(bundle).failed("operation not permitted", "rlimit")


def can_raise_limits() -> bool:
    with open("/proc/self/status") as status:
        bits = next(line.split()[1] for line in status if line.startswith("CapEff"))
    return bool(int(bits, 16) >> 24 & 1)


@pytest.mark.parametrize("broken", ["unknown", "twice"])
def test_bad_rlimits_are_refused(box: Box, broken: str) -> None:
    entry = {"type": "RLIMIT_NOFILE", "soft": 10, "hard": 20}
    bundle = box.bundle()
    bundle.process["rlimits"] = [{**entry, "type": "RLIMIT_BOGUS"}] if broken == "unknown" else [entry, entry]
    if broken == "twice":
        peer_differs(box, runc="does not look", crun="does not look")
    box.try_create(bundle).failed()


def test_capability_sets(box: Box) -> None:
    bundle = box.bundle()
    bundle.process["capabilities"] = {
        "bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
        "permitted": ["CAP_CHOWN", "CAP_KILL"],
        "inheritable": ["CAP_KILL"],
        "effective": ["CAP_CHOWN"],
        "ambient": [],
    }
    bundle.process["user"] = {"uid": 0, "gid": 0}
    bundle.process["noNewPrivileges"] = True
    status = box.report(bundle)["status"]
    assert status["CapBnd"] == mask("CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE")
    assert status["CapInh"] == mask("CAP_KILL")
    assert status["CapAmb"] == mask()


def test_ambient_capabilities_reach_an_ordinary_user(box: Box) -> None:
    names = ["CAP_NET_BIND_SERVICE", "CAP_KILL"]
    bundle = box.bundle()
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    bundle.process["capabilities"] = dict.fromkeys(("bounding", "permitted", "inheritable", "effective", "ambient"), names)
    status = box.report(bundle)["status"]
    assert {status[key] for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {mask(*names)}


def test_no_ambient_no_capability_for_an_ordinary_user(box: Box) -> None:
    bundle = box.bundle()
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    status = box.report(bundle)["status"]
    assert {status[key] for key in ("CapInh", "CapPrm", "CapEff", "CapAmb")} == {mask()}


def test_absent_capabilities_are_all_dropped(box: Box) -> None:
    bundle = box.bundle()
    del bundle.process["capabilities"]
    status = box.report(bundle)["status"]
    assert {status[key] for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {mask()}


def test_an_unknown_capability_is_only_a_warning(box: Box) -> None:
    bundle = box.bundle()
    bundle.process["capabilities"] = {"bounding": ["CAP_CHOWN", "CAP_NEVER_HEARD_OF"]}
    assert box.report(bundle)["status"]["CapBnd"] == mask("CAP_CHOWN")


@pytest.mark.parametrize("value", [True, False])
def test_no_new_privileges(box: Box, value: bool) -> None:
    bundle = box.bundle()
    bundle.process["noNewPrivileges"] = value
    assert box.report(bundle)["no_new_privs"] == int(value)


@pytest.mark.parametrize("value", [0, 500])
def test_oom_score_adj(box: Box, value: int) -> None:
    bundle = box.bundle()
    bundle.process["oomScoreAdj"] = value
    assert box.report(bundle)["oom_score_adj"] == [str(value)]


def test_oom_score_adj_absent_is_inherited(box: Box) -> None:
    with open("/proc/self/oom_score_adj") as file:
        assert box.report(box.bundle())["oom_score_adj"] == [file.read().strip()]


def test_session_and_signals_are_clean(box: Box) -> None:
    report = box.report(box.bundle())
    assert report["sid"] == report["pgid"] == report["pid"] == 1
    assert int(report["status"]["SigBlk"], 16) == 0
    assert int(report["status"]["SigIgn"], 16) == 0
    assert report["pdeathsig"] == 0
    assert report["subreaper"] == 0
    assert report["dumpable"] == 1


def test_ignored_signals_of_the_caller_are_reset(box: Box) -> None:
    old = signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    try:
        assert int(box.report(box.bundle())["status"]["SigIgn"], 16) & 1 << signal.SIGUSR2 - 1 == 0
    finally:
        signal.signal(signal.SIGUSR2, old)


def test_affinity_of_the_caller_is_not_inherited(box: Box) -> None:
    everything = os.sched_getaffinity(0)
    if len(everything) < 2:
        pytest.skip("needs two CPUs")
    os.sched_setaffinity(0, {min(everything)})
    try:
        peer_differs(box, runc="1.1 inherits it", crun="1.8 inherits it")
        allowed = box.report(box.bundle())["status"]["Cpus_allowed_list"]
    finally:
        os.sched_setaffinity(0, everything)
    assert allowed != str(min(everything))


@pytest.mark.parametrize("code", [0, 1, 3, 127, 255])
def test_exit_code(box: Box, code: int) -> None:
    assert box.run(box.bundle("/bin/sh", "-c", f"exit {code}")).rc == code


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGABRT, signal.SIGHUP])
def test_death_by_signal(box: Box, number: int) -> None:
    container = box.started(box.bundle("/bin/sleep", "100"))
    container.kill(str(int(number))).ok()
    if number != signal.SIGKILL:
        assert container.status == "running"  # pid 1 ignores what it does not handle
        container.kill("KILL").ok()
    assert container.wait() == 137


def run_script(box: Box, script: str) -> tuple[subprocess.Popen[bytes], Path]:
    """A shell script under `run`, once it said "up", and the file that takes its output."""
    bundle = box.bundle("/bin/sh", "-c", script)
    name = box.name()
    box.place(bundle, name)
    path = box.directory / "output"
    with path.open("wb") as out:
        process = box.popen("run", "--bundle", str(bundle.directory), name, stdout=out)
    wait_until(lambda: "up" in path.read_text(), what="the program")
    return process, path


def test_run_forwards_signals(box: Box) -> None:
    process, output = run_script(
        box, "trap 'echo got; exit 5' TERM; echo up; while :; do sleep 0.02; done"
    )
    process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE) == 5
    assert output.read_text() == "up\ngot\n"


def test_run_keeps_the_size_of_its_terminal_to_itself(box: Box) -> None:
    """SIGWINCH comes with every change of the window; web servers take it for an order to end."""
    script = "trap 'echo resized' WINCH; trap 'exit 5' TERM; echo up; while :; do sleep 0.02; done"
    process, output = run_script(box, script)
    for number in (signal.SIGWINCH, signal.SIGTERM):
        process.send_signal(number)
    assert process.wait(DEADLINE) == 5
    assert output.read_text() == "up\n"


def test_standard_streams_are_passed_on(box: Box) -> None:
    result = box.run(box.bundle("/bin/sh", "-c", "cat; echo err >&2; exit 2"), input=b"in\n")
    assert (result.rc, result.out) == (2, "in\n")
    assert "err\n" in result.err


def test_closed_standard_input(box: Box) -> None:
    container = box.create(box.bundle("/bin/sh", "-c", "exit 4"), preexec_fn=lambda: os.close(0))
    container.start()
    assert container.wait() == 4


def test_run_reads_standard_input_to_the_end(box: Box) -> None:
    data = b"x" * 300000
    result = box.run(box.bundle("/bin/sh", "-c", "wc -c"), input=data)
    assert result.ok().out.strip() == "300000"


def test_preserved_descriptors(box: Box) -> None:
    (box.directory / "given").write_text("through\n")
    bundle = box.bundle("/bin/sh", "-c", "read line <&4; echo $line; ls /proc/self/fd")
    name = box.name()
    box.place(bundle, name)
    command = [
        *box.runtime.command,
        "--root",
        str(box.root),
        "run",
        "--preserve-fds",
        "2",
        "--bundle",
        str(bundle.directory),
        name,
    ]
    shell = f'exec 3</dev/null 4<{box.directory}/given 5</dev/zero; exec "$@"'
    done = subprocess.run(
        ["/bin/bash", "-c", shell, "sh", *command], capture_output=True, text=True, timeout=DEADLINE
    )
    assert done.returncode == 0, done.stderr
    first, *fds = done.stdout.split()
    assert first == "through"
    assert set(fds) - {"0", "1", "2"} <= {"3", "4", "5"}  # 5 is the folder that ls reads
    assert {"3", "4"} <= set(fds)


def test_hundreds_of_descriptors_are_preserved(box: Box) -> None:
    bundle, name, last = box.bundle("/bin/sh", "-c", "ls /proc/self/fd"), box.name(), 302
    box.place(bundle, name)

    def open_all() -> None:
        for number in range(3, last + 1):
            os.dup2(0, number)

    result = box.call(
        "run", "--preserve-fds", str(last - 2), "--bundle", str(bundle.directory), name,
        preexec_fn=open_all, close_fds=False,
    )  # fmt: skip
    assert set(map(str, range(last + 1))) <= set(result.ok().out.split())


def test_session_keyring(box: Box) -> None:
    name = box.name()
    report = box.run(box.bundle().probe(), name=name).ok().json()
    assert report["session_keyring"].endswith(f"_ses.{name}")


@pytest.mark.parametrize("field", ["scheduler", "ioPriority"])
def test_scheduling(box: Box, field: str) -> None:
    bundle = box.bundle()
    if field == "scheduler":
        bundle.process["scheduler"] = {"policy": "SCHED_BATCH", "nice": 7}
    else:
        bundle.process["ioPriority"] = {"class": "IOPRIO_CLASS_BE", "priority": 6}
    peer_differs(box, runc="1.1 does not know it", crun="1.8 knows only the scheduler")
    report = box.report(bundle)
    if field == "scheduler":
        assert (report["scheduler"], report["nice"]) == (3, 7)
    else:
        assert report["io_priority"] == (2 << 13) | 6


def seccomp(*rules: dict[str, Any], default: str = "SCMP_ACT_ALLOW") -> dict[str, Any]:
    return {"defaultAction": default, "syscalls": list(rules)}


@pytest.mark.parametrize("privileged", [True, False])
def test_seccomp(box: Box, privileged: bool) -> None:
    bundle = box.bundle()
    bundle.process["noNewPrivileges"] = not privileged
    bundle.linux["seccomp"] = seccomp({"names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38})
    report = box.report(bundle, "syscall:140")
    assert report["status"]["Seccomp"] == "2"
    assert report["no_new_privs"] == int(not privileged)
    assert report["actions"]["syscall:140"] == "ENOSYS"
    assert report["status"]["CapEff"] != mask()


def test_seccomp_errno_value_of_another_action_is_refused(box: Box) -> None:
    bundle = box.bundle()
    bundle.linux["seccomp"] = seccomp({"names": ["getpriority"], "action": "SCMP_ACT_KILL", "errnoRet": 38})
    peer_differs(box, runc="does not look")
    box.try_create(bundle).failed()


def test_process_is_mandatory_for_start_only(box: Box) -> None:
    bundle = box.bundle()
    del bundle.config["process"]
    peer_differs(box, runc="wants it at create", crun="crashes")
    container = box.create(bundle)
    container.call("start").failed("process")
    assert container.status == "created"


@pytest.mark.parametrize(("default", "number"), [("SCMP_ACT_ERRNO", signal.SIGILL), ("SCMP_ACT_KILL_PROCESS", signal.SIGSYS)])
def test_a_filter_that_allows_nothing(box: Box, default: str, number: int) -> None:
    """Not even exit_group(2): the init ends all the same, nobody waits for it for ever."""
    only_ours(box, "it is about our init")
    bundle = box.bundle()
    bundle.linux["seccomp"] = seccomp(default=default)
    result = box.try_create(bundle).failed(f"killed by signal {number:d}")
    assert "seccomp" in result.log[-1]["hint"]


@pytest.mark.parametrize(
    ("more", "end"),
    [
        ((), "ended with status 1"),
        (("close",), "ended with status 1"),
        (("exit_group",), "killed by signal 4"),
    ],
)
def test_a_filter_that_forbids_write(box: Box, more: tuple[str, ...], end: str) -> None:
    """The init cannot say that it waits for its start: it ends instead, and nobody waits for it."""
    only_ours(box, "it is about our init")
    bundle = box.bundle()
    bundle.linux["seccomp"] = seccomp({"names": ["write", *more], "action": "SCMP_ACT_ERRNO"})
    result = box.try_create(bundle).failed(end)
    assert "seccomp" in result.log[-1]["hint"]
