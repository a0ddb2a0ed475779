"""Operations on the process and its namespaces (csrc/op_namespace.c)."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from pathlib import Path

import pytest

from pyrunc.execute import conversation
from pyrunc.plan import ops
from pyrunc.plan.ops import Op, Slot
from tests.native.init_process import (
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWPID,
    CLONE_NEWTIME,
    CLONE_NEWUTS,
    InitProcess,
    error_of,
    looking_at,
    mapped,
    own_user_namespace,
)
from tests.processes import DEADLINE


def after(*operations: Op) -> list[Op]:
    return [*operations, ops.signal("look"), ops.wait("end")]


def test_set_umask() -> None:
    with looking_at(after(ops.set_umask(0o27))) as init:
        assert init.status("Umask") == "0027"


@pytest.mark.parametrize("value", [1, 0])
def test_set_dumpable(value: int) -> None:
    """An undumpable process may not be looked into by others of its user: its /proc files are root's."""
    with looking_at(after(ops.set_user(1000, 1000), ops.set_dumpable(1), ops.set_dumpable(value))) as init:
        assert os.stat(f"/proc/{init.pid}/mem").st_uid == (1000 if value else 0)


def test_setsid() -> None:
    with looking_at(after(ops.setsid())) as init:
        assert os.getsid(init.pid) == init.pid


def test_reset_signals() -> None:
    old = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
    try:
        with looking_at(after(ops.reset_signals())) as init:
            assert int(init.status("SigIgn"), 16) == 0
            assert int(init.status("SigBlk"), 16) == 0
    finally:
        signal.signal(signal.SIGUSR1, old)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def test_reset_affinity() -> None:
    everything = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(everything)})
    try:
        with looking_at(after(ops.reset_affinity())) as init:
            assert os.sched_getaffinity(init.pid) >= everything
            assert not init.warnings
    finally:
        os.sched_setaffinity(0, everything)


def test_new_session_keyring() -> None:
    with looking_at(after(ops.new_session_keyring("_test"))):
        pass


def test_parent_death_signal_of_a_parent_that_lives_is_no_error() -> None:
    with looking_at(after(ops.set_parent_death_signal(9))):
        pass


def test_clone_init_is_our_child_and_announced_first() -> None:
    plan = after(ops.unshare(CLONE_NEWPID), ops.clone_init(0), ops.set_parent_death_signal(9))
    with InitProcess(plan) as init:
        first = init.receive()
        assert first is not None and first.kind == conversation.PID
        assert init.process.wait(DEADLINE) == 0
        init.until("look")
        assert init.status("PPid") == str(os.getpid())
        assert init.status("NSpid").split()[-1] == "1"


def test_clone_init_with_namespace_flags() -> None:
    with looking_at(after(ops.clone_init(CLONE_NEWIPC | CLONE_NEWUTS))) as init:
        for kind in ("ipc", "uts"):
            assert os.readlink(f"/proc/{init.pid}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}")


def test_end_of_runtime_ends_the_clone() -> None:
    plan = after(ops.unshare(CLONE_NEWPID), ops.clone_init(0))
    with looking_at(plan) as init:
        init.socket.close()
        assert os.waitpid(init.pid, 0)[1] == 1 << 8
        init.pid = init.process.pid


def test_open_namespace_and_setns() -> None:
    with looking_at(after(ops.unshare(CLONE_NEWUTS | CLONE_NEWIPC))) as other:
        source = f"/proc/{other.pid}/ns/uts"
        plan = after(
            ops.open_namespace(Slot("uts"), source, CLONE_NEWUTS), ops.setns(Slot("uts"), CLONE_NEWUTS)
        )
        with looking_at(plan) as init:
            assert os.readlink(f"/proc/{init.pid}/ns/uts") == os.readlink(source)


def test_setns_with_a_pidfd_and_several_flags() -> None:
    with looking_at(after(ops.unshare(CLONE_NEWUTS | CLONE_NEWIPC))) as other:
        pidfd = os.pidfd_open(other.pid)
        try:
            with looking_at(
                after(ops.setns(Slot("pidfd"), CLONE_NEWUTS | CLONE_NEWIPC)), {"pidfd": pidfd}
            ) as init:
                for kind in ("uts", "ipc"):
                    assert os.readlink(f"/proc/{init.pid}/ns/{kind}") == os.readlink(
                        f"/proc/{other.pid}/ns/{kind}"
                    )
        finally:
            os.close(pidfd)


@pytest.mark.parametrize(
    ("source", "number"),
    [("/proc/self/ns/ipc", errno.EINVAL), ("/etc/passwd", errno.EINVAL), ("/nowhere", errno.ENOENT)],
)
def test_open_namespace_refuses_another_kind(source: str, number: int) -> None:
    error = error_of(after(ops.open_namespace(Slot("uts"), source, CLONE_NEWUTS)))
    assert (error.op, error.errno) == ("open_namespace", number)
    assert source not in error.text  # the operation's arguments hold it


def test_setns_of_an_empty_slot() -> None:
    assert error_of(after(ops.setns(Slot("nothing"), 0))).errno == errno.EBADF


def test_become_root_in_a_mapped_user_namespace() -> None:
    with mapped(own_user_namespace(*after(ops.become_root())), "0 1000 10", "0 2000 10") as init:
        assert init.status("Uid").split() == ["1000"] * 4
        assert init.status("Gid").split() == ["2000"] * 4
        assert init.status("Groups") == ""


def test_become_root_where_setgroups_is_denied() -> None:
    plan = own_user_namespace(*after(ops.become_root()))
    with mapped(plan, "0 1000 1", "0 2000 1", setgroups="deny") as init:
        assert init.status("Uid").split() == ["1000"] * 4
        assert init.status("Gid").split() == ["2000"] * 4


def test_time_offsets() -> None:
    text = "monotonic 86400 5\nboottime 3600 0\n"
    with looking_at(
        after(ops.unshare(CLONE_NEWTIME), ops.write_timens_offsets(text), ops.clone_init(0))
    ) as init:
        rows = [line.split() for line in Path(f"/proc/{init.pid}/timens_offsets").read_text().splitlines()]
        assert rows == [["monotonic", "86400", "5"], ["boottime", "3600", "0"]]


def test_time_offsets_of_an_undumpable_process_in_a_user_namespace() -> None:
    plan = [ops.become_root(), ops.set_dumpable(0), ops.unshare(CLONE_NEWTIME)]
    plan += after(ops.write_timens_offsets("boottime 3600 0\n"), ops.clone_init(0))
    with mapped(own_user_namespace(*plan), "0 1000 1", "0 1000 1") as init:
        assert "3600" in Path(f"/proc/{init.pid}/timens_offsets").read_text()
        assert os.stat(f"/proc/{init.pid}/environ").st_uid == 0


def test_host_and_domain_name() -> None:
    plan = after(ops.unshare(CLONE_NEWUTS), ops.set_hostname("box"), ops.set_domainname("example"))
    with looking_at(plan) as init:
        command = "hostname; cat /proc/sys/kernel/domainname"
        seen = subprocess.check_output(["nsenter", "-t", str(init.pid), "-u", "sh", "-c", command], text=True)
        assert seen.split() == ["box", "example"]


def test_loopback() -> None:
    with looking_at(after(ops.unshare(CLONE_NEWNET), ops.set_loopback_up())) as init:
        assert "127.0.0.1" in Path(f"/proc/{init.pid}/net/fib_trie").read_text()
