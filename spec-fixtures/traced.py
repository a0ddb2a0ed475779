"""Which modules read which property: configurations that note who asks them.

A `Traced` is a dict whose every access is noted with the module that made it.
Planning all fixtures on every kind of host with them gives, for each leaf of
the schema, the modules that decide by it.  What is read later, when a plan is
carried out, stands in LATER with the modules that do it.
"""

from __future__ import annotations

import fnmatch
import sys
from typing import Any

from pyrunc.errors import PyruncError
from pyrunc.execute.seccomp import pack_profile
from pyrunc.plan.create import plan_create
from pyrunc.plan.exec import ExecOptions, plan_exec
from pyrunc.plan.options import CreateOptions
from pyrunc.spec.load import load_bundle
from pyrunc.spec.rules import check_rules
from pyrunc.state.record import Record
from tests.golden import plans
from tests.source.test_no_property_is_ignored import healed, hosts
from tests.unit.spec.leaves import Path, leaves

LATER = {
    "hooks/poststart/*": "pyrunc.execute.hooks",
    "hooks/poststop/*": "pyrunc.execute.hooks",
    "hooks/prestart/*": "pyrunc.execute.hooks",
    "hooks/createRuntime/*": "pyrunc.execute.hooks",
    "annotations/*": "pyrunc.execute.creation",
    "ociVersion": "pyrunc.execute.creation",
    "linux/resources/memory/checkBeforeUpdate": "pyrunc.cgroup.change",
}
"""Leaves → the module that reads them when the plan is carried out, in start, in delete or in update."""

LEAVES = leaves()
PREFIXES = {leaf[:end] for leaf in LEAVES for end in range(len(leaf) + 1)}


class Traced(dict[str, Any]):
    """A part of a configuration, at `path`; `seen` gets (path, module) of each access."""

    def __init__(self, value: dict[str, Any], path: Path, seen: set[tuple[Path, str]]) -> None:
        super().__init__({key: traced(item, self.path_of(path, key), seen) for key, item in value.items()})
        self.path = path
        self.seen = seen

    @staticmethod
    def path_of(path: Path, key: str) -> Path:
        """The name of a part in the schema: its key, or `*` in a map."""
        exact = (*path, key)
        return exact if exact in PREFIXES else (*path, "*")

    def note(self, key: str) -> None:
        """The caller of our caller reads `key`."""
        module = sys._getframe(2).f_globals["__name__"]
        if module.startswith("pyrunc."):
            self.seen.add((self.path_of(self.path, key), module))

    def __getitem__(self, key: str) -> Any:
        self.note(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self.note(str(key))
        return super().__contains__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """Noted, as all below."""
        self.note(key)
        return super().get(key, default)

    def items(self) -> Any:
        """Every key is read."""
        for key in list(self):
            self.note(key)
        return super().items()

    def values(self) -> Any:
        """Every key is read."""
        for key in list(self):
            self.note(key)
        return super().values()


def traced(value: Any, path: Path, seen: set[tuple[Path, str]]) -> Any:
    """A copy of `value` that notes accesses."""
    if isinstance(value, dict):
        return Traced(value, path, seen)
    if isinstance(value, list):
        return [traced(item, (*path, "*"), seen) for item in value]
    return value


def readers() -> dict[Path, list[str]]:
    """For each leaf the modules that read it, sorted."""
    seen: set[tuple[Path, str]] = set()
    configs = {name: load_bundle(str(plans.FIXTURES / "bundles" / name)).config for name in plans.BUNDLES}
    others = [plans.load_facts(profile) for profile in ("apparmor", "v2-rootless-delegated")]
    for config in configs.values():
        for facts in hosts():
            _plan(config, facts, seen)
            _plan(healed(config, facts)[0], facts, seen)
        for facts in others:
            _plan(config, facts, seen)
        if "seccomp" in (config.get("linux") or {}):
            _try(pack_profile, traced(config["linux"]["seccomp"], ("linux", "seccomp"), seen))
    found: dict[Path, set[str]] = {leaf: set() for leaf in LEAVES}
    for path, module in seen:
        for leaf in LEAVES:
            if leaf == path or (leaf[-1] == "*" and leaf[:-1] == path):
                found[leaf].add(module)
    for pattern, module in LATER.items():
        for leaf in LEAVES:
            if fnmatch.fnmatchcase("/".join(leaf), pattern):
                found[leaf].add(module)
    return {leaf: sorted(modules) for leaf, modules in found.items()}


def _plan(config: Any, facts: Any, seen: set[tuple[Path, str]]) -> None:
    """The rules, create, and an exec of the same process."""
    create = CreateOptions("x", "/bundle", "/state")
    list(check_rules(traced(config, (), seen)))
    _try(plan_create, traced(config, (), seen), facts, create)
    process = config.get("process")
    if process:
        options = ExecOptions(config.get("linux") or {})
        _try(plan_exec, traced(process, ("process",), seen), Record("x", "/bundle"), facts, options)


def _try(function: Any, *arguments: Any) -> None:
    try:
        function(*arguments)
    except PyruncError:
        pass
