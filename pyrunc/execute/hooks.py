"""Hooks that run in the runtime's namespaces: prestart, createRuntime, poststart, poststop.

Hooks of the container's namespaces are operations of pyrunc-init (`run_hook`).
Spec: config.md, "POSIX-platform Hooks".
"""

from __future__ import annotations

import os

from pyrunc import native
from pyrunc.cores import render_json, signals
from pyrunc.errors import HookError, reason_of
from pyrunc.execute.process import caller_environment, reap, send_signal, wait_gone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

OUTPUT_LIMIT = 4096
FOREVER = 10.0**9


def run_hook(kind: str, index: int, hook: dict[str, Any], state: dict[str, object], directory: str) -> None:
    """Run one hook to its end with the state on its stdin; HookError if it fails.

    argv[0] is args[0], whatever `path` is: docker's network hook is a link to
    its daemon and looks at its name.  Without `env` it gets the runtime's own.
    One with a timeout leads a process group, which ends with it when the time is over.
    Output goes to memory files, so no hook and no child of one can block us, or
    to the files that the annotations run.oci.hooks.stdout and .stderr name.
    """
    env = [os.fsencode(item) for item in hook["env"]] if "env" in hook else caller_environment()
    args = [os.fsencode(item) for item in hook.get("args") or [hook["path"]]]
    where = f"error running {kind} hook #{index}"
    pointer = f"/hooks/{kind}/{index}"
    files = [_memory_file(render_json(state).encode())]
    timeout = hook.get("timeout")
    try:
        files += [_output_file(state, "stdout"), _output_file(state, "stderr")]
        stdio = [(fd, number) for number, fd in enumerate(files)]
        pid, pidfd = native.spawn(
            hook["path"], args, env, stdio, directory=directory, own_group=timeout is not None
        )
    except OSError as error:
        text = f"{where}: fork/exec {hook['path']}: {reason_of(error)}"
        raise HookError(text, pointer=pointer, path=hook["path"], errno=error.errno or 0) from error
    else:
        status = _finish(pid, pidfd, timeout)
        if status is None:
            raise HookError(f"{where}: timed out after {timeout} s", pointer=pointer, path=hook["path"])
        if status:
            output = f"stdout: {_output(files[1])}, stderr: {_output(files[2])}"
            raise HookError(f"{where}: {render_status(status)}, {output}", pointer=pointer, path=hook["path"])
    finally:
        for fd in files:
            os.close(fd)


def run_all(kind: str, hooks: list[dict[str, Any]], state: dict[str, object], directory: str) -> None:
    """Run all hooks of one kind in order; the first failure ends it."""
    for index, hook in enumerate(hooks):
        run_hook(kind, index, hook, state, directory)


def run_poststop(
    hooks: list[dict[str, Any]], state: dict[str, object], directory: str, warn: Callable[[str], None]
) -> None:
    """Run all poststop hooks; a failure is a warning and the rest still run."""
    for index, hook in enumerate(hooks):
        try:
            run_hook("poststop", index, hook, state, directory)
        except HookError as error:
            warn(error.text)


def render_status(status: int) -> str:
    """A wait status in words, as Go says it."""
    if os.WIFSIGNALED(status):
        return f"signal: {os.WTERMSIG(status)}"
    return f"exit status {os.waitstatus_to_exitcode(status)}"


def _finish(pid: int, pidfd: int, timeout: int | None) -> int | None:
    """The hook's wait status; None if it had to be killed after `timeout` seconds."""
    try:
        ended = wait_gone(pidfd, FOREVER if timeout is None else timeout)
        if not ended:
            _kill(pid, pidfd, timeout)
        status = reap(pid)
    except BaseException:
        _kill(pid, pidfd, timeout)
        reap(pid)
        raise
    finally:
        os.close(pidfd)
    return status if ended else None


def _kill(pid: int, pidfd: int, timeout: int | None) -> None:
    """Kill a hook that is not reaped yet, and the process group that one with a timeout leads."""
    send_signal(pidfd, signals.SIGKILL)
    if timeout is not None:
        try:
            os.killpg(pid, signals.SIGKILL)
        except OSError:  # all have ended, or became somebody whom we may not signal
            pass


def _output_file(state: dict[str, object], name: str) -> int:
    annotations = state.get("annotations")
    path = annotations.get(f"run.oci.hooks.{name}") if isinstance(annotations, dict) else None
    if not path:
        return _memory_file(b"")
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOCTTY
    try:
        return os.open(path, flags, 0o600)
    except OSError as error:
        text = f"cannot open {path} for the output of hooks: {reason_of(error)}"
        pointer = f"/annotations/run.oci.hooks.{name}"
        raise HookError(text, pointer=pointer, path=path, errno=error.errno or 0) from error


def _memory_file(content: bytes) -> int:
    fd = os.memfd_create("hook", os.MFD_CLOEXEC)
    if content:
        os.write(fd, content)
        os.lseek(fd, 0, os.SEEK_SET)
    return fd


def _output(fd: int) -> str:
    """The last that was written, on one line."""
    try:
        size = os.fstat(fd).st_size
        text = os.pread(fd, OUTPUT_LIMIT, max(size - OUTPUT_LIMIT, 0))
    except OSError:  # a pipe
        return ""
    return text.decode("utf-8", "replace").strip().replace("\n", "; ")
