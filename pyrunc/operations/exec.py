"""exec: another process in a running container."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyrunc.operations import Context


def exec(
    context: Context,
    id: str,
    args: Sequence[str] = (),
    *,
    process: str = "",
    cwd: str = "",
    env: Sequence[str] = (),
    tty: bool = False,
    user: str = "",
    additional_gids: Sequence[int] = (),
    process_label: str = "",
    apparmor: str = "",
    no_new_privs: bool = False,
    cap: Sequence[str] = (),
    detach: bool = False,
    pid_file: str = "",
    console_socket: str = "",
    pidfd_socket: str = "",
    preserve_fds: int = 0,
    cgroup: Sequence[str] = (),
    ignore_paused: bool = False,
) -> int:
    """The exit status of the process (128 + N for signal N); 0 when detached.

    `process` names a file with an OCI process ("-" is standard input); the
    other flags change it, or the container's own process where it is empty.
    Raises PyruncError when the process could not be started.
    """
    raise NotImplementedError
