"""Start pyrunc-init with a list of operations and talk to it as the runtime does."""

from __future__ import annotations

import os
import select
import socket
import subprocess
from pathlib import Path
from typing import Any

from pyrunc.execute import conversation
from pyrunc.execute.conversation import Message, parse_message, render_message
from pyrunc.plan import ops
from pyrunc.plan.ops import Op, Slot
from pyrunc.plan.plan import Plan
from pyrunc.plan.wire import encode_plan
from tests.processes import DEADLINE, alive, wait_until

CHECKOUT = Path(__file__).resolve().parents[2]
PROGRAM = CHECKOUT / "build" / "pyrunc-init"

CLONE_NEWTIME = 0x00000080
CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000
MS_REC, MS_UNBINDABLE, MS_PRIVATE, MS_SLAVE, MS_SHARED = 1 << 14, 1 << 17, 1 << 18, 1 << 19, 1 << 20
RDONLY, NOSUID, NODEV, NOEXEC = 1, 2, 4, 8


class InitError(Exception):
    """Message ERROR: the operation's name ("" before the first), errno and text."""

    def __init__(self, op: str, errno: int, text: str) -> None:
        super().__init__(f"{op}: {os.strerror(errno)}: {text}")
        self.op, self.errno, self.text = op, errno, text


class InitProcess:
    """A running pyrunc-init; leaving the context ends it.

    pid: the process that carries out the plan now (the clone after message PID).
    """

    def __init__(self, operations: list[Op], provided: dict[str, int] | None = None, **options: Any) -> None:
        self.ops = operations
        plan = Plan()
        plan.init = operations
        plan.provided = [Slot(name) for name in provided or {}]
        self.warnings: list[Message] = []
        self.traced: list[int] = []
        descriptors = [*(provided or {}).values(), *options.get("leaked", ())]
        self._start(encode_plan(plan, provided or {}, options.get("trace", False)), descriptors)
        if options.get("begin", True):
            self.signal("plan")

    @classmethod
    def of_bytes(cls, data: bytes) -> InitProcess:
        """Started with these bytes for a plan."""
        process = cls.__new__(cls)
        process.ops, process.warnings, process.traced = [], [], []
        process._start(data, [])
        return process

    def _start(self, data: bytes, descriptors: list[int]) -> None:
        self.socket, peer = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(DEADLINE)
        plan_fd = os.memfd_create("plan")
        os.write(plan_fd, data)
        self.process = subprocess.Popen(
            ["pyrunc-init", str(peer.fileno()), str(plan_fd)],
            executable=PROGRAM, env={}, pass_fds=[peer.fileno(), plan_fd, *descriptors], close_fds=True,
        )  # fmt: skip
        self.pid = self.process.pid
        peer.close()
        os.close(plan_fd)

    def __enter__(self) -> InitProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        self.process.wait(DEADLINE)
        if self.pid != self.process.pid:
            pidfd = os.pidfd_open(self.pid)
            select.select([pidfd], [], [], DEADLINE)
            os.close(pidfd)
            os.waitpid(self.pid, 0)

    def signal(self, name: str) -> None:
        """Send signal `name`."""
        self.socket.send(render_message(Message(conversation.SIGNAL, text=name)))

    def receive(self) -> Message | None:
        """The next message, None at the end; InitError for message ERROR."""
        data = self.socket.recv(65536)
        if not data:
            return None
        message = parse_message(data)
        if message.kind == conversation.ERROR:
            name = "" if message.op == conversation.NO_OP else self.ops[message.op].name
            raise InitError(name, message.error, message.text)
        if message.kind == conversation.PID:
            self.pid = message.value
        elif message.kind == conversation.WARNING:
            self.warnings.append(message)
        elif message.kind == conversation.TRACE:
            self.traced.append(message.op)
        return message

    def until(self, name: str) -> InitProcess:
        """Read messages until signal `name`."""
        while (message := self.receive()) is not None:
            if message.kind == conversation.SIGNAL and message.text == name:
                return self
        raise AssertionError(f"pyrunc-init ended before signal {name!r}")

    def status(self, key: str) -> str:
        """A line of /proc/PID/status."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith(f"{key}:"))

    def mounts(self) -> dict[str, Mount]:
        """The mounts below its root by mount point; of several the topmost."""
        lines = Path(f"/proc/{self.pid}/mountinfo").read_text().splitlines()
        return {mount.point: mount for mount in map(Mount, lines)}

    def path(self, path: str) -> Path:
        """A container path as seen from here; valid after the root swap."""
        return Path(f"/proc/{self.pid}/root{path}")


class Mount:
    """One line of mountinfo."""

    def __init__(self, line: str) -> None:
        left, right = line.split(" - ")
        fields = left.split()
        self.root, self.point = fields[3], fields[4]
        self.flags = set(fields[5].split(","))
        self.propagation = {field.split(":")[0] for field in fields[6:]}
        self.kind, self.source, options = right.split(" ", 2)
        self.options = set(options.split(","))


def in_root(root: Path, *operations: Op, swap: bool = True, flags: int = 0) -> list[Op]:
    """These operations in a mount namespace of its own whose root slot is `root`, then signal `look`."""
    return [
        ops.set_umask(0),
        ops.unshare(CLONE_NEWNS | flags),
        ops.set_propagation(MS_REC | MS_SLAVE),
        ops.open_tree(Slot("root"), str(root), 1),
        ops.attach_root(Slot("root")),
        *operations,
        *([ops.pivot_root()] if swap else []),
        ops.signal("look"),
        ops.wait("end"),
    ]


def in_user_namespace(root: Path, *operations: Op) -> list[Op]:
    """The same in a user and pid namespace of its own; `mapped` starts it."""
    return own_user_namespace(
        *(ops.become_root(), ops.clone_init(0), *in_root(root, *operations)), more=CLONE_NEWPID | CLONE_NEWNET
    )


def own_user_namespace(*operations: Op, more: int = 0) -> list[Op]:
    """Operations of a process in a user namespace of its own, whose ids `mapped` maps; more: flags of unshare."""
    return [ops.unshare(CLONE_NEWUSER | more), ops.signal("user namespace"), ops.wait("mapped"), *operations]


def mapped(
    plan: list[Op], uids: str = "0 0 1000", gids: str = "0 0 1000", setgroups: str = "allow"
) -> InitProcess:
    """Start it, map its ids (by default 1000 one to one), wait for signal `look`."""
    init = InitProcess(plan)
    try:
        init.until("user namespace")
        Path(f"/proc/{init.pid}/setgroups").write_text(setgroups)
        Path(f"/proc/{init.pid}/uid_map").write_text(f"{uids}\n")
        Path(f"/proc/{init.pid}/gid_map").write_text(f"{gids}\n")
        init.signal("mapped")
        return init.until("look")
    except BaseException:
        init.__exit__()
        raise


def looking_at(operations: list[Op], provided: dict[str, int] | None = None) -> InitProcess:
    """A process that has reached signal `look`; closed again if it fails before."""
    process = InitProcess(operations, provided)
    try:
        return process.until("look")
    except BaseException:
        process.__exit__()
        raise


def error_of(operations: list[Op]) -> InitError:
    """The error that these operations end with."""
    try:
        with looking_at(operations):
            pass
    except InitError as error:
        return error
    raise AssertionError("no error")


def wait_gone(pid: int) -> None:
    """Wait for the end of a process that is not our child."""
    wait_until(lambda: not alive(pid), what=f"the end of process {pid}")
