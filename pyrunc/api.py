"""The verbs as functions of the Python API: the operations, with a context of their own."""

from __future__ import annotations

from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pyrunc.cli.main import state_root
from pyrunc.operations import Context

if TYPE_CHECKING:
    from collections.abc import Callable


def verb(name: str) -> Callable[..., Any]:
    """The function `name`; it also takes `root`, `systemd_cgroup`, `rootless`."""
    operation = getattr(import_module(f"pyrunc.operations.{name}"), name)

    @wraps(operation)
    def call(
        *arguments: Any, root: str = "", systemd_cgroup: bool = False, rootless: str = "auto", **options: Any
    ) -> Any:
        context = Context(state_root(root, rootless), systemd_cgroup, rootless, root_given=bool(root))
        return operation(context, *arguments, **options)

    return call
