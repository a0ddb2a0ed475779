"""The verbs as functions of the Python API: the operations, with a context of their own."""

from __future__ import annotations

import sys
from functools import wraps
from importlib import import_module
from types import ModuleType
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


class _CallablePackage(ModuleType):
    """A package with the name of a verb: imported, it hides the verb, so calling it is the verb."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return verb(self.__name__.rpartition(".")[2])(*arguments, **options)


for _name in ("plan", "spec", "state"):
    import_module(f"pyrunc.{_name}")
    sys.modules[f"pyrunc.{_name}"].__class__ = _CallablePackage
