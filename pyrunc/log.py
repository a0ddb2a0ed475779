"""Log lines: where they go (`--log`), their forms (`--log-format`), the one error line of a failed call.

Engines read these lines: `level`, `msg` and an RFC 3339 `time` are those of
runc, what `PyruncError.fields` knows is added.  containerd reports the last
error line of the file, podman wants no second line in it: so a call that fails
writes one error line, and nothing else is ever written at that level.
"""

from __future__ import annotations

import os
import time

from pyrunc.errors import HostError, reason_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyrunc.errors import PyruncError

STDERR = 2
_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/@^+")


class Log:
    """Where log lines go.  One write per line, so that concurrent runtimes do not mix theirs."""

    __slots__ = ("_as_json", "_fd", "debugging")

    def __init__(self, path: str = "", form: str = "text", debug: bool = False) -> None:
        """Append to `path`, or to standard error without one; a pipe that nobody reads is not waited for."""
        self._as_json = form == "json"
        self.debugging = debug  # ask before making an expensive text
        self._fd = STDERR
        if path:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
            try:
                self._fd = os.open(path, flags, 0o644)
            except OSError as error:
                raise HostError(f"cannot open the log {path}: {reason_of(error)}", path=path) from error

    def debug(self, text: str, **fields: str | int) -> None:
        """A step, for those who asked with `--debug`."""
        if self.debugging:
            self._write("debug", text, fields)

    def info(self, text: str, **fields: str | int) -> None:
        """Something worth knowing that nobody needs to act on; only with `--debug`."""
        if self.debugging:
            self._write("info", text, fields)

    def warning(self, text: str, **fields: str | int) -> None:
        """Something the user asked for that will not be as asked, while the call goes on."""
        self._write("warning", text, fields)

    def failure(self, error: PyruncError, prefix: str = "") -> None:
        """The one error line of a failed call; its text goes to stderr too if the log is elsewhere."""
        text = prefix + error.text
        self._write("error", text, error.fields())
        if self._fd != STDERR:
            hint = f" ({error.hint})" if error.hint else ""
            _put(STDERR, escape_controls(f"{text}{hint}") + "\n")

    def _write(self, level: str, text: str, fields: Mapping[str, str | int]) -> None:
        when = rfc3339(time.time())
        render = render_json_line if self._as_json else render_text_line
        _put(self._fd, render(level, text, when, fields))


def rfc3339(seconds: float) -> str:
    """A moment in UTC, to the second: `2026-11-22T02:25:29Z`."""
    year, month, day, hour, minute, second, *_ = time.gmtime(seconds)
    return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"


def render_text_line(level: str, text: str, when: str, fields: Mapping[str, str | int]) -> str:
    """`time="…" level=error msg="…" key=value`: values are quoted where they hold more than a bare word."""
    rest = "".join(f" {name}={_word(str(value))}" for name, value in fields.items())
    return f"time={_quote(when)} level={level} msg={_quote(text)}{rest}\n"


def render_json_line(level: str, text: str, when: str, fields: Mapping[str, str | int]) -> str:
    """One JSON object on one line."""
    from pyrunc.cores import encode_string

    pairs = {"level": level, "msg": text, "time": when, **fields}
    return (
        "{"
        + ",".join(
            f"{encode_string(name)}:{value if isinstance(value, int) else encode_string(value)}"
            for name, value in pairs.items()
        )
        + "}\n"
    )


def _word(value: str) -> str:
    return value if value and _BARE.issuperset(value) else _quote(value)


def _quote(value: str) -> str:
    return '"' + escape_controls(value.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def escape_controls(text: str) -> str:
    """Text in which nothing steers a terminal or ends the line: images choose names that errors repeat."""
    text = text.replace("\n", "\\n").replace("\t", "\\t")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def _put(fd: int, line: str) -> None:
    """Write a line; a log that cannot be written does not change the outcome of the call."""
    try:
        os.write(fd, line.encode("utf-8", "surrogateescape"))
    except OSError:
        pass
