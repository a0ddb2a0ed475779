"""checkpoint: write a running container into image files, through CRIU."""

from __future__ import annotations

import os

from pyrunc.cores import render_json
from pyrunc.errors import HostError, UsageError, reason_of
from pyrunc.execute import criu_external, criu_messages
from pyrunc.execute.criu import Criu, check_features, check_version, config_file, find_criu
from pyrunc.execute.criu_messages import CGROUP_MODES, DUMP, PRE_DUMP, Message, encode_request
from pyrunc.execute.process import lock_container
from pyrunc.linux import CLONE_NEWNET
from pyrunc.operations import is_decimal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyrunc.execute.criu_messages import Response
    from pyrunc.operations import Context
    from pyrunc.state.record import Record
    from pyrunc.state.store import Entry

LOG = "dump.log"
LOG_LEVEL = 4


def checkpoint(
    context: Context, id: str, *, image_path: str = "", work_path: str = "", parent_path: str = "",
    leave_running: bool = False, tcp_established: bool = False, tcp_skip_in_flight: bool = False,
    link_remap: bool = False, ext_unix_sk: bool = False, shell_job: bool = False, lazy_pages: bool = False,
    status_fd: str = "", page_server: str = "", file_locks: bool = False, pre_dump: bool = False,
    manage_cgroups_mode: str = "", empty_ns: list[str] | None = None, auto_dedup: bool = False,
) -> None:  # fmt: skip
    """Write the container `id` to `image_path` ("": ./checkpoint); it is gone afterwards.

    leave_running, pre_dump: it is not.  CRIU's log is `dump.log` in `work_path`
    or, without one, with the images.
    """
    entry, record = lock_container(context.root, id, "checkpoint")
    program = check_host(context)
    options: dict[str, Any] = {
        "leave_running": leave_running, "tcp_established": tcp_established, "link_remap": link_remap,
        "tcp_skip_in_flight": tcp_skip_in_flight, "ext_unix_sk": ext_unix_sk, "shell_job": shell_job,
        "lazy_pages": lazy_pages, "file_locks": file_locks, "auto_dedup": auto_dedup,
        "empty_ns": parse_empty_namespaces(empty_ns or []), "ps": parse_page_server(page_server),
        "manage_cgroups_mode": parse_cgroup_mode(manage_cgroups_mode),
    }  # fmt: skip
    images = make_directory(image_path or "checkpoint")
    if parent_path:
        options |= {"parent_img": check_parent(images, parent_path), "track_mem": True}
    needed = ["mem_track"] * pre_dump + ["lazy_pages"] * lazy_pages
    if needed:
        check_features(program, *needed)
    work = make_directory(work_path) if work_path else images
    dump = Dump(program, entry, record, images, work, status_fd)
    dump.run(options, pre_dump)
    if leave_running or pre_dump:
        entry.close()
    else:
        from pyrunc.operations.delete import destroy

        destroy(context.log, entry, record)


def check_host(context: Context) -> str:
    """The program CRIU; HostError unless it can be asked: it is there, new enough, and we are root."""
    program = find_criu(context.criu)
    if os.geteuid() != 0:
        raise HostError("checkpoint and restore need root", step="criu")
    check_version(program)
    return program


class Dump:
    """One request to CRIU to write a container."""

    def __init__(
        self, program: str, entry: Entry, record: Record, images: str, work: str, status_fd: str
    ) -> None:
        self.program = program
        self.record = record
        self.directory = entry.dir
        self.images = images
        self.work = work
        self.status_fd = parse_descriptor(status_fd)
        self.config: dict[str, Any] = entry.read_config()

    def run(self, options: dict[str, Any], pre_dump: bool) -> None:
        """Dump; OperationError with the telling line of the log if it fails."""
        request = self.options() | options
        if not pre_dump:
            request |= self.name_external()
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
        directories = [os.open(path, flags) for path in (self.images, self.work)]
        request["images_dir_fd"], request["work_dir_fd"] = directories
        try:
            criu = Criu(self.program)
            kind = PRE_DUMP if pre_dump else DUMP
            criu.ask(encode_request(kind, request), "dump", self.notified, f"{self.work}/{LOG}")
            criu.end(kill=pre_dump)  # it would wait for the next pre-dump
        finally:
            for fd in directories:
                os.close(fd)

    def options(self) -> dict[str, Any]:
        """What is the same for all kinds of dumps."""
        options: dict[str, Any] = {
            "log_level": LOG_LEVEL, "log_file": LOG, "root": self.record.rootfs, "manage_cgroups": True,
            "notify_scripts": True, "pid": self.record.pid, "orphan_pts_master": True,
            "config_file": config_file(self.record.annotations),
        }  # fmt: skip
        kinds = criu_external.joined_namespaces(self.config)
        options["external"] = [criu_external.name_namespace(self.record.pid, kind) for kind in kinds]
        paths = self.record.cgroup.get("paths", {})
        options["freeze_cgroup"] = paths.get("freezer") or paths.get("") or None
        return options

    def name_external(self) -> dict[str, Any]:
        """Options for what is not the container's own; their list goes with the images."""
        pid = self.record.pid
        mounts = criu_external.external_mounts(criu_external.read_mountinfo(pid), self.config)
        criu_external.map_mounts(mounts, self.config, self.record, self.directory)  # while it still runs
        files = criu_external.external_files(pid)
        for name, value in ((criu_external.MOUNTS, mounts), (criu_external.DESCRIPTORS, files)):
            write_file(f"{self.images}/{name}", render_json(value))
        own = [file for file in dict.fromkeys(files) if file.startswith("file[")]
        return {
            "ext_mnt": [Message([(1, target), (2, target)]) for target in mounts],
            "external": [*self.options()["external"], *own],
        }

    def notified(self, news: Response, descriptors: list[int]) -> None:
        """`status-ready`: the server for lazy pages listens."""
        if news.script == "status-ready" and self.status_fd >= 0:
            os.write(self.status_fd, b"\0")
            os.close(self.status_fd)
            self.status_fd = -1


# --- what the flags say ------------------------------------------------------------------


def make_directory(path: str) -> str:
    """The absolute path of a directory, made if it was not there.  UsageError if it cannot be made."""
    path = os.path.abspath(path)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    except OSError as error:
        raise UsageError(f"cannot make the directory {path}: {reason_of(error)}", path=path) from error
    return path


def write_file(path: str, text: str) -> None:
    """Write a file for the owner only."""
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as file:
        file.write(text)


def check_parent(images: str, parent: str) -> str:
    """The path of earlier images, relative to these; UsageError if it is not so or they are not there."""
    if os.path.isabs(parent):
        raise UsageError("invalid parent path: it must be relative to the image path", path=parent)
    if not os.path.isdir(f"{images}/{parent}"):
        raise UsageError(f"invalid parent path: {images}/{parent} is no directory", path=parent)
    return parent


def parse_cgroup_mode(text: str) -> int:
    """CRIU's number of a mode; "" is soft.  UsageError for another word."""
    if text and text not in CGROUP_MODES:
        raise UsageError(f"invalid manage-cgroups-mode {text!r}: want one of {', '.join(CGROUP_MODES)}")
    return CGROUP_MODES[text or "soft"]


def parse_empty_namespaces(names: list[str]) -> int | None:
    """The flags (CLONE_NEW*) of namespaces whose content is left out; UsageError but for `network`."""
    for name in names:
        if name != "network":
            raise UsageError(f"namespace {name!r} is not supported by --empty-ns: want network")
    return CLONE_NEWNET if names else None


def parse_page_server(text: str) -> Message | None:
    """ADDRESS:PORT of the server that takes the memory pages; None for "".  UsageError for anything else."""
    if not text:
        return None
    address, _, port = text.rpartition(":")
    if not address or not is_decimal(port) or not 0 < int(port) < 65536:
        raise UsageError(f"invalid page server {text!r}: want ADDRESS:PORT")
    return criu_messages.Message([(1, address), (2, int(port))])


def parse_descriptor(text: str) -> int:
    """An open descriptor of ours; -1 for none.  UsageError if it is not open."""
    if not text or text == "-1":
        return -1
    try:
        os.fstat(int(text))
    except (ValueError, OSError) as error:
        raise UsageError(f"--status-fd {text}: no open file descriptor") from error
    return int(text)
