"""The runtime's half of a create: the record, the cgroup, the hooks, and the way back.

`Creation.run` carries out the plan; after a failure `Creation.undo` leaves the
system as if nothing had been tried.
"""

from __future__ import annotations

import os
import time
from errno import EACCES, EPERM, EROFS

from pyrunc.cgroup.driver import open_cgroup
from pyrunc.errors import HostError, PyruncError
from pyrunc.execute.process import oci_state
from pyrunc.execute.runtime_ops import Executor
from pyrunc.state.lifecycle import CREATED, CREATING, STOPPED
from pyrunc.state.record import Record, render_time
from pyrunc.state.store import CONFIG, NOTIFY, REPLY_FIFO, START_FIFO, host_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pyrunc.execute.conversation import Message
    from pyrunc.execute.resctrl import Groups
    from pyrunc.host.facts import Facts
    from pyrunc.operations import Log
    from pyrunc.plan.ops import Slot
    from pyrunc.plan.options import CreateOptions
    from pyrunc.plan.plan import Plan
    from pyrunc.spec.load import LoadedConfig
    from pyrunc.state.store import Entry

DENIED = (EACCES, EPERM, EROFS)


class Creation(Executor):
    """One create under way.

    tolerant: where cgroups may not be made, go on without (--rootless).
    """

    def __init__(
        self, plan: Plan, loaded: LoadedConfig, entry: Entry, options: CreateOptions, facts: Facts,
        log: Log, tolerant: bool,
    ) -> None:  # fmt: skip
        preserved = options.preserve_fds + options.listen_fds
        super().__init__(plan, loaded.config, log, options.console_socket, preserved)
        self.entry = entry
        self.tolerant = tolerant
        self.record = make_record(loaded.config, entry, options, plan, facts)
        if self.record.cgroup:
            self.cgroup = open_cgroup(self.record.cgroup)
        self._text: bytes = loaded.text
        self._notify = bool(options.notify_socket)
        self._hooks_began = False
        self._groups: Groups | None = None

    # --- the record and the rendezvous ---------------------------------------------------

    def write_record(self, status: str) -> None:
        """Store what is known now; the first time also the configuration, frozen."""
        record = self.record
        record.status = status
        if self.init is not None:
            record.pid = self.init.pid
            record.start_time = self.init.start_time
        elif self._text:
            self.entry.write_file(CONFIG, self._text)
            self._text = b""
            if self._notify:
                os.mkdir(NOTIFY, 0o755, dir_fd=self.entry.dir_fd)
        self.entry.write(record)

    def provide(self, slot: Slot) -> int:
        """The FIFOs of the start rendezvous."""
        directory = self.entry.dir_fd
        if slot == "start":
            self._make_fifo(START_FIFO)
            return os.open(START_FIFO, os.O_RDWR | os.O_CLOEXEC, dir_fd=directory)
        if slot == "reply":
            self._make_fifo(REPLY_FIFO)
            reader = os.open(REPLY_FIFO, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
            try:
                return os.open(REPLY_FIFO, os.O_WRONLY | os.O_CLOEXEC, dir_fd=directory)
            finally:
                os.close(reader)
        if slot == "cgroup" and self.cgroup is not None:
            return os.dup(self.cgroup.directory_fd)
        return super().provide(slot)

    def _make_fifo(self, name: str) -> None:
        try:
            os.mkfifo(name, 0o600, dir_fd=self.entry.dir_fd)
        except OSError as error:
            raise host_error("make", f"{self.entry.dir}/{name}", error) from error

    def container_state(self) -> dict[str, object]:
        """Creating, with the pid of the init."""
        return oci_state(self.record, CREATING, self.started().pid)

    # --- cgroup ------------------------------------------------------------------------------

    def make_cgroup(self, controller: str, path: str) -> None:
        """Make one directory of the container's cgroup."""
        if self.cgroup is None:
            return
        try:
            self.cgroup.make(controller, path)
        except OSError as error:
            if error.errno not in DENIED or not self.tolerant:
                raise
            self.log.warning(f"the container gets no cgroup of its own: {error}")
            self.cgroup.remove()  # those of the hierarchies before
            self.cgroup = None
            self.record.cgroup = {}
        else:
            if path not in self.record.cgroup["made"]:
                self._refuse_claimed(path)

    def _refuse_claimed(self, path: str) -> None:
        """Leave a cgroup that was there to the create that is about to put its init into it.

        Its record, which is older than the cgroup, tells.
        """
        from pyrunc.execute.claim import find_claim

        other = find_claim(self.entry, path)
        if other and self.cgroup is not None:
            self.cgroup.remove()  # those of the hierarchies before
            self.cgroup = None
            raise HostError(
                f"container's cgroup is not empty: container {other} is about to use {path}",
                path=path,
                pointer="/linux/cgroupsPath",
            )

    def start_unit(self, unit: str, slice: str, user: int, below: str, properties: list[str]) -> None:
        """Have systemd start the container's scope."""
        if self.cgroup is not None:
            self.cgroup.start_unit(self.started().pid, properties)

    def write_cgroup(self, controller: str, file: str, value: str) -> None:
        """Write one file of the cgroup."""
        if self.cgroup is not None:
            self.cgroup.write(controller, file, value)
        elif controller != "devices":
            text = f"cannot set {file}: the container could not get a cgroup"
            raise HostError(text, step="write_cgroup", path=file)

    def own_cgroup(self, uid: int, gid: int) -> None:
        """Give the cgroup to the container's root."""
        if self.cgroup is not None:
            self.cgroup.own(uid, gid)

    def attach_device_program(self, program: bytes) -> None:
        """Attach the device program (v2)."""
        if self.cgroup is not None:
            self.cgroup.attach_devices(program)

    def cgroup_descriptor(self) -> int:
        """The v2 cgroup to start in, unless the plan puts the container's process there later."""
        later = self.joins_later or "cgroup" in self.plan.provided
        return -1 if self.cgroup is None or later else self.cgroup.directory_fd

    def join_cgroup(self) -> None:
        """Move pyrunc-init into the cgroups (v1)."""
        if self.cgroup is not None:
            self.cgroup.join(self.started().pid)

    def record_root_mount(self, path: str) -> None:
        """Take note of the mount that pyrunc-init left in our mount namespace."""
        from pyrunc.execute.root_mount import mount_id

        self.record.root_mount = [path, mount_id(path)]
        self.entry.write(self.record)

    # --- resource groups and network devices ------------------------------------------------------

    def make_resctrl_group(self, path: str, rule: int, same: list[str], written: list[str]) -> None:
        """Make a group; one named by closID outlives the container, others are recorded to be removed."""
        from pyrunc.execute.resctrl import Groups
        from pyrunc.plan.resctrl import MUST_BE_SAME

        self._groups = self._groups or Groups()
        if self._groups.make(path, rule, same, written) and rule != MUST_BE_SAME:
            self.record.resctrl.append(path)
            self.entry.write(self.record)

    def join_resctrl_group(self, path: str) -> None:
        """Move pyrunc-init into the group; what it starts follows."""
        from pyrunc.execute.resctrl import join_group

        join_group(path, self.started().pid)

    def move_network_device(self, name: str, new_name: str) -> None:
        """Give the container a device of ours."""
        from pyrunc.execute.network import move_device

        move_device(name, new_name, self.started().pid)

    # --- hooks -----------------------------------------------------------------------------------

    def signal(self, name: str) -> None:
        """Tell pyrunc-init; from `hooks` on a failure runs the poststop hooks."""
        self._hooks_began = self._hooks_began or name == "hooks"
        super().signal(name)

    def _explain_failure(self, message: Message) -> PyruncError:
        error = super()._explain_failure(message)
        self._hooks_began = self._hooks_began or error.step == "run_hook"
        return error

    def run_runtime_hook(self, kind: str, index: int) -> None:
        """Run a prestart or createRuntime hook."""
        from pyrunc.execute.hooks import run_hook

        self._hooks_began = True
        state = oci_state(self.record, CREATED, self.started().pid)
        run_hook(kind, index, self.config["hooks"][kind][index], state, self.record.bundle)  # type: ignore[literal-required]

    # --- the way back ------------------------------------------------------------------------------

    def undo(self) -> None:
        """Take back everything, in reverse; where that fails, it is a warning and the record stays."""
        steps = (self.abandon, self._undo_root_mount, self._undo_cgroup, self._undo_resctrl)
        undone = [self._try_undo(step) for step in steps]
        if all(undone):
            self._try_undo(self.entry.remove)
        else:
            self._try_undo(lambda: self.entry.write(self.record))
            self.log.warning(f"something of container {self.record.id} is left: `delete --force` removes it")
        hooks = self.record.hooks.get("poststop", [])
        if hooks and self._hooks_began:
            from pyrunc.execute.hooks import run_poststop

            run_poststop(hooks, oci_state(self.record, STOPPED, 0), self.record.bundle, self.log.warning)

    def _try_undo(self, step: Callable[[], None]) -> bool:
        try:
            step()
        except (OSError, PyruncError) as error:
            self.log.warning(f"while undoing the create: {error}")
            return False
        return True

    def _undo_root_mount(self) -> None:
        if self.record.root_mount:
            from pyrunc.execute.root_mount import detach_root_mount

            detach_root_mount(self.record)

    def _undo_resctrl(self) -> None:
        if self._groups:
            self._groups.undo()

    def _undo_cgroup(self) -> None:
        if self.cgroup is not None:
            self.cgroup.close()  # perhaps too many open files are what failed
            self.cgroup.kill()
            self.cgroup.remove()


def make_record(config: Any, entry: Entry, options: CreateOptions, plan: Plan, facts: Facts) -> Record:
    """The record of a container that is about to be created."""
    record = Record(entry.id, options.bundle)
    record.oci_version = config["ociVersion"]
    record.rootfs = os.path.normpath(os.path.join(options.bundle, config["root"]["path"]))
    record.created = render_time(time.time_ns())
    record.annotations = config.get("annotations") or {}
    record.owner = facts.euid
    paths = {str(op.args[0]): str(op.args[1]) for op in plan.runtime if op.name == "make_cgroup"}
    if paths:
        record.cgroup = {"driver": "cgroupfs", "version": facts.cgroup_version, "paths": paths, "made": None}
    for op in plan.runtime:
        if op.name == "start_unit":
            unit, _, user, below = op.args[:4]
            record.cgroup |= {"driver": "systemd", "unit": unit, "user": bool(user), "below": below}
    hooks = config.get("hooks") or {}
    record.hooks = {kind: hooks[kind] for kind in ("poststart", "poststop") if hooks.get(kind)}
    namespaces = (config.get("linux") or {}).get("namespaces") or []
    record.private_pids = any(item["type"] == "pid" and not item.get("path") for item in namespaces)
    record.no_new_keyring = options.no_new_keyring
    record.notify = bool(options.notify_socket)
    late = False
    for number, op in enumerate(plan.init):
        if late:
            first = op.args[0] if op.args else ""
            first = first[0] if isinstance(first, list) else first
            record.late[str(number)] = [op.name, str(first), op.pointer]
        late = late or op.name == "await_start"
    return record
