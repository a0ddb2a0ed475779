"""The runtime's half of an exec: into the cgroup and the namespaces of a running container."""

from __future__ import annotations

import os
from errno import EACCES, EBUSY, EPERM

from pyrunc.cgroup.driver import open_cgroup
from pyrunc.errors import HostError, UsageError
from pyrunc.execute.process import oci_state, open_pidfd
from pyrunc.execute.runtime_ops import Executor
from pyrunc.state.lifecycle import RUNNING, STOPPED, allowed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyrunc.operations import Log
    from pyrunc.plan.exec import ExecOptions
    from pyrunc.plan.ops import Slot
    from pyrunc.plan.plan import Plan
    from pyrunc.spec.types import Config
    from pyrunc.state.record import Record


class Joining(Executor):
    """One exec under way."""

    def __init__(self, plan: Plan, config: Config, record: Record, options: ExecOptions, log: Log) -> None:
        preserved = options.preserve_fds + options.listen_fds
        super().__init__(plan, config, log, options.console_socket, preserved)
        self.record = record
        self._chosen = bool(options.cgroup)
        if record.cgroup:
            self.cgroup = open_cgroup(choose_cgroups(record.cgroup, options.cgroup))

    def provide(self, slot: Slot) -> int:
        """The pidfd of the container's init; its root where it has no mount namespace."""
        if slot == "root":
            from pyrunc.execute.root_mount import open_root

            return open_root(self.record)
        if slot != "pidfd":
            return super().provide(slot)
        pidfd = open_pidfd(self.record.pid, self.record.start_time)
        if pidfd < 0:
            allowed("exec", STOPPED)
        return pidfd

    def container_state(self) -> dict[str, object]:
        """Running: nothing else may be joined, but for a paused container."""
        return oci_state(self.record, RUNNING)

    def cgroup_descriptor(self) -> int:
        """The v2 cgroup to start in, unless the plan joins it later."""
        return -1 if self.cgroup is None or self.joins_later else self.cgroup.directory_fd

    def start_init(self) -> None:
        """Start pyrunc-init; beside the init where the container's own cgroup takes no processes.

        A user's scope takes none from another session: systemd moves it.
        """
        try:
            super().start_init()
        except OSError as error:
            if error.errno in (EACCES, EPERM) and self.record.cgroup.get("driver") == "systemd":
                self.joins_later = True
                super().start_init()
                self.join_cgroup()
                return
            follows = self.record.cgroup.get("version") == 2 and not self._chosen
            if error.errno != EBUSY or not follows or self.cgroup_descriptor() < 0:
                raise
            self._use_cgroup_of_init()
            super().start_init()

    def join_cgroup(self) -> None:
        """Move pyrunc-init into the cgroups."""
        if self.cgroup is None:
            return
        try:
            self.cgroup.join(self.started().pid)
        except OSError as error:
            if error.errno != EBUSY or self._chosen or self.record.cgroup["version"] != 2:
                raise
            self._use_cgroup_of_init()
            self.cgroup.join(self.started().pid)

    def _use_cgroup_of_init(self) -> None:
        """v2: a cgroup with controllers for cgroups below holds no processes; its init moved on: follow."""
        base = self.record.cgroup["paths"][""]
        with open(f"/proc/{self.record.pid}/cgroup", encoding="utf-8", errors="surrogateescape") as file:
            own = file.read().rstrip("\n").rpartition("0::")[2]
        name = base.rpartition("/")[2]
        below = own.rpartition(f"/{name}/")[2] if f"/{name}/" in own else ""
        if not below:
            text = f"cannot join the container's cgroup {base}: device or resource busy"
            raise HostError(text, path=base, errno=EBUSY)
        self.cgroup = open_cgroup({**self.record.cgroup, "paths": {"": f"{base}/{below}"}})


def choose_cgroups(saved: dict[str, Any], chosen: list[str]) -> dict[str, Any]:
    """The saved form with the paths that `--cgroup [CONTROLLER,..:]PATH` names below the container's own.

    UsageError: a path that is not there or leads out, a controller that the container has no cgroup of.
    """
    paths: dict[str, str] = dict(saved["paths"])
    for text in chosen:
        controllers, colon, path = text.rpartition(":")
        inner = [part for part in path.split("/") if part not in ("", ".")]
        if ".." in inner:
            raise UsageError(f"--cgroup {text}: it has to be a cgroup below the container's")
        if colon and saved["version"] == 2:
            raise UsageError(f"--cgroup {text}: cgroup v2 has no separate hierarchies for controllers")
        for name in controllers.split(",") if colon else list(paths):
            if name not in saved["paths"]:
                raise UsageError(f"--cgroup {text}: the container has no cgroup of controller {name!r}")
            paths[name] = "/".join([saved["paths"][name], *inner])
            if not os.path.isdir(paths[name]):
                reason = f"{paths[name]}: no such file or directory"
                raise UsageError(f"--cgroup {text}: {reason}", path=paths[name])
    return {**saved, "paths": paths}
