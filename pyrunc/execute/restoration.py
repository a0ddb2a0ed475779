"""The runtime's half of a restore: a create with CRIU in place of pyrunc-init."""

from __future__ import annotations

import os
from errno import EEXIST, ELOOP, ENOENT

from pyrunc import native
from pyrunc.cores import parse_json, signals
from pyrunc.errors import HostError, OperationError
from pyrunc.execute import criu_external
from pyrunc.execute.creation import Creation
from pyrunc.execute.criu import FIRST_EXTRA, Criu, config_file, read_text
from pyrunc.execute.criu_messages import RESTORE, Message, encode_request
from pyrunc.execute.process import oci_state, read_start_time, reap, send_signal, wait_gone
from pyrunc.host.facts import parse_own_cgroups
from pyrunc.plan.hooks import RUNTIME_KINDS
from pyrunc.spec.rules import is_bind
from pyrunc.state.lifecycle import CREATED, CREATING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyrunc.execute.criu_messages import Response
    from pyrunc.plan.ops import Op

LOG = "restore.log"
LOG_LEVEL = 4
ROOT = "criu-root"
_CGROUP_OPS = ("start_unit", "make_cgroup", "write_cgroup", "own_cgroup", "attach_device_program")


class Restored:
    """The container's init, a child of ours; what `Creation` asks of an Init that already runs."""

    __slots__ = ("first_pid", "pid", "pidfd", "start_time")

    def __init__(self, pid: int) -> None:
        self.pid = self.first_pid = pid
        self.pidfd = os.pidfd_open(pid)
        self.start_time = read_start_time(pid)

    def reap_first(self) -> None:
        """There is no other stage."""

    def kill(self) -> None:
        """End it for good."""
        send_signal(self.pidfd, signals.SIGKILL)
        if not wait_gone(self.pidfd):
            raise OperationError(f"process {self.pid} does not die", step="kill")
        reap(self.pid)

    def close(self) -> None:
        """Close the descriptor."""
        os.close(self.pidfd)


class Restoration(Creation):
    """One restore under way: `restore` instead of `run`, `undo` after a failure as for a create."""

    _criu: Criu
    _program: str

    def restore(self, program: str, images: str, work: str, asked: dict[str, Any], pid_file: str) -> None:
        """Bring the container back from `images`; it runs then.

        program: CRIU; asked: further options for it.
        """
        self._program = program
        for warning in self.plan.warnings:
            self.log.warning(warning)
        begin = next(number for number, op in enumerate(self.plan.runtime) if op.name == "send_plan")
        self.write_record(CREATING)
        prepare_mount_points(self.record.rootfs, self.config.get("mounts") or [])
        root = f"{self.entry.dir}/{ROOT}"
        os.mkdir(root, 0o700)
        try:
            # CRIU wants a mount point; the container's root gets its attributes and its peers
            native.bind_mount(self.record.rootfs, root, bool(self.config["root"].get("readonly")))
            self._run_criu(images, work, root, asked, self.plan.runtime[:begin])
        finally:
            native.detach_mount(root)
            os.rmdir(root)
        self._run_cgroup_ops(self.plan.runtime[begin:])
        self.write_record(CREATED)
        if pid_file:
            self.write_pid_file(pid_file)

    def _run_cgroup_ops(self, ops: list[Op]) -> None:
        for op in ops:
            if op.name not in _CGROUP_OPS:
                continue
            try:
                getattr(self, op.name)(*op.args)
            except OSError as error:
                from pyrunc.execute.wording import explain_runtime

                raise explain_runtime(op, error) from error

    def start_unit(self, unit: str, slice: str, user: int, below: str, properties: list[str]) -> None:
        """The scope begins with CRIU, which leaves it to what it restores."""
        if self.cgroup is not None:
            self.cgroup.start_unit(self._criu.pid, properties)

    def _run_criu(self, images: str, work: str, root: str, asked: dict[str, Any], first: list[Op]) -> None:
        """One request to CRIU, which is in the container's cgroup by then (`first` makes it)."""
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        opened = [os.open(path, flags) for path in (images, work)]
        open_to_group(opened[0], self.config.get("linux") or {})
        extra = [0, 1, 2]
        inherited = self._name_files(images)
        for kind, path in criu_external.joined_namespaces(self.config).items():
            inherited.append((criu_external.NAMESPACES[kind][1], FIRST_EXTRA + len(extra)))
            opened.append(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
            extra.append(opened[-1])
        options = self._options(images, root) | asked
        options |= {
            "images_dir_fd": opened[0],
            "work_dir_fd": opened[1],
            "inherit_fd": [Message([(1, key), (2, fd)]) for key, fd in inherited],
        }
        try:
            self._criu = criu = Criu(self._program, extra)
            try:
                self._run_cgroup_ops(first)
                if self.cgroup is not None:
                    self.cgroup.join(criu.pid)
            except BaseException:
                criu.end(kill=True)
                raise
            options["cg_root"] = cgroup_roots(read_text(f"/proc/{criu.pid}/cgroup"))
            answer = criu.ask(encode_request(RESTORE, options), "restore", self.notified, f"{work}/{LOG}")
            criu.end()
        finally:
            for fd in opened:
                os.close(fd)
        if self.init is None:
            self._adopt(answer.pid)

    def _name_files(self, images: str) -> list[tuple[str, int]]:
        """CRIU's name of what descriptors 0, 1 and 2 were, and its number of ours."""
        try:
            with open(f"{images}/{criu_external.DESCRIPTORS}", "rb") as file:
                names = parse_json(file.read())
        except FileNotFoundError:
            names = []
        known = ("pipe:", "file[", "socket:")
        return [
            (name, FIRST_EXTRA + number) for number, name in enumerate(names[:3]) if name.startswith(known)
        ]

    def _options(self, images: str, root: str) -> dict[str, Any]:
        try:
            with open(f"{images}/{criu_external.MOUNTS}", "rb") as file:
                targets = parse_json(file.read())
        except FileNotFoundError:
            targets = []
        mounts = criu_external.map_mounts(targets, self.config, self.record, self.entry.dir)
        return {
            "log_level": LOG_LEVEL, "log_file": LOG, "root": root, "manage_cgroups": True,
            "rst_sibling": True, "notify_scripts": True, "evasive_devices": True, "orphan_pts_master": True,
            "skip_file_rwx_check": True,  # standard output may go elsewhere now
            "config_file": config_file(self.record.annotations),
            "ext_mnt": [Message([(1, target), (2, path)]) for target, path in mounts.items()],
        }  # fmt: skip

    def notified(self, news: Response, descriptors: list[int]) -> None:
        """Hooks once the namespaces are there; the terminal's other end; the init's pid."""
        if news.script == "setup-namespaces":
            self._run_hooks(news.pid)
        elif news.script == "orphan-pts-master" and descriptors:
            self.hand_on_terminal(descriptors.pop(0))
        elif news.script == "post-restore":
            self._adopt(news.pid)
        for fd in descriptors:
            os.close(fd)

    def _adopt(self, pid: int) -> None:
        if self.init is None:
            self.init = Restored(pid)  # type: ignore[assignment]

    def _run_hooks(self, pid: int) -> None:
        from pyrunc.execute.hooks import run_all

        hooks: dict[str, Any] = dict(self.config.get("hooks") or {})
        for kind in RUNTIME_KINDS:
            if hooks.get(kind):
                self._hooks_began = True
                run_all(kind, hooks[kind], oci_state(self.record, CREATED, pid), self.record.bundle)


def open_to_group(images: int, linux: Any) -> None:
    """Let root of the container's user namespace into the images, by its group.

    CRIU reads some of them as such, and some while it still is our user without rights.
    """
    mode = os.fstat(images).st_mode & 0o7777
    groups = [entry["hostID"] for entry in linux.get("gidMappings") or () if entry["containerID"] == 0]
    if groups and groups[0] and mode & 0o5 != 0o5:
        os.fchown(images, -1, groups[0])
        os.fchmod(images, mode | 0o050)


def cgroup_roots(text: str) -> list[Message]:
    """Where CRIU shall put what was below the old container's cgroups, by /proc/PID/cgroup of itself."""
    return [Message([(1, controller), (2, path)]) for controller, path in parse_own_cgroups(text).items()]


def prepare_mount_points(rootfs: str, mounts: list[Any]) -> None:
    """Make the mount points that a fresh root lacks; what lies in another mount comes with the images."""
    try:
        root = os.open(rootfs, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise HostError(f"cannot open the root {rootfs}", path=rootfs, pointer="/root/path") from error
    targets: list[str] = []
    try:
        for mount in mounts:
            target = os.path.normpath(mount["destination"])
            if not any(target.startswith(other + "/") for other in targets) and target != "/":
                file = is_bind(mount) and not os.path.isdir(mount.get("source") or "/")
                _make_beneath(root, target.strip("/"), file)
            targets.append(target)
    finally:
        os.close(root)


def _make_beneath(root: int, path: str, file: bool) -> None:
    """Make a directory, or a file, and the directories above it, following no symlinks."""
    directory = os.dup(root)
    try:
        *above, name = path.split("/")
        for part in [*above, *([] if file else [name])]:
            try:
                os.mkdir(part, 0o755, dir_fd=directory)
            except FileExistsError:
                pass
            inner = native.open_beneath(directory, part, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            os.close(directory)
            directory = inner
        if file:
            os.close(native.open_beneath(directory, name, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644))
    except OSError as error:
        if error.errno not in (EEXIST, ELOOP, ENOENT):  # a symlink: CRIU resolves it in the root itself
            raise
    finally:
        os.close(directory)
