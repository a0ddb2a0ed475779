"""What the caller of create asks for, beside the configuration."""

from __future__ import annotations


class CreateOptions:
    """What the caller of create decides, beside the bundle.

    bundle, state_dir: absolute paths; detach: the terminal goes to
    `console_socket`; notify_socket: the caller's NOTIFY_SOCKET, "" = none;
    listen_fds: as in LISTEN_FDS, passed on from 3 on before `preserve_fds` more;
    seccomp_program: the compiled filter.
    """

    __slots__ = (
        "bundle", "console_socket", "detach", "id", "listen_fds", "no_cgroup", "no_new_keyring", "no_pivot",
        "notify_socket", "pid_file", "pidfd_socket", "preserve_fds", "seccomp_program", "state_dir",
        "systemd_cgroup",
    )  # fmt: skip

    def __init__(self, id: str, bundle: str, state_dir: str) -> None:
        self.id = id
        self.bundle = bundle
        self.state_dir = state_dir
        self.systemd_cgroup = False
        self.no_cgroup = False
        self.no_pivot = False
        self.no_new_keyring = False
        self.pid_file = ""
        self.console_socket = ""
        self.pidfd_socket = ""
        self.preserve_fds = 0
        self.detach = True
        self.notify_socket = ""
        self.listen_fds = 0
        self.seccomp_program = b""
