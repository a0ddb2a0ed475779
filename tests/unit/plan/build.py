"""Small configurations to plan."""

from __future__ import annotations

from typing import Any

from pyrunc.host.facts import Facts
from pyrunc.plan.create import plan_create
from pyrunc.plan.ops import Op
from pyrunc.plan.options import CreateOptions
from pyrunc.plan.plan import Plan, simulate
from pyrunc.spec.rules import check_rules
from pyrunc.spec.schema import is_valid
from pyrunc.spec.schema_table import CONFIG

ROOTLESS_MAP = [{"containerID": 0, "hostID": 1000, "size": 1}]


def facts(**values: Any) -> Facts:
    """Real root on cgroup v2, where nothing is set."""
    known: dict[str, Any] = {
        "cgroup_version": 2,
        "cgroup_mounts": {"": "/sys/fs/cgroup"},
        "own_cgroups": {"": "/init.scope"},
        "cgroup_writable": [""],
        "last_capability": 40,
    }
    return Facts.from_json(known | values)


def rootless_facts(**values: Any) -> Facts:
    """An ordinary user whom nothing was delegated to."""
    return facts(euid=1000, copies_mounts=False, cgroup_writable=[], **values)


def config(process: dict[str, Any] | None = None, **sections: Any) -> dict[str, Any]:
    """A container with a mount namespace; `linux` and `process` are merged in, other sections replace."""
    linux: dict[str, Any] = {"namespaces": [{"type": "mount"}]} | sections.pop("linux", {})
    result: dict[str, Any] = {
        "ociVersion": "1.3.0",
        "root": {"path": "rootfs"},
        "process": {"cwd": "/", "args": ["true"], "user": {"uid": 0, "gid": 0}} | (process or {}),
        "linux": linux,
    }
    return result | sections


def namespaces(*kinds: str | dict[str, str]) -> list[dict[str, str]]:
    """A list of namespaces with the mount namespace first."""
    return [{"type": "mount"}, *({"type": kind} if isinstance(kind, str) else kind for kind in kinds)]


def make(document: dict[str, Any], host: Facts | None = None, valid: bool = True, **options: Any) -> Plan:
    """The plan of a valid configuration, proven free of deadlocks."""
    if valid:
        assert is_valid(document, CONFIG), document
        assert not list(check_rules(document))
    wanted = CreateOptions("example", "/bundle", "/run/pyrunc/example")
    for name, value in options.items():
        setattr(wanted, name, value)
    plan = plan_create(document, host or facts(), wanted)  # type: ignore[arg-type]
    simulate(plan)
    return plan


def calls(ops: list[Op], *names: str) -> list[tuple[Any, ...]]:
    """(name, *args) of the operations with these names, or of all."""
    return [(op.name, *op.args) for op in ops if not names or op.name in names]


def at(ops: list[Op], pointer: str) -> list[tuple[Any, ...]]:
    """(name, *args) of the operations that come from a property or from below it."""
    return [(op.name, *op.args) for op in ops if op.pointer == pointer or op.pointer.startswith(pointer + "/")]
