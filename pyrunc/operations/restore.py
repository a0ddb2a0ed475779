"""restore: bring a container back from the image files of a checkpoint, through CRIU."""

from __future__ import annotations

import os

from pyrunc.errors import HostError, UsageError
from pyrunc.execute.restoration import Restoration
from pyrunc.host.facts import probe_facts
from pyrunc.operations.checkpoint import (
    check_host,
    make_directory,
    parse_cgroup_mode,
    parse_empty_namespaces,
)
from pyrunc.operations.create import check_terminal, make_options
from pyrunc.plan.create import plan_create
from pyrunc.spec.load import load_bundle
from pyrunc.state.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyrunc.execute.foreground import Foreground
    from pyrunc.operations import Context
    from pyrunc.plan.options import CreateOptions
    from pyrunc.spec.types import Config


def restore(
    context: Context, id: str, bundle: str = "", *, console_socket: str = "", pid_file: str = "",
    image_path: str = "", work_path: str = "", detach: bool = False, no_subreaper: bool = False,
    no_pivot: bool = False, tcp_established: bool = False, tcp_close: bool = False,
    ext_unix_sk: bool = False, shell_job: bool = False, file_locks: bool = False, auto_dedup: bool = False,
    lazy_pages: bool = False, manage_cgroups_mode: str = "", empty_ns: list[str] | None = None,
    lsm_profile: str = "", lsm_mount_context: str = "",
) -> int:  # fmt: skip
    """Make the container `id` of `bundle` go on where its checkpoint in `image_path` was taken.

    The exit status of its program (128 + N for signal N); 0 when detached.
    CRIU's log is `restore.log` in `work_path` or, without one, with the images.
    """
    options = make_options(
        context, id, bundle, detach=detach, console_socket=console_socket, pid_file=pid_file
    )
    program = check_host(context)
    images = check_images(image_path or "checkpoint")
    work = make_directory(work_path) if work_path else images
    asked = {
        "tcp_established": tcp_established, "tcp_close": tcp_close, "ext_unix_sk": ext_unix_sk,
        "shell_job": shell_job, "file_locks": file_locks, "auto_dedup": auto_dedup, "lazy_pages": lazy_pages,
        "manage_cgroups_mode": parse_cgroup_mode(manage_cgroups_mode),
        "empty_ns": parse_empty_namespaces(empty_ns or []),
        "lsm_profile": check_profile(lsm_profile), "lsm_mount_context": lsm_mount_context or None,
    }  # fmt: skip
    if detach:
        restore_container(context, program, options, images, work, asked).entry.close()
        return 0
    from pyrunc.execute.foreground import Foreground

    foreground = Foreground(subreaper=not no_subreaper)
    try:
        return _run_foreground(context, program, options, images, work, asked, foreground)
    finally:
        foreground.close()


def _run_foreground(
    context: Context, program: str, options: CreateOptions, images: str, work: str, asked: dict[str, Any],
    foreground: Foreground,
) -> int:  # fmt: skip
    from pyrunc.operations.run import wait_and_destroy

    restoration = restore_container(context, program, options, images, work, asked)
    init = restoration.started()
    foreground.begin(init.pid, init.pidfd, restoration.console)
    return wait_and_destroy(context, restoration.entry, foreground)


def restore_container(
    context: Context, program: str, options: CreateOptions, images: str, work: str, asked: dict[str, Any]
) -> Restoration:
    """The restored container, its entry locked; all is undone if it fails.  program: CRIU."""
    loaded = load_bundle(options.bundle)
    check_config(loaded.config)
    check_terminal(loaded.config, options.detach, options.console_socket)
    entry = Store(context.root).create(options.id)
    restoration = None
    try:
        facts = probe_facts(loaded.config)
        plan = plan_create(loaded.config, facts, options)
        restoration = Restoration(plan, loaded, entry, options, facts, context.log, False)
        restoration.restore(program, images, work, asked, options.pid_file)
    except BaseException:
        if restoration is not None:
            restoration.undo()
        else:
            entry.remove()
        entry.close()
        raise
    return restoration


def check_config(config: Config) -> None:
    """HostError for what CRIU cannot bring back."""
    linux: Any = config.get("linux") or {}
    if not any(entry["type"] == "mount" for entry in linux.get("namespaces") or []):
        text = "a container without a mount namespace of its own cannot be restored"
        raise HostError(text, pointer="/linux/namespaces")


def check_images(path: str) -> str:
    """The absolute path of the image files; UsageError if there are none."""
    path = os.path.abspath(path)
    if not os.path.isfile(f"{path}/inventory.img"):
        raise UsageError(f"there is no checkpoint in {path}", path=path)
    return path


def check_profile(text: str) -> str | None:
    """TYPE:NAME of a security module's profile; None for "".  UsageError for anything else."""
    kind, colon, name = text.partition(":")
    if text and (kind not in ("apparmor", "selinux") or not colon or not name):
        raise UsageError(f"invalid lsm profile {text!r}: want apparmor:NAME or selinux:NAME")
    return text or None
