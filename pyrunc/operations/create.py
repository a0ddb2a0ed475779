"""create: everything the configuration asks for, but not the program."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.operations import Context


def create(
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
) -> None:
    """Create the container `id` from `bundle` ("" = current directory); leave its init waiting for start."""
    raise NotImplementedError
