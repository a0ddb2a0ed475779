"""The verbs as functions of the Python API: the operations, with a context of their own."""

from __future__ import annotations

import sys
from functools import wraps
from importlib import import_module
from inspect import Parameter, signature
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pyrunc.cli.main import state_root
from pyrunc.operations import Context

if TYPE_CHECKING:
    from collections.abc import Callable

_OF_THE_CONTEXT = (
    Parameter("root", Parameter.KEYWORD_ONLY, default="", annotation="str"),
    Parameter("systemd_cgroup", Parameter.KEYWORD_ONLY, default=False, annotation="bool"),
    Parameter("rootless", Parameter.KEYWORD_ONLY, default="auto", annotation="str"),
)


def verb(name: str) -> Callable[..., Any]:
    """The function `name`; it also takes `root`, `systemd_cgroup`, `rootless`, like the global flags."""
    operation = getattr(import_module(f"pyrunc.operations.{name}"), name)
    own = signature(operation)
    added = [parameter for parameter in _OF_THE_CONTEXT if parameter.name not in own.parameters]

    @wraps(operation)
    def call(*arguments: Any, **options: Any) -> Any:
        chosen = {parameter.name: options.pop(parameter.name, parameter.default) for parameter in added}
        return operation(_make_context(**chosen), *arguments, **options)

    own_parameters = [*own.parameters.values()][1:]  # without the context
    call.__signature__ = own.replace(parameters=[*own_parameters, *added])  # type: ignore[attr-defined]
    return call


def _make_context(root: str, systemd_cgroup: bool, rootless: str = "auto") -> Context:
    return Context(state_root(root, rootless), systemd_cgroup, rootless, root_given=bool(root))


class _CallablePackage(ModuleType):
    """A package with the name of a verb: imported, it hides the verb, so calling it is the verb."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return verb(self.__name__.rpartition(".")[2])(*arguments, **options)


for _name in ("plan", "spec", "state"):
    import_module(f"pyrunc.{_name}")
    sys.modules[f"pyrunc.{_name}"].__class__ = _CallablePackage
