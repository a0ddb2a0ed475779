"""The driver that lets systemd make the cgroup: a transient scope, asked for over D-Bus.

The scope is delegated, so what is below it is ours: files are read and written
as by the file drivers, and every limit that systemd knows is a property of the
unit too, or systemd would take it back.  The saved form has more: unit, user
(the user's systemd, not the system's).
"""

from __future__ import annotations

import os
from errno import EACCES, EBUSY, EPERM

from pyrunc.cgroup.cgroupfs import CgroupFiles, read_file
from pyrunc.cgroup.cgroupfs_v1 import SplitCgroup
from pyrunc.cgroup.cgroupfs_v2 import UnifiedCgroup
from pyrunc.cgroup.dbus import Bus, BusError
from pyrunc.cgroup.gvariant import parse
from pyrunc.errors import HostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MANAGER = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
_REMOVED = "type='signal',interface='org.freedesktop.systemd1.Manager',member='JobRemoved',arg2='{}'"
_EXISTS = "org.freedesktop.systemd1.UnitExists"
_MISSING = ("org.freedesktop.systemd1.NoSuchUnit", "org.freedesktop.systemd1.UnitMasked")


def bus_address(user: bool) -> str:
    """Where the bus of the user's or the system's systemd is."""
    if not user:
        return os.environ.get("DBUS_SYSTEM_BUS_ADDRESS") or "unix:path=/run/dbus/system_bus_socket"
    directory = os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
    return os.environ.get("DBUS_SESSION_BUS_ADDRESS") or f"unix:path={directory}/bus"


def parse_properties(properties: list[str]) -> list[tuple[str, tuple[str, Any]]]:
    """`Name=value` texts as D-Bus takes them."""
    pairs = [text.partition("=") for text in properties]
    return [(name, parse(value)) for name, _, value in pairs]


class _Scope(CgroupFiles):
    """What both versions do with the unit."""

    __slots__ = ()

    @property
    def _unit(self) -> str:
        return str(self.saved["unit"])

    @property
    def _directory_names(self) -> tuple[str, str]:
        """systemd puts a "_" before what could be the name of a cgroup file, as in `_memory.scope`."""
        return self._unit, f"_{self._unit}"

    def _open_bus(self) -> Bus:
        return Bus(bus_address(bool(self.saved["user"])))

    def start_unit(self, pid: int, properties: list[str]) -> None:
        """Start the scope around a process and wait until it stands."""
        values = [*parse_properties(properties), ("PIDs", ("au", [pid]))]
        bus = self._open_bus()
        try:
            bus.match(_REMOVED.format(self._unit))
            for attempt in (1, 2):
                serial = bus.call(
                    MANAGER, "StartTransientUnit", "ssa(sv)a(sa(sv))", self._unit, "replace", values, []
                )
                try:
                    self._await_job(bus, str(bus.reply(serial)[0]))
                    break
                except BusError as error:
                    if error.name != _EXISTS or attempt == 2:
                        raise self._explain("start", error) from error
                    bus.call(MANAGER, "ResetFailedUnit", "s", self._unit)  # one that failed before us
        finally:
            bus.close()
        self._follow(pid)
        self.saved["made"] = []

    @property
    def directory_fd(self) -> int:
        """The scope's directory; -1 until it is started, for its first process starts outside of it."""
        return -1 if self.saved["made"] is None else super().directory_fd

    def make(self, controller: str | None = None, path: str = "") -> None:
        """Make what systemd did not (v1), and enable the controllers that it does not know."""
        path = self.paths[controller] if controller is not None else path
        super().make(controller, path)
        if controller is not None and path not in self.saved["made"]:
            self.saved["made"].append(path)

    def _forget_others(self) -> None:
        """Nothing: the whole unit is ours."""

    def _await_job(self, bus: Bus, job: str) -> None:
        """Wait for the end of a job. HostError unless it was done."""
        done = bus.wait(lambda message: message.member == "JobRemoved" and message.body[1] == job)
        if done.body[3] not in ("done", "skipped"):
            raise HostError(f"systemd's job for {self._unit} ended with `{done.body[3]}`")

    def _explain(self, verb: str, error: BusError) -> HostError:
        hint = "an older container of this name may still run" if error.name == _EXISTS else ""
        return HostError(
            f"systemd cannot {verb} {self._unit}: {error.text}", pointer="/linux/cgroupsPath", hint=hint
        )

    def _follow(self, pid: int) -> None:
        """Take the scope's place from the kernel: only systemd knows where its root is."""
        for line in read_file(f"/proc/{pid}/cgroup").splitlines():
            _, controllers, path = line.split(":", 2)
            if path.rpartition("/")[2] not in self._directory_names:
                continue
            for name in controllers.split(","):
                if name in self.paths:
                    known = self.paths[name]
                    mount = known.removesuffix(str(self.saved["below"]))
                    self.paths[name] = mount + path
        self.close()

    def set_properties(self, properties: list[str]) -> None:
        """Change properties of the running unit, until the next boot."""
        bus = self._open_bus()
        try:
            bus.reply(
                bus.call(
                    MANAGER, "SetUnitProperties", "sba(sv)", self._unit, True, parse_properties(properties)
                )
            )
        except BusError as error:
            raise self._explain("change", error) from error
        finally:
            bus.close()

    def join(self, pid: int) -> None:
        """Move a process in; where we may not, systemd does."""
        try:
            super().join(pid)
        except OSError as error:
            if error.errno not in (EACCES, EPERM):
                raise
            self._attach(pid)

    def _attach(self, pid: int) -> None:
        path = self.paths[""]
        names = path.split("/")
        while names.pop(0) not in self._directory_names:
            pass
        below = "".join(f"/{name}" for name in names)
        bus = self._open_bus()
        try:
            bus.reply(bus.call(MANAGER, "AttachProcessesToUnit", "ssau", self._unit, below, [pid]))
        except BusError as error:
            if read_file(f"{path}/cgroup.subtree_control").strip():  # a user's systemd says EACCES for it
                raise OSError(EBUSY, os.strerror(EBUSY), path) from error
            raise self._explain("put a process into", error) from error
        finally:
            bus.close()

    def _refuse_used(self, path: str) -> None:
        """Nothing: the process that is in it is ours."""

    def remove(self) -> None:
        """Stop the unit, and remove what systemd leaves."""
        if self.saved["made"] is None and self.procs():
            super().remove()  # waits for our init to leave; what is still used then was not ours
            if self.procs():
                return
        self._stop()
        super().remove()

    def _stop(self) -> None:
        bus = self._open_bus()
        try:
            bus.match(_REMOVED.format(self._unit))
            serial = bus.call(MANAGER, "StopUnit", "ss", self._unit, "replace")
            try:
                self._await_job(bus, str(bus.reply(serial)[0]))
            except BusError as error:
                if error.name not in _MISSING:
                    raise self._explain("stop", error) from error
            serial = bus.call(MANAGER, "ResetFailedUnit", "s", self._unit)
            try:
                bus.reply(serial)
            except BusError:  # it did not fail
                pass
        finally:
            bus.close()


class UnifiedScope(_Scope, UnifiedCgroup):
    """A scope on cgroup v2."""

    __slots__ = ()


class SplitScope(_Scope, SplitCgroup):
    """A scope on cgroup v1: the hierarchies that systemd leaves alone are ours to make."""

    __slots__ = ()
