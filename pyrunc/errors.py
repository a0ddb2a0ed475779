"""What can go wrong, ordered by whose fault it is.

Here: the exception tree, and the kernel's reason in words.  The text that reaches
a log or a terminal is made by `pyrunc.log`; exit codes are chosen by `pyrunc.cli.main`.
"""

from __future__ import annotations

import os
from errno import EMFILE, ENFILE, ENOMEM

EXHAUSTED = (EMFILE, ENFILE, ENOMEM)
"""What the kernel says when it lacks room to look: nothing about whether a thing is there."""


def reason(errno: int) -> str:
    """The kernel's reason in lower case, as error texts end with it: `permission denied`."""
    return os.strerror(errno).lower()


def reason_of(error: OSError) -> str:
    """The `reason` of a failed system call; the error's own text where it has no errno."""
    return reason(error.errno) if error.errno else str(error)


class PyruncError(Exception):
    """An error with a one-line text for people and fields for machines.

    The text is lower case, without a full stop.  `pointer` is the JSON pointer
    of the config property at fault, `step` what was being done, `hint` the
    cure.  Fields that are not known stay empty and are not printed.
    """

    def __init__(
        self,
        text: str,
        *,
        pointer: str = "",
        step: str = "",
        path: str = "",
        errno: int = 0,
        hint: str = "",
    ) -> None:
        super().__init__(text)
        self.text = text
        self.pointer = pointer
        self.step = step
        self.path = path
        self.errno = errno
        self.hint = hint

    def fields(self) -> dict[str, str | int]:
        """The fields that are known, by name, in a fixed order."""
        names = ("step", "pointer", "path", "errno", "hint")
        return {name: value for name in names if (value := getattr(self, name))}


class UsageError(PyruncError):
    """The command line is wrong: the caller's fault, nothing was tried."""


class SpecError(PyruncError):
    """config.json (or another OCI document) is wrong: the bundle's fault.

    `violations` holds every violation found, each a SpecError of its own, when
    more than one was looked for (`pyrunc validate`).
    """

    violations: list[SpecError]

    def __init__(self, text: str, **fields: object) -> None:
        super().__init__(text, **fields)  # type: ignore[arg-type]
        self.violations = []


class StateError(PyruncError):
    """The container is not in a state that allows the operation, or is unknown."""


class HostError(PyruncError):
    """The host lacks what the container needs: a controller, a feature, room."""


class OperationError(PyruncError):
    """An operation of the plan failed; `errno` and `pointer` say where and why."""


class HookError(PyruncError):
    """A hook failed, timed out or could not be started."""
