"""Every property of the configuration has an effect: on the plan, or where ELSEWHERE says (ARCHITECTURE.md).

Each property of the valid bundles is removed, and set to other values that it
has elsewhere; on one kind of host at least the plan, or the error, must differ.
"""

from __future__ import annotations

import copy
import fnmatch
from collections.abc import Iterator
from functools import cache
from typing import Any

from pyrunc.errors import PyruncError
from pyrunc.host.facts import Facts
from pyrunc.plan.create import plan_create
from pyrunc.plan.options import CreateOptions
from pyrunc.plan.render import render_objects
from pyrunc.spec.load import load_bundle
from pyrunc.spec.rules import check_rules
from pyrunc.spec.schema import is_valid
from pyrunc.spec.schema_table import CONFIG
from tests.golden.plans import BUNDLES, FIXTURES, load_facts

ELSEWHERE = {
    "ociVersion": "part of the state",
    "annotations*": "part of the state",
    "hooks/prestart/[*]/*": "read by the runtime when it runs the hook",
    "hooks/createRuntime/[*]/*": "read by the runtime when it runs the hook",
    "hooks/poststart*": "run by start",
    "hooks/poststop*": "run by delete",
    "process/execCPUAffinity*": "for exec",
    "linux/seccomp/architectures*": "compiled into the filter",
    "linux/seccomp/defaultAction": "compiled into the filter",
    "linux/seccomp/defaultErrnoRet": "compiled into the filter",
    "linux/seccomp/syscalls/*": "compiled into the filter",
    "linux/resources/memory/checkBeforeUpdate": "for update",
    "linux/resources/network/priorities/[*]/name": "such as all of net_prio: no host among the profiles has it",
    "linux/resources/network/priorities/[*]/priority": "such as all of net_prio: no host among the profiles has it",
}
UNKNOWN = ("extension*", "freebsd", "solaris*", "vm*", "windows*", "zos", "*future*", "process/commandLine")
ALTERNATIVES: dict[str, list[Any]] = {  # valid values that no bundle has
    "linux/devices/*/type": ["b", "c"],
    "linux/memoryPolicy/mode": ["MPOL_BIND"],
    "linux/memoryPolicy/nodes": ["0"],
    "linux/personality/domain": ["LINUX"],
    "linux/resources/hugepageLimits/*/pageSize": ["32MB"],
    "linux/resources/memory/kernel": [4096],
    "linux/resources/memory/kernelTCP": [4096],
    "process/scheduler/policy": ["SCHED_RR", "SCHED_BATCH"],
    "process/ioPriority/class": ["IOPRIO_CLASS_RT", "IOPRIO_CLASS_IDLE"],
}
MAPS = ("sysctl", "annotations", "unified", "timeOffsets", "rdma")  # whose keys are not properties
OCCURRENCES = 4  # of a property, in different bundles

Place = tuple[str | int, ...]


def name_of(place: Place) -> str:
    """The property's name, without the numbers in lists."""
    parts = []
    for index, key in enumerate(place):
        parts.append("*" if isinstance(key, int) or (index and place[index - 1] in MAPS) else key)
    return "/".join(parts)


def walk(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """All values that hold no others."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from walk(item, (*place, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from walk(item, (*place, index))
    else:
        yield place, value


def at(value: Any, place: Place) -> Any:
    for key in place:
        value = value[key]
    return value


def result(config: dict[str, Any], facts: Facts) -> tuple[str, str]:
    """All that a plan says, or the error and its pointer."""
    try:
        plan = plan_create(config, facts, CreateOptions("x", "/bundle", "/state"))  # type: ignore[arg-type]
    except PyruncError as error:
        return error.text, error.pointer
    order = [("init", index) for index in range(len(plan.init))]
    order += [("runtime", index) for index in range(len(plan.runtime))]
    return f"{render_objects(plan, order)} {plan.warnings} {plan.user_namespaces}", ""


@cache
def hosts() -> list[Facts]:
    """Hosts that have everything."""
    known = [load_facts("v1-hybrid"), load_facts("v2-root")]
    for facts in known:
        facts.selinux = facts.apparmor = facts.bfq = True
        facts.hugepage_sizes = ["64KB", "2MB", "32MB", "1GB"]
    for controller in ("net_cls", "net_prio", "hugetlb", "rdma"):
        known[0].cgroup_mounts[controller] = "/sys/fs/cgroup/" + controller
        known[0].own_cgroups[controller] = "/"
        known[0].cgroup_writable.append(controller)
    return known


def healed(config: dict[str, Any], facts: Facts) -> tuple[dict[str, Any], list[str]]:
    """Without the properties that this host cannot do, which hide what the others do; and their pointers."""
    config = copy.deepcopy(config)
    refused: list[str] = []
    for _ in range(20):
        _, pointer = result(config, facts)
        place = [part for part in pointer.split("/") if part]
        keys: list[str | int] = []
        for part in place:
            parent = at(config, tuple(keys))
            keys.append(int(part) if isinstance(parent, list) else part)
            if isinstance(parent, dict) and part not in parent:
                return config, refused
        if not keys or keys == ["linux", "namespaces"]:
            return config, refused
        refused.append(pointer)
        del at(config, tuple(keys[:-1]))[keys[-1]]
    return config, refused


def changes(config: dict[str, Any], place: Place, others: list[Any]) -> Iterator[dict[str, Any]]:
    parent, key = place[:-1], place[-1]
    without = copy.deepcopy(config)
    del at(without, parent)[key]
    yield without
    value = at(config, place)
    if isinstance(value, bool):
        others = [not value]
    elif isinstance(value, str):
        others = [*others, value + "x"]
    elif isinstance(value, int):
        others = [*others, value + 1, value - 1]
    for other in others:
        if other != value:
            changed = copy.deepcopy(config)
            at(changed, parent)[key] = other
            yield changed


def has_effect(config: dict[str, Any], place: Place, others: list[Any], facts: Facts) -> bool:
    """Whether it is refused, or changes something that is not hidden by what is refused."""
    config, refused = healed(config, facts)
    if "".join(f"/{key}" for key in place) in refused:
        return True
    try:
        at(config, place)
    except (KeyError, IndexError):
        return False
    before = result(config, facts)
    return any(
        result(changed, facts) != before
        for changed in changes(config, place, others)
        if is_valid(changed, CONFIG) and not list(check_rules(changed))
    )


def test_no_property_is_ignored() -> None:
    configs = {name: load_bundle(str(FIXTURES / "bundles" / name)).config for name in BUNDLES}
    occurrences: dict[str, list[tuple[str, Place]]] = {}
    values: dict[str, list[Any]] = {}
    for bundle in sorted(configs, key=lambda name: len(str(configs[name]))):
        for place, value in walk(configs[bundle]):
            name = name_of(place)
            occurrences.setdefault(name, []).append((bundle, place))
            known = values.setdefault(name, [])
            if isinstance(value, (str, int)) and value not in known and len(known) < 8:
                known.append(value)
    ignored = set()
    for name, found in occurrences.items():
        if any(fnmatch.fnmatchcase(name, pattern) for pattern in (*ELSEWHERE, *UNKNOWN)):
            continue
        seen: set[str] = set()
        chosen = [entry for entry in found if not (entry[0] in seen or seen.add(entry[0]))][:OCCURRENCES]  # type: ignore[func-returns-value]
        if not any(
            has_effect(configs[bundle], place, values[name] + ALTERNATIVES.get(name, []), facts)  # type: ignore[arg-type]
            for bundle, place in chosen
            for facts in hosts()
        ):
            ignored.add(name)
    assert not ignored, "\n".join(sorted(ignored))
    for pattern in ELSEWHERE:
        assert fnmatch.filter(occurrences, pattern), f"{pattern} is in no bundle"
