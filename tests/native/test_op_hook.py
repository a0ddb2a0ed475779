"""Hooks inside the container's namespaces (csrc/op_hook.c)."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from pyrunc.execute.seccomp import compile_filter
from pyrunc.plan import ops
from pyrunc.plan.ops import Op
from tests.native.init_process import InitError, InitProcess, error_of, looking_at, wait_gone
from tests.processes import DEADLINE

PATH = "PATH=/usr/bin:/bin"
SHORT, LONG = int(DEADLINE * 1000 / 30), int(DEADLINE * 1000)  # ms; a shell starts within the short time


def shell(text: str, timeout: int = 0, state: str = "{}", env: tuple[str, ...] = (PATH,)) -> Op:
    return ops.run_hook("/bin/sh", ["sh", "-c", text], list(env), timeout, state)


def carry_out(*operations: Op) -> InitProcess:
    return looking_at([*operations, ops.signal("look"), ops.wait("end")])


def test_state_arguments_environment(tmp_path: Path) -> None:
    out = tmp_path / "out"
    text = f'cat > {out}; printf "|%s" "$0" "$@" "$A" >> {out}; env | wc -l >> {out}'
    hook = ops.run_hook("/bin/sh", ["sh", "-c", text, "zero", "", "b c"], [PATH, "A=x y"], 0, '{"pid":@PID@,"a":"@PID@"}')
    with carry_out(hook) as init:  # the second may be the user's text
        assert out.read_text() == f'{{"pid":{init.pid},"a":"@PID@"}}|zero||b c|x y3\n'


def test_args_may_be_empty(tmp_path: Path) -> None:
    program = tmp_path / "hook"
    program.write_text(f'#!/bin/sh\ntr "\\0" "|" < /proc/$$/cmdline > {tmp_path}/out')
    program.chmod(0o755)
    with carry_out(ops.run_hook(str(program), [], [PATH], 0, "")):
        assert (tmp_path / "out").read_text() == f"/bin/sh|{program}|"


def test_the_whole_of_a_long_state(tmp_path: Path) -> None:
    state = "x" * 300000
    with carry_out(shell(f"sleep 0.05; cat > {tmp_path}/out", state=state)):
        assert (tmp_path / "out").read_text() == state


@pytest.mark.parametrize("text", ["exit 0", "exec <&-; sleep 0.02", "head -c 1 >/dev/null"])
def test_a_hook_need_not_read(text: str) -> None:
    with carry_out(shell(text, state="x" * 65000)) as init:
        assert init.status("SigIgn") == "0" * 16  # SIGPIPE is as it was


@pytest.mark.parametrize(
    ("text", "detail"), [("exit 3", "exit status 3"), ("kill -TERM $$", "killed by signal 15"), ("exit 255", "exit status 255")]
)
def test_a_failing_hook(text: str, detail: str) -> None:
    error = error_of([shell(text, timeout=LONG)])
    assert (error.op, error.errno, error.text) == ("run_hook", errno.ECANCELED, detail)


@pytest.mark.parametrize(("path", "number"), [("/nowhere", errno.ENOENT), ("/etc/passwd", errno.EACCES)])
def test_a_hook_that_cannot_be_started(path: str, number: int) -> None:
    error = error_of([ops.run_hook(path, ["x"], [], 0, "{}")])
    assert (error.op, error.errno, error.text) == ("run_hook", number, "it cannot be started")


def test_timeout_kills_the_hook_and_its_children(tmp_path: Path) -> None:
    begun = time.monotonic()
    text = f"sleep 1000 & echo $! $$ > {tmp_path}/pids; while :; do sleep 1000; done"
    with InitProcess([shell(text, timeout=SHORT), ops.signal("look")]) as init, pytest.raises(InitError) as caught:
        init.until("look")
    assert SHORT / 1000 <= time.monotonic() - begun < DEADLINE
    assert (caught.value.op, caught.value.errno) == ("run_hook", errno.ETIMEDOUT)
    for pid in (tmp_path / "pids").read_text().split():
        wait_gone(int(pid))


def test_a_hook_within_its_time(tmp_path: Path) -> None:
    with carry_out(shell("sleep 0.05", timeout=LONG)) as init:
        assert not Path(f"/proc/{init.pid}/task/{init.pid}/children").read_text()


def test_a_hook_inherits_stdio_only(tmp_path: Path) -> None:
    leak = os.open("/", os.O_RDONLY)
    os.set_inheritable(leak, True)
    operations = [shell(f"exec ls /proc/self/fd > {tmp_path}/out"), ops.signal("look"), ops.wait("end")]
    with looking_at(operations, {"leak": leak}):
        assert (tmp_path / "out").read_text().split() == ["0", "1", "2", "3"]
    os.close(leak)


def test_a_hook_dies_with_the_container(tmp_path: Path) -> None:
    """And the container with its runtime, while a hook without a timeout runs."""
    os.mkfifo(tmp_path / "fifo")
    init = InitProcess([ops.set_parent_death_signal(9), shell(f"echo $$ > {tmp_path}/fifo; exec sleep 1000")])
    pid = int((tmp_path / "fifo").read_text())
    init.process.kill()
    init.__exit__()
    wait_gone(pid)


def test_several_hooks_in_a_row(tmp_path: Path) -> None:
    with carry_out(*(shell(f"echo {number} >> {tmp_path}/out", state="{}" * number) for number in range(9))) as init:
        assert (tmp_path / "out").read_text().split() == [str(number) for number in range(9)]
        assert {os.readlink(f"/proc/{init.pid}/fd/{fd}")[:4] for fd in os.listdir(f"/proc/{init.pid}/fd")} <= {
            "/dev", "pipe", "sock", "/tmp", "/pro", "/wor",
        }  # fmt: skip
        assert len(os.listdir(f"/proc/{init.pid}/fd")) == 4


def test_behind_a_filter_that_refuses_clone3(tmp_path: Path) -> None:
    """As Docker's profile does."""
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38}]}  # fmt: skip
    with carry_out(ops.load_seccomp(compile_filter(profile), 0, 0), shell(f"echo > {tmp_path}/out")):
        assert (tmp_path / "out").exists()
