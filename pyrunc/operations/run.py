"""run: create, start and, in the foreground, wait and delete."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.operations import Context


def run(
    context: Context,
    id: str,
    bundle: str = "",
    *,
    console_socket: str = "",
    pidfd_socket: str = "",
    pid_file: str = "",
    no_pivot: bool = False,
    no_new_keyring: bool = False,
    preserve_fds: int = 0,
    detach: bool = False,
    keep: bool = False,
    no_subreaper: bool = False,
) -> int:
    """The exit status of the container's program (128 + N for signal N); 0 when detached."""
    raise NotImplementedError
