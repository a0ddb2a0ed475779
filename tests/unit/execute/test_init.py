"""pyrunc-init as a process: plans that need no rights, ends of all kinds, nothing left."""

from __future__ import annotations

import errno
import os
import select
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from pyrunc import native
from pyrunc.cores import message_pair
from pyrunc.errors import OperationError, PyruncError
from pyrunc.execute.init import Init
from pyrunc.execute.process import read_start_time, read_stat, wait_gone
from pyrunc.execute.runtime_ops import Executor
from pyrunc.operations import Silent
from pyrunc.plan import ops
from pyrunc.plan.ops import Op
from pyrunc.plan.plan import Plan
from tests.processes import DEADLINE, alive, wait_until

BEGIN = [ops.start_init(), ops.send_plan()]
PROGRAM = [ops.find_executable("true", "/bin:/usr/bin"), ops.exec(["true"], [])]


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    before = os.listdir("/proc/self/fd")
    yield
    assert os.listdir("/proc/self/fd") == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def executor(init: list[Op], runtime: list[Op]) -> Executor:
    plan = Plan()
    plan.init, plan.runtime = init, runtime
    config: Any = {}
    return Executor(plan, config, Silent(), "", 0)


def finish(carried: Executor) -> int:
    """The program's wait status."""
    init = carried.started()
    init.reap_first()
    status = os.waitpid(init.pid, 0)[1]
    init.close()
    return status


def fail(init: list[Op], runtime: list[Op]) -> PyruncError:
    carried = executor(init, runtime)
    with pytest.raises(PyruncError) as caught:
        carried.run()
    carried.abandon()
    return caught.value


def test_program() -> None:
    carried = executor(PROGRAM, [*BEGIN, ops.wait("end")])
    carried.run()
    assert finish(carried) == 0


def test_program_that_ends_at_once_is_no_failure() -> None:
    for _ in range(20):
        carried = executor([ops.clone_init(0), *PROGRAM], [*BEGIN, ops.wait("init"), ops.wait("end")])
        carried.run()
        assert finish(carried) == 0


def test_signals_both_ways() -> None:
    init = [ops.signal("a"), ops.wait("b"), ops.clone_init(0), ops.signal("c"), *PROGRAM]
    carried = executor(init, [*BEGIN, ops.wait("a"), ops.signal("b"), ops.wait("init"), ops.wait("c"), ops.wait("end")])
    carried.run()
    assert finish(carried) == 0


def test_error() -> None:
    error = fail([ops.find_executable("nope", "/bin")], [*BEGIN, ops.wait("end")])
    assert error.text.endswith('exec: "nope": executable file not found in $PATH')


def test_error_while_the_runtime_waits_for_something_else() -> None:
    error = fail([ops.clone_init(0), ops.change_directory("/proc/nonexist")], [*BEGIN, ops.wait("init"), ops.wait("never")])
    assert "/proc/nonexist" in error.text


def killed(init: list[Op], runtime: list[Op]) -> Executor:
    """What a runtime has that carried this out, whose init was killed then."""
    carried = executor(init, runtime)
    carried.run()
    os.kill(carried.started().pid, signal.SIGKILL)
    return carried


@pytest.mark.parametrize("cloned", [False, True])
def test_kill(cloned: bool) -> None:
    """Its end ends every wait, whichever stage it is in."""
    init = [*([ops.clone_init(0)] if cloned else []), ops.signal("here"), ops.wait("never")]
    carried = killed(init, [*BEGIN, *([ops.wait("init")] if cloned else []), ops.wait("here")])
    carried.plan.runtime = [ops.wait("never said")]
    with pytest.raises(OperationError, match="killed by signal 9"):
        carried.run()
    carried.abandon()


def test_kill_before_it_becomes_the_program() -> None:
    carried = killed([ops.signal("here"), ops.wait("go"), *PROGRAM], [*BEGIN, ops.wait("here")])
    carried.plan.runtime = [ops.wait("end")]
    with pytest.raises(OperationError, match="killed by signal 9"):
        carried.run()
    carried.abandon()


def test_signal_to_a_dead_init() -> None:
    carried = killed([ops.signal("here"), ops.wait("never")], [*BEGIN, ops.wait("here")])
    wait_until(lambda: not alive(carried.started().pid), what="the end")
    carried.plan.runtime = [ops.signal("x")]
    with pytest.raises(OperationError):
        carried.run()
    carried.abandon()


def test_a_dead_runtime_ends_init() -> None:
    """The end of the socket ends it, before it is created."""
    carried = executor([ops.signal("here"), ops.wait("never")], [*BEGIN, ops.wait("here")])
    carried.run()
    init: Init = carried.started()
    init.socket.close()
    os.waitpid(init.pid, 0)
    assert read_start_time(init.pid) == 0
    os.close(init.pidfd)


def test_abandon_kills_both_stages() -> None:
    carried = executor([ops.clone_init(0), ops.signal("here"), ops.wait("never")], [*BEGIN, ops.wait("here")])
    carried.run()
    stages = (carried.started().first_pid, carried.started().pid)
    carried.abandon()
    assert [read_stat(pid)[1] for pid in stages] == [b"X", b"X"]  # reaped, too


def test_second_stage_that_never_said_who_it_is() -> None:
    """Killed with the pid namespace that it joined, it is reaped all the same: its init waits for that."""
    ours, theirs = message_pair()
    first, pidfd = native.spawn("/bin/true", [b"true"], [])
    second, second_pidfd = native.spawn("/bin/true", [b"true"], [])
    assert wait_gone(second_pidfd)
    init = Init(first, pidfd, ours, lambda message: None)
    theirs.close()
    assert wait_gone(pidfd)  # as stage 1 ends when it has cloned
    init.kill()
    init.close()
    os.close(second_pidfd)
    with pytest.raises(ChildProcessError):
        os.waitpid(second, 0)


def test_second_stage_that_cannot_be_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no more files can be opened, it is ended all the same."""
    refused = []

    def refuse(pid: int) -> int:
        refused.append(pid)
        select.select([carried.started().socket], [], [], DEADLINE)  # it says more before it is ended
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    carried = executor([ops.clone_init(0), ops.signal("here"), ops.wait("never")], [*BEGIN, ops.wait("init")])
    monkeypatch.setattr(os, "pidfd_open", refuse)
    with pytest.raises(PyruncError, match="too many open files"):
        carried.run()
    carried.abandon()
    assert read_stat(refused[0])[1] == b"X"
