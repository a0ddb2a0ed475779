"""Operations on identity, capabilities, scheduling and seccomp (csrc/op_process.c, op_capabilities.c)."""

from __future__ import annotations

import array
import ctypes
import errno
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from pyrunc.execute import conversation
from pyrunc.execute.conversation import parse_message
from pyrunc.execute.seccomp import compile_filter
from pyrunc.linux import (
    MPOL_BIND,
    PER_LINUX32,
    SCHED_BATCH,
    SCHED_FLAG_UTIL_CLAMP_MAX,
    SCHED_FLAG_UTIL_CLAMP_MIN,
    SECCOMP_RET_USER_NOTIF,
)
from pyrunc.plan import ops
from pyrunc.plan.ops import Op, Slot
from tests.native.init_process import (
    CHECKOUT,
    InitError,
    InitProcess,
    error_of,
    in_root,
    looking_at,
    wait_gone,
)
from tests.processes import DEADLINE

ALL = (1 << 41) - 1
CHOWN, KILL, SETPCAP, UNKNOWN = 1 << 0, 1 << 5, 1 << 8, 1 << 62
FULL = int(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines()
                if line.startswith("CapPrm")), 16)  # fmt: skip
full = pytest.mark.skipif(FULL.bit_count() < 30, reason="needs the full set of capabilities")


def after(*operations: Op) -> list[Op]:
    return [*operations, ops.signal("look"), ops.wait("end")]


def capabilities(init: InitProcess) -> dict[str, int]:
    return {key: int(init.status(f"Cap{key}"), 16) for key in ("Inh", "Prm", "Eff", "Bnd", "Amb")}


# --- scheduling and memory ---


def test_set_personality() -> None:
    with looking_at(after(ops.set_personality(PER_LINUX32))) as init:
        assert int(Path(f"/proc/{init.pid}/personality").read_text(), 16) == PER_LINUX32


def test_set_scheduler() -> None:
    with looking_at(after(ops.set_scheduler(SCHED_BATCH, 5, 0, 0, 0, 0, 0))) as init:
        assert os.sched_getscheduler(init.pid) == SCHED_BATCH
        assert os.getpriority(os.PRIO_PROCESS, init.pid) == 5
    assert error_of([ops.set_scheduler(99, 0, 0, 0, 0, 0, 0)]).errno == errno.EINVAL


@pytest.mark.parametrize("flag", [SCHED_FLAG_UTIL_CLAMP_MIN, SCHED_FLAG_UTIL_CLAMP_MAX])
def test_scheduler_flags_of_utilization(flag: int) -> None:
    """The kernel clamps or says that it cannot (CONFIG_UCLAMP_TASK), not that the structure is too short."""
    try:
        with looking_at(after(ops.set_scheduler(SCHED_BATCH, 5, 0, flag, 0, 0, 0))) as init:
            assert os.sched_getscheduler(init.pid) == SCHED_BATCH
    except InitError as error:
        assert error.errno == errno.EOPNOTSUPP


def test_set_io_priority() -> None:
    with looking_at(after(ops.setsid(), ops.set_io_priority(2, 6))) as init:
        libc = ctypes.CDLL(None, use_errno=True)
        if os.uname().machine == "x86_64":
            assert libc.syscall(252, 1, init.pid) == 2 << 13 | 6


def test_set_memory_policy() -> None:
    if not os.path.exists("/proc/self/numa_maps"):
        assert error_of([ops.set_memory_policy(MPOL_BIND, b"\1")]).errno == errno.ENOSYS
        return
    with looking_at(after(ops.set_memory_policy(MPOL_BIND, b"\1"))) as init:
        assert "bind:0" in Path(f"/proc/{init.pid}/numa_maps").read_text()
    assert error_of([ops.set_memory_policy(MPOL_BIND, b"")]).errno == errno.EINVAL


def test_set_affinity() -> None:
    with looking_at(after(ops.set_affinity(b"\1"))) as init:
        assert os.sched_getaffinity(init.pid) == {0}


# --- where and who ---


def test_change_directory(root: Path) -> None:
    (root / "tmp" / "here").mkdir()
    with looking_at(in_root(root, ops.pivot_root(), ops.change_directory("/tmp/here"), swap=False)) as init:
        assert os.readlink(f"/proc/{init.pid}/cwd") == "/tmp/here"
    error = error_of(in_root(root, ops.pivot_root(), ops.change_directory("/gone"), swap=False))
    assert (error.op, error.errno) == ("change_directory", errno.ENOENT)


def test_change_directory_outside_the_root(root: Path) -> None:
    """CVE-2024-21626: a descriptor of a host directory as the working directory."""
    outside = os.open("/usr", os.O_RDONLY)
    proc = Slot("proc")
    operations = in_root(
        root, ops.new_mount(proc, "proc", "proc", [], 0), ops.move_mount(proc, "/proc", 0, 0), ops.pivot_root(),
        ops.change_directory(f"/proc/self/fd/{outside}"), swap=False,
    )  # fmt: skip
    with pytest.raises(InitError) as caught, looking_at(operations, {"leak": outside}):
        pass
    os.close(outside)
    assert (caught.value.op, caught.value.errno) == ("change_directory", errno.EPERM)
    assert "outside" in caught.value.text


def test_set_groups() -> None:
    with looking_at(after(ops.set_groups("7 5 4294967294"))) as init:
        assert init.status("Groups").split() == ["5", "7", "4294967294"]
    with looking_at(after(ops.set_groups("5"), ops.set_groups(""))) as init:
        assert init.status("Groups") == ""


@pytest.mark.parametrize("groups", ["x", "1 x", "1  2", "1 ", " 1", "-1", "4294967295", "99999999999999999999", "1,2"])
def test_set_groups_is_strict(groups: str) -> None:
    assert error_of([ops.set_groups(groups)]).errno == errno.EINVAL


def test_set_groups_without_permission() -> None:
    unprivileged = ops.set_capabilities(0, 0, 0)
    with looking_at(after(unprivileged, ops.set_groups(""))):
        pass
    assert error_of([unprivileged, ops.set_groups("1")]).errno == errno.EPERM


@full
def test_set_user_keeps_permitted_capabilities() -> None:
    with looking_at(after(ops.set_user(1000, 1001))) as init:
        assert init.status("Uid").split() == ["1000"] * 4
        assert init.status("Gid").split() == ["1001"] * 4
        assert capabilities(init)["Prm"] == FULL
        assert capabilities(init)["Eff"] == 0


@full
def test_set_user_keeps_the_parent_death_signal() -> None:
    """The parent is killed, but the other end of the socket stays open: the signal must end the process."""
    code = (
        "import os, socket, sys; from pyrunc.plan import ops; from tests.native.init_process import looking_at\n"
        "init = looking_at([ops.set_parent_death_signal(9), ops.set_user(1000, 1000), ops.signal('look'),"
        " ops.wait('end')])\n"
        "peer = socket.socket(fileno=int(sys.argv[1]))\n"
        "socket.send_fds(peer, [str(init.pid).encode()], [init.socket.fileno()])\n"
        "os.kill(os.getpid(), 9)\n"
    )
    ours, peer = socket.socketpair()
    command = [sys.executable, "-c", code, str(peer.fileno())]
    subprocess.run(command, cwd=CHECKOUT, pass_fds=[peer.fileno()], check=False)
    text, descriptors, _, _ = socket.recv_fds(ours, 100, 1)
    try:
        wait_gone(int(text))
    finally:
        for fd in (ours.detach(), peer.detach(), *descriptors):
            os.close(fd)


# --- capabilities ---


@full
def test_capabilities() -> None:
    operations = after(
        ops.drop_bounding(CHOWN | KILL), ops.set_user(1000, 1000), ops.set_capabilities(CHOWN, CHOWN | KILL, KILL),
        ops.set_ambient(KILL),
    )  # fmt: skip
    with looking_at(operations) as init:
        assert capabilities(init) == {"Inh": KILL, "Prm": CHOWN | KILL, "Eff": CHOWN, "Bnd": CHOWN | KILL, "Amb": KILL}
        assert init.warnings == []


@full
def test_capabilities_that_cannot_be_granted_are_warnings() -> None:
    operations = after(
        ops.drop_bounding(ALL | UNKNOWN), ops.set_capabilities(CHOWN, CHOWN, 0),
        ops.set_capabilities(CHOWN | KILL, CHOWN | UNKNOWN, KILL), ops.set_ambient(CHOWN | UNKNOWN),
    )  # fmt: skip
    with looking_at(operations) as init:
        assert capabilities(init)["Prm"] == capabilities(init)["Eff"] == CHOWN
        assert [(warning.error, int(warning.text, 16)) for warning in init.warnings] == [
            (errno.EPERM, ALL & ~FULL | UNKNOWN), (errno.EPERM, KILL), (errno.EPERM, CHOWN),
        ]  # fmt: skip


@full
def test_drop_bounding_without_permission() -> None:
    assert error_of([ops.set_capabilities(0, 0, 0), ops.drop_bounding(0)]).errno == errno.EPERM
    with looking_at(after(ops.set_capabilities(0, 0, 0), ops.drop_bounding(ALL))):
        pass


# --- restrictions ---


def test_set_no_new_privs() -> None:
    with looking_at(after(ops.set_no_new_privs())) as init:
        assert init.status("NoNewPrivs") == "1"


def test_set_label_reports_the_kernels_answer() -> None:
    """Without an LSM the kernel refuses; which way is its affair."""
    proc = Slot("proc")
    error = error_of([ops.open_proc(proc), ops.set_label(proc, "exec", "no such profile")])
    assert error.op == "set_label"
    assert error.errno in (errno.EINVAL, errno.ENOENT, errno.EACCES)
    long = error_of([ops.open_proc(proc), ops.set_label(proc, "x" * 80, "y")])
    assert long.errno == errno.ENAMETOOLONG


def filter_of(action: str, *names: str) -> bytes:
    return compile_filter({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": list(names), "action": action}]})


def test_load_seccomp() -> None:
    deny = filter_of("SCMP_ACT_ERRNO", "umask", "chdir")
    with looking_at(after(ops.load_seccomp(deny, 0, 0))) as init:
        assert init.status("Seccomp") == "2"
    error = error_of([ops.load_seccomp(deny, 4, 0), ops.change_directory("/")])
    assert (error.op, error.errno) == ("change_directory", errno.EPERM)
    assert error_of([ops.load_seccomp(b"1234", 0, 0)]).errno == errno.EINVAL
    assert error_of([ops.load_seccomp(b"", 0, 0)]).errno == errno.EINVAL


def test_load_seccomp_hands_over_the_listener() -> None:
    program = filter_of("SCMP_ACT_NOTIFY", "chdir")
    assert SECCOMP_RET_USER_NOTIF.to_bytes(4, "little") in program
    init = InitProcess([ops.load_seccomp(program, 0, 1), ops.signal("loaded"), ops.wait("end")])
    with init:
        data, ancillary, _, _ = init.socket.recvmsg(4096, socket.CMSG_LEN(4))
        message = parse_message(data)
        assert (message.kind, message.value) == (conversation.FD, conversation.NO_OP)
        (fd,) = array.array("i", ancillary[0][2])
        assert os.readlink(f"/proc/self/fd/{fd}") == "anon_inode:seccomp notify"
        assert init.status("Seccomp") == "2"
        init.signal("listener sent")
        init.until("loaded")
        os.close(fd)


def test_the_process_dies_with_its_runtime() -> None:
    """Not one of these operations outlives the other end of the socket."""
    init = looking_at(after(ops.set_user(1000, 1000)))
    init.socket.close()
    assert init.process.wait(DEADLINE) in (1, -signal.SIGKILL)
