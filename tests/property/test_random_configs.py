"""Random configurations from the schema: the planner never stumbles, waits for ever or loses a property,
and what is wrong is refused where it is wrong.
"""

from __future__ import annotations

import fnmatch
import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pyrunc.errors import PyruncError, SpecError
from pyrunc.plan.create import plan_create
from pyrunc.plan.exec import ExecOptions, plan_exec
from pyrunc.plan.options import CreateOptions
from pyrunc.plan.plan import render_text, simulate
from pyrunc.plan.wire import encode_plan
from pyrunc.spec.load import load_bundle, validate_bundle
from pyrunc.state.record import Record
from tests.golden.plans import PROFILES, load_facts
from tests.source.test_no_property_is_ignored import ELSEWHERE, hosts, name_of
from tests.unit.spec.fixtures import BAD, FIXTURES, patched
from tests.unit.spec.leaves import leaf_schemas

from .from_schema import LEAVES, REQUIRED, Place, at, cut, heal, places, pointer_of, valid_configs

some = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
OPTIONS = ("example", "/bundle", "/run/example")


@some
@given(valid_configs(), st.sampled_from(sorted(PROFILES)))
def test_planner_answers_on_every_host(config: dict[str, Any], profile: str) -> None:
    """A plan that ends, or an error that points into the configuration."""
    facts = load_facts(profile)
    try:
        plans = [plan_create(config, facts, CreateOptions(*OPTIONS))]  # type: ignore[arg-type]
        if "process" in config:
            options = ExecOptions(config.get("linux") or {})
            plans.append(plan_exec(config["process"], Record(*OPTIONS[:2]), facts, options))
    except PyruncError as error:
        assert error.pointer, error.text
        return
    for plan in plans:
        order = simulate(plan)
        assert len(order) == len(set(order)) == len(plan.init) + len(plan.runtime)
        assert len(render_text(plan).splitlines()) == len(order)
        encode_plan(plan, dict.fromkeys(plan.provided, 9))


class Noting(dict[str, Any]):
    """A part of a configuration that notes which of its values are read."""

    def __init__(self, value: dict[str, Any], place: Place, seen: set[Place]) -> None:
        super().__init__({key: noting(item, (*place, key), seen) for key, item in value.items()})
        self.place, self.seen = place, seen

    def __getitem__(self, key: str) -> Any:
        self.seen.add((*self.place, key))
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.seen.add((*self.place, key))
        return super().get(key, default)

    def copy(self) -> Noting:
        """A shallow copy that notes for this one."""
        made = Noting({}, self.place, self.seen)
        for key in self:
            dict.__setitem__(made, key, super().__getitem__(key))
        return made

    def items(self) -> Any:
        self.seen |= {(*self.place, key) for key in self}
        return super().items()

    def values(self) -> Any:
        self.seen |= {(*self.place, key) for key in self}
        return super().values()


def noting(value: Any, place: Place, seen: set[Place]) -> Any:
    """A copy that notes; the items of a list are read with it."""
    if isinstance(value, dict):
        return Noting(value, place, seen)
    if isinstance(value, list):
        return [noting(item, (*place, index), seen) for index, item in enumerate(value)]
    return value


Predicate = Callable[[dict[str, Any], Any], bool]


def _no_process(config: dict[str, Any], holder: Any) -> bool:
    return "process" not in config


def _new_user_namespace(config: dict[str, Any], holder: Any) -> bool:
    return {"type": "user"} in config.get("linux", {}).get("namespaces", ())


def _no_listener(config: dict[str, Any], holder: Any) -> bool:
    seccomp = config["linux"]["seccomp"]
    actions = [seccomp["defaultAction"], *[rule["action"] for rule in seccomp.get("syscalls") or ()]]
    return "process" not in config or "SCMP_ACT_NOTIFY" not in actions


NOTHING_TO_DO: dict[str, Predicate] = {  # where a property means nothing, and nobody need read it
    "process/consoleSize/*": lambda config, holder: not config["process"].get("terminal"),
    "linux/personality/*": _no_process,
    "linux/memoryPolicy/*": _no_process,
    "linux/seccomp/listener*": _no_listener,
    "linux/mountLabel": lambda config, holder: not config.get("mounts"),
    "linux/devices/*/fileMode": _new_user_namespace,  # where a device is the host's, bound
    "linux/devices/*/uid": _new_user_namespace,
    "linux/devices/*/gid": _new_user_namespace,
    "linux/resources/blockIO/weightDevice/*": lambda config, holder: not holder.get("weight"),
    "mounts/*/source": lambda config, holder: holder.get("type") in ("cgroup", "cgroup2"),
}


def means_something(config: dict[str, Any], place: Place) -> bool:
    """Whether a property has something to act on in this configuration."""
    name = name_of(place)
    if any(fnmatch.fnmatchcase(name, pattern) for pattern in ELSEWHERE):
        return False
    holder = at(config, place[:-1])
    return not any(
        fnmatch.fnmatchcase(name, pattern) and nothing(config, holder)
        for pattern, nothing in NOTHING_TO_DO.items()
    )


@some
@given(valid_configs(), st.sampled_from([0, 1]))
def test_no_property_is_lost(config: dict[str, Any], host: int) -> None:
    """On a host that has everything each value is read by the planner, unless it has its effect later."""
    facts = hosts()[host]
    seen: set[Place] = set()
    while True:
        try:
            plan_create(noting(config, (), seen), facts, CreateOptions(*OPTIONS))
            break
        except PyruncError as error:  # what even such a host cannot do; the rest must have its effect
            assume(cut(config, error.pointer) and heal(config))
            seen.clear()
    values = [place for place in places(config) if isinstance(place[-1], str)]
    lost = [
        place
        for place in values
        if place not in seen
        and not isinstance(at(config, place), (dict, list))
        and means_something(config, place)
    ]
    assert not lost


def other_type(value: Any, choice: int) -> Any:
    """A value of a type that the schema does not take where `value` is."""
    kinds = [None, True, 1.5, 7, "text", [], {}]
    return [
        kind
        for kind in kinds
        if type(kind) is not type(value) and not (isinstance(kind, int) and isinstance(value, int))
    ][choice % 6 % (len(kinds) - 2)]


def lies_in(pointer: str, place: Place) -> bool:
    """Whether a pointer is that of a place, of something in it, or of what holds it and misses it."""
    mutated = pointer_of(place)
    return pointer == mutated or pointer.startswith(mutated + "/") or pointer == pointer_of(place[:-1])


def refusals(config: dict[str, Any]) -> list[str]:
    """The pointers of all errors of a bundle with this configuration, found as `validate` does."""
    with tempfile.TemporaryDirectory(prefix="pyrunc-") as bundle:
        Path(bundle, "config.json").write_text(json.dumps(config, indent=1))
        found = [error.pointer for error in validate_bundle(bundle)]
        if found:
            with pytest.raises(SpecError):
                load_bundle(bundle)
        else:
            load_bundle(bundle)
    return found


KNOWN = {path[:end] for path in LEAVES for end in range(1, len(path) + 1)}


def place_name(place: Place) -> tuple[str, ...]:
    """The place in the schema: `*` for the keys of maps and the items of lists."""
    name: tuple[str, ...] = ()
    for key in place:
        name = (*name, str(key)) if (*name, str(key)) in KNOWN else (*name, "*")
    return name


@some
@given(st.data())
def test_a_value_of_another_type_is_refused_in_its_place(data: st.DataObject) -> None:
    config = data.draw(valid_configs())
    assert refusals(config) == []
    place = data.draw(st.sampled_from([place for place in places(config) if place_name(place) in KNOWN]))
    wrong = other_type(at(config, place), data.draw(st.integers(0, 5)))
    at(config, place[:-1])[place[-1]] = wrong
    found = refusals(config)
    assert any(lies_in(pointer, place) for pointer in found), (place, wrong, found)


def forbidden(schema: dict[str, Any]) -> list[Any]:
    """Values just outside of what a schema of a number or a text allows."""
    if "enum" in schema:
        return ["", "NO_SUCH_WORD", schema["enum"][0] + "x", schema["enum"][0].swapcase()]
    if schema.get("type") == "integer":
        bounds = [schema.get("minimum", -(2**63)) - 1, schema.get("maximum", 2**64 - 1) + 1]
        return [*bounds, 2**70, -(2**70)]
    if schema.get("type") != "string":
        return []
    wrong = ["\0", "a\0b"] if "pattern" in schema else []
    if schema.get("minLength"):
        wrong.append("")
    if "maxLength" in schema:
        wrong.append("x" * (schema["maxLength"] + 1))
    return [text for text in wrong if is_forbidden(text, schema)]


def is_forbidden(text: str, schema: dict[str, Any]) -> bool:
    exact = schema.get("pattern", "").replace("$", r"\Z")
    fits = schema.get("minLength", 0) <= len(text) <= schema.get("maxLength", len(text))
    return not fits or not re.search(exact, text)


LIMITED = {leaf: forbidden(schema) for leaf, schema in leaf_schemas().items() if forbidden(schema)}


@some
@given(st.data())
def test_a_value_out_of_bounds_is_refused_in_its_place(data: st.DataObject) -> None:
    config = data.draw(valid_configs())
    limited = [place for place in places(config) if place_name(place) in LIMITED]
    assume(limited)
    place = data.draw(st.sampled_from(limited))
    wrong = data.draw(st.sampled_from(LIMITED[place_name(place)]))
    at(config, place[:-1])[place[-1]] = wrong
    found = refusals(config)
    assert any(lies_in(pointer, place) for pointer in found), (place, wrong, found)


@some
@given(st.data())
def test_without_a_required_property_its_object_is_refused(data: st.DataObject) -> None:
    config = data.draw(valid_configs())
    needed = [place for place in places(config) if place_name(place) in REQUIRED]
    place = data.draw(st.sampled_from(needed))
    del at(config, place[:-1])[place[-1]]
    found = refusals(config)
    assert any(lies_in(pointer, place) for pointer in found), (place, found)


CHANGES = {
    case.name: json.loads((case / "patch.json").read_text()) for case in BAD if (case / "patch.json").exists()
}


@some
@given(valid_configs(), st.sampled_from(sorted(CHANGES)))
def test_what_is_wrong_in_one_configuration_is_wrong_in_any(config: dict[str, Any], name: str) -> None:
    """The changes that make the default configuration invalid; those of it that another one can take."""
    change = CHANGES[name]
    try:
        changed = patched(config, change)
    except (KeyError, IndexError, TypeError):  # it has not what this would change
        assume(False)
    expected = json.loads((FIXTURES / "invalid" / name / "expected.json").read_text())
    wanted = [re.sub(r"/\d+", "/*", entry["pointer"]) for entry in expected]
    found = [re.sub(r"/\d+", "/*", pointer) for pointer in refusals(changed)]
    touched = [
        re.sub(r"/(\d+|-)(?=/|$)", "/*", pointer)
        for pointer in [*change.get("set", ()), *change.get("remove", ())]
    ]
    assert any(
        pointer in wanted or any(pointer.startswith(place) for place in touched) for pointer in found
    ), (name, found)
