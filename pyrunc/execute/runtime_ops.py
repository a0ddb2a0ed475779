"""The runtime's half of a plan: one method per operation, called in order.

Here: what create and exec share (`Executor`).  What only create does, with the
record and the cgroup, is `pyrunc.execute.creation`.
"""

from __future__ import annotations

import os
from errno import EACCES, EPERM

from pyrunc import native
from pyrunc.errors import HostError, PyruncError
from pyrunc.execute.conversation import NO_OP, TRACE, Message
from pyrunc.execute.init import Init, InitEnded, InitFailed, start_init
from pyrunc.execute.process import reap
from pyrunc.plan.cgroup_entry import TASKS
from pyrunc.plan.ops import Slot
from pyrunc.plan.wire import encode_plan
from pyrunc.state.store import write_atomic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.cgroup.driver import Cgroup
    from pyrunc.operations import Log
    from pyrunc.plan.ops import Op
    from pyrunc.plan.plan import Plan
    from pyrunc.spec.types import Config


class Executor:
    """Carries out `plan.runtime` and keeps what came of it.

    init: pyrunc-init once it is started; console: the pty's primary end that
    stays here for the foreground (-1 = none).
    """

    def __init__(self, plan: Plan, config: Config, log: Log, console_socket: str, preserved: int) -> None:
        self.plan = plan
        self.config = config
        self.log = log
        self.console_socket = console_socket
        self.preserved = preserved
        self.console = -1
        self.cgroup: Cgroup | None = None
        self.init: Init | None = None
        self.joins_later = any(op.name == "join_cgroup" for op in plan.runtime)  # starts outside of it then
        self._slots = {name: number for number, name in enumerate(plan.slots())}
        self._lines: dict[tuple[str, int], str] = {}

    def run(self) -> None:
        """Every operation in order; PyruncError for the first that fails, on either side."""
        if self.log.debugging:
            self._lines = render_trace(self.plan)
        for warning in self.plan.warnings:
            self.log.warning(warning)
        for number, op in enumerate(self.plan.runtime):
            if self._lines:
                self.log.debug(self._lines["runtime", number])
            try:
                getattr(self, op.name)(*op.args)
            except PyruncError as error:
                error.step, error.pointer = error.step or op.name, error.pointer or op.pointer
                raise
            except InitFailed as failure:
                raise self._explain_failure(failure.message) from failure
            except InitEnded as end:
                raise self._explain_end(end.status, op) from end
            except OSError as error:
                from pyrunc.execute.wording import explain_runtime

                raise explain_runtime(op, error) from error

    def started(self) -> Init:
        """pyrunc-init, which must run by now."""
        if self.init is None:
            raise PyruncError("the plan uses pyrunc-init before it starts it")
        return self.init

    def _explain_failure(self, message: Message) -> PyruncError:
        from pyrunc.execute.wording import explain_failure

        op = None if message.op == NO_OP else self.plan.init[message.op]
        return explain_failure(op, message, self.config)

    def _explain_end(self, status: int, op: Op) -> PyruncError:
        from pyrunc.cgroup.driver import open_cgroup
        from pyrunc.execute.wording import explain_end

        cgroup = self.cgroup or open_cgroup({})
        return explain_end(status, op.name, cgroup.oom_kills() > 0, cgroup.lacked_memory())

    def _hear(self, message: Message) -> None:
        """A TRACE or WARNING of pyrunc-init."""
        op = None if message.op == NO_OP else self.plan.init[message.op]
        if message.kind == TRACE:
            if self._lines:
                self.log.debug(self._lines["init", message.op])
        else:
            from pyrunc.execute.wording import explain_warning

            self.log.warning(explain_warning(op, message))

    # --- rendezvous ---------------------------------------------------------------

    def signal(self, name: str) -> None:
        """Tell pyrunc-init."""
        self.started().signal(name)

    def wait(self, name: str) -> None:
        """Wait for pyrunc-init; for `end` (or `exec`) until its program replaced it."""
        if name in ("end", "exec"):
            self.started().wait_exec()
        else:
            self.started().wait(name)

    def start_init(self) -> None:
        """Start pyrunc-init with the descriptors that the plan is provided with."""
        provided: dict[str, int] = {}
        try:
            for slot in self.plan.provided:
                fd = self.provide(slot)
                if fd >= 0:
                    provided[slot] = fd
            self.init = start_init(
                lambda numbers: encode_plan(self.plan, numbers, bool(self._lines)),
                provided,
                self.preserved,
                self.cgroup_descriptor(),
                self._hear,
            )
        finally:
            for fd in provided.values():
                os.close(fd)

    def provide(self, slot: Slot) -> int:
        """Open what the provided slot stands for; -1 if there is nothing to open."""
        if slot.startswith(TASKS):
            return self.cgroup.open_tasks(slot[len(TASKS) :]) if self.cgroup is not None else -1
        if slot in self.plan.user_namespaces:
            uid_map, gid_map = self.plan.user_namespaces[slot]
            return native.make_user_namespace(uid_map.encode(), gid_map.encode())
        raise PyruncError(f"the plan wants an unknown descriptor {slot!r}")

    def cgroup_descriptor(self) -> int:
        """The v2 cgroup to start in; -1 = none."""
        return -1

    def send_plan(self) -> None:
        """Let pyrunc-init begin."""
        self.started().signal("plan")

    # --- attributes of the container's process ---------------------------------------

    def write_id_map(self, name: str, text: str) -> None:
        """Write a map of pyrunc-init's user namespace; the setuid helpers do it where we may not."""
        pid = self.started().pid
        try:
            _write_file(f"/proc/{pid}/{name}", text)
        except OSError as error:
            if error.errno not in (EPERM, EACCES) or name == "setgroups" or os.geteuid() == 0:
                raise
            _run_map_helper("newuidmap" if name == "uid_map" else "newgidmap", pid, text)

    def write_oom_score_adj(self, value: int) -> None:
        """Write /proc/PID/oom_score_adj."""
        _write_file(f"/proc/{self.started().pid}/oom_score_adj", str(value))

    def set_rlimit(self, resource: int, soft: int, hard: int) -> None:
        """prlimit(2)."""
        native.prlimit(self.started().pid, resource, soft & native.NO_LIMIT, hard & native.NO_LIMIT)

    # --- descriptors and files for the caller ----------------------------------------

    def receive_fd(self, slot: Slot) -> None:
        """Take the descriptor of `slot`."""
        self.started().wait_descriptor(self._slots.get(slot, NO_OP))

    def _received(self, slot: Slot) -> int:
        """The descriptor that came for `slot`; it is the caller's from now on."""
        return self.started().conversation.descriptors.pop(self._slots.get(slot, NO_OP))

    def deliver_console(self, slot: Slot) -> None:
        """Hand on the pty that pyrunc-init made."""
        self.hand_on_terminal(self._received(slot))

    def hand_on_terminal(self, primary: int) -> None:
        """Send the pty's primary end over the console socket, or keep it for the foreground."""
        if not self.console_socket:
            self.console = primary
            return
        from pyrunc.execute.console import send_console

        try:
            send_console(self.console_socket, primary)
        finally:
            os.close(primary)

    def container_state(self) -> dict[str, object]:
        """The OCI state of the container at this moment."""
        raise NotImplementedError

    def deliver_listener(self, slot: Slot, path: str, metadata: str) -> None:
        """Send the seccomp listener to its agent; pyrunc-init goes on when that is done."""
        from pyrunc.execute.seccomp_listener import send_listener

        listener = self._received(slot)
        try:
            send_listener(path, listener, self.container_state(), self.started().pid, metadata)
        finally:
            os.close(listener)

    def deliver_pidfd(self, path: str) -> None:
        """Send the pidfd of the container's process."""
        from pyrunc.execute.console import send_descriptor

        send_descriptor(path, self.started().pidfd, b"pidfd", "pidfd")

    def write_pid_file(self, path: str) -> None:
        """Write the pid file, whole or not at all."""
        directory, name = os.path.split(path)
        write_atomic(f"{directory}/.{name}", path, str(self.started().pid).encode(), 0o644)

    # --- afterwards -----------------------------------------------------------------

    def abandon(self) -> None:
        """After a failure: no process and no descriptor of ours stays."""
        if self.console >= 0:
            os.close(self.console)
            self.console = -1
        if self.init is not None:
            self.init.kill()
            self.init.close()
            self.init = None


def render_trace(plan: Plan) -> dict[tuple[str, int], str]:
    """The line that `plan` prints for every (actor, number)."""
    from pyrunc.plan.plan import simulate
    from pyrunc.plan.render import render_lines

    order = simulate(plan)
    return dict(zip(order, render_lines(plan, order), strict=True))


def _write_file(path: str, text: str) -> None:
    """One write(2); the error names the file."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from error
    finally:
        os.close(fd)


def _run_map_helper(program: str, pid: int, text: str) -> None:
    """newuidmap(1) or newgidmap(1), from PATH."""
    numbers = text.split()
    env = dict(os.environ)
    try:
        child = os.posix_spawnp(program, [program, str(pid), *numbers], env)
    except FileNotFoundError as error:
        text = f"{program} is not installed: this user may not write the map itself"
        raise HostError(text, step="write_id_map", hint="install the package uidmap") from error
    if status := reap(child):
        raise HostError(
            f"{program} failed with status {os.waitstatus_to_exitcode(status)}",
            step="write_id_map",
            hint=f"see /etc/sub{program[3:6]} for what this user may map",
        )
