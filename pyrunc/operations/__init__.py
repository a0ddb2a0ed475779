"""The verbs: one module each, with a function of the module's name.

Every verb takes a `Context` first and plain values after it; it returns data
(dicts, lists, numbers) or nothing, prints nothing and raises PyruncError.
Flags, output formats and exit codes of the command line live in `pyrunc.cli`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Log(Protocol):
        """What verbs ask of a log; `pyrunc.log` has the real one."""

        @property
        def debugging(self) -> bool:
            """Whether `debug` is shown."""

        def debug(self, text: str) -> None:
            """A step, shown only while `debugging`."""

        def warning(self, text: str) -> None:
            """Something that is not as asked while the call goes on."""


class Context:
    """What the global flags say.

    root: absolute directory of the state store; root_given: it was named by
    the caller; rootless: "true", "false" or "auto"; no_cgroup: containers stay
    in the runtime's own cgroup; criu: the program, "" for that in PATH.
    """

    __slots__ = ("criu", "log", "no_cgroup", "root", "root_given", "rootless", "systemd_cgroup")

    def __init__(
        self, root: str, systemd_cgroup: bool = False, rootless: str = "auto",
        log: Log | None = None, root_given: bool = True, no_cgroup: bool = False, criu: str = "",
    ) -> None:  # fmt: skip
        self.root = root
        self.systemd_cgroup = systemd_cgroup
        self.rootless = rootless
        self.log: Log = log or Silent()
        self.root_given = root_given
        self.no_cgroup = no_cgroup
        self.criu = criu


def is_decimal(text: str) -> bool:
    """Whether `text` is ASCII digits alone (not ` 1`, `+1` or `1_0`), and no more than int() takes."""
    return text.isascii() and text.isdigit() and len(text) <= 64


class Silent:
    """A log that keeps nothing."""

    __slots__ = ("debugging",)

    def __init__(self) -> None:
        self.debugging = False

    def debug(self, text: str) -> None:
        """Drop the line."""

    def warning(self, text: str) -> None:
        """Drop the line."""
