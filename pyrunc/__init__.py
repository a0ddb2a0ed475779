"""pyrunc: an OCI runtime.  `import pyrunc; pyrunc.run("id", "bundle")` does what the command line does.

The names of `__all__` are loaded on first use, so that importing the package
costs nothing.  The verbs here take a container id and the flags of the command
line by name; `root` chooses the state directory.  They print nothing, return
data and raise PyruncError.
"""

from __future__ import annotations

__version__ = "0.1.0"

_ERRORS = ("HookError", "HostError", "OperationError", "PyruncError", "SpecError", "StateError", "UsageError")
_VERBS = (
    "checkpoint", "create", "delete", "events", "exec", "features", "kill", "list", "pause", "plan",
    "ps", "restore", "resume", "run", "spec", "start", "state", "update", "validate",
)  # fmt: skip

__all__ = [*_ERRORS, *_VERBS]  # noqa: PLE0604


def __getattr__(name: str) -> object:
    """Load an error class or a verb on first use (PEP 562)."""
    if name in _ERRORS:
        from pyrunc import errors

        return getattr(errors, name)
    if name in _VERBS:
        from pyrunc.api import verb

        return verb(name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
