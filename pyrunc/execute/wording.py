"""The words for a failed operation: which config property, what, why.

Pure, and loaded only when something failed.  Engines parse some of these texts
(they turn them into exit codes 126 and 127), so they are runc's.
"""

from __future__ import annotations

import os
from errno import EACCES, ECANCELED, EINVAL, ENOENT, ENOTDIR, EPERM, ETIMEDOUT

from pyrunc.cores import signals
from pyrunc.errors import HookError, HostError, OperationError, PyruncError, reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pyrunc.execute.conversation import Message
    from pyrunc.plan.ops import Op
    from pyrunc.spec.types import Config

_START = "unable to start container process: "
_INIT = _START + "error during container init: "
_CGROUP = _START + "unable to apply cgroup configuration: "
_OF_CGROUPS = ("make_cgroup", "write_cgroup", "join_cgroup", "own_cgroup", "attach_device_program")
UNHEARD = 1  # exit status of a pyrunc-init that failed, or could say nothing
_FILTERED = "its seccomp filter forbids what every program needs, as read, write, execve or exit_group"
_HINTS: dict[int, str] = {
    signals.SIGILL: _FILTERED,
    signals.SIGSYS: _FILTERED,
    signals.SIGKILL: "somebody killed it, or a limit of the container did",
}


def explain_failure(op: Op | None, message: Message, config: Config) -> PyruncError:
    """The error for what pyrunc-init reported about `op` (None: before its plan began)."""
    if op is None:
        return OperationError(f"{_INIT}{message.text}: {reason(message.error)}", errno=message.error)
    words = _WORDS.get(op.name, _plain)
    text = words(op, message, config)
    kind = HookError if op.name == "run_hook" else OperationError
    return kind(text, step=op.name, pointer=op.pointer, errno=message.error, path=_path(op))


def explain_end(status: int, step: str, oom_killed: bool, lacked_memory: bool) -> PyruncError:
    """The error for a pyrunc-init that ended without a word; `status`: its wait status, -1 where unknown.

    oom_killed, lacked_memory: what its cgroup says.  The kernel books a kill on the cgroup of
    stage 1, the runtime's, as long as stage 2 has not inherited its memory: then a SIGKILL after
    memory was refused is that kill.
    """
    killed = status != -1 and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signals.SIGKILL
    if oom_killed or (killed and lacked_memory):
        return HostError(
            f"{_START}the memory limit of the container is too small for its set-up: the kernel killed it",
            step=step, pointer="/linux/resources/memory/limit", hint="raise linux.resources.memory.limit",
        )  # fmt: skip
    if status == -1:
        return OperationError(f"{_START}the container's init is gone", step=step)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        hint = _HINTS.get(number, "")
        text = f"{_START}the container's init was killed by signal {number}"
        return OperationError(text, step=step, hint=hint)
    code = os.waitstatus_to_exitcode(status)
    hint = _FILTERED if code == UNHEARD else ""
    return OperationError(f"{_START}the container's init ended with status {code}", step=step, hint=hint)


def explain_runtime(op: Op, error: OSError) -> PyruncError:
    """The error for an operation of the runtime's own half."""
    errno = error.errno or 0
    why = reason(errno) if errno else str(error)
    path = str(error.filename or "")
    what = op.name.replace("_", " ") + (f" {path}" if path else "")
    kind: type[PyruncError] = OperationError
    prefix, hint = _START, ""
    if op.name in _OF_CGROUPS:
        kind, prefix = HostError, _CGROUP
    if op.name == "set_rlimit":
        prefix = _INIT
        what = f"error setting rlimits for ready process: error setting rlimit type {op.args[0]!s}"
        hint = "a hard limit above the caller's own needs CAP_SYS_RESOURCE" if errno == EPERM else ""
    elif op.name == "write_cgroup":
        what = f"write {op.args[2]!r} to {op.args[1]!s}"
    elif op.name == "start_init":
        what = "cannot start pyrunc-init"
    return kind(f"{prefix}{what}: {why}", step=op.name, pointer=op.pointer, errno=errno, path=path, hint=hint)


def _path(op: Op) -> str:
    """The path that the operation is about, if any."""
    if op.name == "find_executable":
        return ""
    for argument in op.args:
        if isinstance(argument, str) and argument.startswith("/"):
            return str(argument)
    return ""


def _because(message: Message) -> str:
    """Detail and reason of a message."""
    why = reason(message.error)
    return f"{message.text}: {why}" if message.text and message.text.lower() != why else why


def _plain(op: Op, message: Message, config: Config) -> str:
    mount = _mount(op.pointer, config)
    if mount:
        source, target = mount
        return f'{_INIT}error mounting "{source}" to rootfs at "{target}": {_step(op)}: {_because(message)}'
    return f"{_INIT}{_step(op)}: {_because(message)}"


def _require_proc(op: Op, message: Message, config: Config) -> str:
    if message.error != EPERM:  # it could not be looked at
        return _plain(op, message, config)
    source, target = _mount(op.pointer, config) or ("", "/proc")
    why = f'"{target}" cannot be mounted because it is not of type proc'
    return f'{_INIT}error mounting "{source}" to rootfs at "{target}": {why}'


def _step(op: Op) -> str:
    """The operation and the path it is about."""
    if op.name in ("open_tree", "open_source"):
        return f"stat {op.args[1]!s}"
    if op.name in ("set_hostname", "set_domainname"):
        return f"{op.name.replace('_', ' ')} {':'.join(map(str, op.args))}"
    path = _path(op)
    return f"{op.name.replace('_', ' ')} {path}" if path else op.name.replace("_", " ")


def _mount(pointer: str, config: Config) -> tuple[str, str] | None:
    """Source and destination of the mount that `pointer` lies in."""
    parts = pointer.split("/")
    if len(parts) < 3 or parts[1] != "mounts" or not parts[2].isdigit():
        return None
    mounts = config.get("mounts") or []
    index = int(parts[2])
    if index >= len(mounts):
        return None
    mount = mounts[index]
    return mount.get("source") or mount.get("type") or "", mount["destination"]


def _find_executable(op: Op, message: Message, config: Config) -> str:
    name = str(op.args[0])
    if message.error == ENOENT and "/" not in name:
        why = "executable file not found in $PATH"
    elif message.error == EACCES:
        why = reason(message.error)
    else:
        why = f"stat {name}: {reason(message.error)}"
    return f'{_START}exec: "{name}": {why}'


def _exec(op: Op, message: Message, config: Config) -> str:
    args = op.args[0]  # a record keeps only the first of them
    name = args if isinstance(args, str) else "".join(args[:1]) if isinstance(args, list) else ""
    return f'{_START}exec: "{name}": {_because(message)}'


def _change_directory(op: Op, message: Message, config: Config) -> str:
    return f'{_START}chdir to cwd ("{op.args[0]!s}") set in config.json failed: {_because(message)}'


def _capabilities(op: Op, message: Message, config: Config) -> str:
    return f"{_INIT}unable to apply caps: {_because(message)}"


def _user(op: Op, message: Message, config: Config) -> str:
    """An id that the user namespace does not map is invalid to the kernel."""
    user = f"uid {op.args[0]!s} and gid {op.args[1]!s}" if op.name == "set_user" else f"groups {op.args[0]!s}"
    if message.error == EINVAL:
        return f"{_INIT}cannot set {user}: not all of them are mapped in the user namespace"
    return f"{_INIT}cannot set {user}: {_because(message)}"


def _label(op: Op, message: Message, config: Config) -> str:
    what = "apparmor profile" if op.pointer.endswith("apparmorProfile") else "label"
    why = "it is not loaded" if what[0] == "a" and message.error == ENOENT else _because(message)
    return f"{_INIT}unable to apply {what} {op.args[2]!s}: {why}"


def _hook(op: Op, message: Message, config: Config) -> str:
    parts = op.pointer.split("/")
    kind, index = (parts[2], parts[3]) if len(parts) > 3 else ("container", "0")
    ended = message.text and message.error in (ECANCELED, ETIMEDOUT)
    why = message.text if ended else f"{_path(op)}: {_because(message)}"
    return f"{_INIT}error running {kind} hook #{index}: {why}"


def _rootfs(op: Op, message: Message, config: Config) -> str:
    if op.name == "open_tree" and op.pointer.startswith("/root"):
        return f"invalid rootfs: stat {op.args[1]!s}: {_because(message)}"
    if op.name != "open_tree" and message.error == ENOTDIR:
        return f"invalid rootfs: {config['root']['path']}: {_because(message)}"
    return _plain(op, message, config)


def _write_proc(op: Op, message: Message, config: Config) -> str:
    return f"{_INIT}write {op.args[2]!r} to /proc/{op.args[1]!s}: {_because(message)}"


def _enter_cgroup(op: Op, message: Message, config: Config) -> str:
    controller = str(op.args[0]).partition("/")[2]
    return f"{_CGROUP}enter the cgroup of {controller}: {_because(message)}"


_WORDS: dict[str, Callable[[Op, Message, Config], str]] = {
    "enter_cgroup": _enter_cgroup,
    "find_executable": _find_executable,
    "exec": _exec,
    "change_directory": _change_directory,
    "set_capabilities": _capabilities,
    "drop_bounding": _capabilities,
    "set_user": _user,
    "set_groups": _user,
    "set_label": _label,
    "run_hook": _hook,
    "open_tree": _rootfs,
    "attach_root": _rootfs,
    "attach_root_at": _rootfs,
    "require_proc": _require_proc,
    "write_proc": _write_proc,
}


def explain_warning(op: Op | None, message: Message) -> str:
    """The text for a warning of pyrunc-init."""
    step = _step(op) if op is not None else "pyrunc-init"
    of_capabilities = ("drop_bounding", "set_ambient", "set_capabilities")
    if op is not None and op.name in of_capabilities and message.text.startswith("0x"):
        from pyrunc.plan.capabilities import capability_names

        message.text = " ".join(capability_names(int(message.text, 16)))
    return f"{step}: {_because(message) if message.error else message.text}"
