"""Random mistakes in random configurations: they are refused, with a pointer that lies in the place of the mistake."""

from __future__ import annotations

import fnmatch
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pyrunc.errors import SpecError
from pyrunc.spec.load import load_bundle, validate_bundle
from tests.unit.spec.fixtures import BAD, FIXTURES, patched
from tests.unit.spec.leaves import leaf_schemas

from .from_schema import LEAVES, REQUIRED, Place, at, places, pointer_of, valid_configs

some = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


def other_type(value: Any, choice: int) -> Any:
    """A value of a type that the schema does not take where `value` is."""
    kinds = [True, 1.5, 7, "text", [], {}]
    return [
        kind
        for kind in kinds
        if type(kind) is not type(value) and not (isinstance(kind, int) and isinstance(value, int))
    ][choice % (len(kinds) - 2)]


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


@some
@given(st.data())
def test_null_is_as_good_as_absent(data: st.DataObject) -> None:
    """Where the property may be absent; what is required is refused, and a null in a list."""
    config = data.draw(valid_configs())
    place = data.draw(st.sampled_from([place for place in places(config) if place_name(place) in KNOWN]))
    name = place[-1]
    holder = at(config, place[:-1])
    before = holder[name]
    holder[name] = None
    with_null = refusals(config)
    if isinstance(name, int) or place_name(place)[-1] == "*":
        assert any(lies_in(pointer, place) for pointer in with_null), place
        return
    text = json.dumps(config)
    del holder[name]
    if refusals(config):
        assert with_null, (place, before)
        return
    assert with_null == []
    with tempfile.TemporaryDirectory(prefix="pyrunc-") as bundle:
        Path(bundle, "config.json").write_text(text)
        loaded = load_bundle(bundle)
    assert loaded.config == json.loads(loaded.text) == config


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


def near(pointer: str, touched: list[str]) -> bool:
    """Whether a pointer is in what was changed, or is what the change began and left incomplete."""
    begun = any(place.startswith(pointer + "/") for place in touched) if pointer else False
    return begun or any(pointer.startswith(place) for place in touched)


WRONG_FOR_WHAT_ELSE_THERE_IS = (  # or is not: such a change can be right in another configuration
    "hostname-without-namespace", "mappings-*", "mount-idmap-*", "namespace-duplicate", "process-console-size-range",
    "several-at-once", "time-offsets-without-namespace", "user-namespace-without-mappings",
)  # fmt: skip
CHANGES = {
    case.name: json.loads((case / "patch.json").read_text())
    for case in BAD
    if (case / "patch.json").exists()
    and not any(fnmatch.fnmatchcase(case.name, pattern) for pattern in WRONG_FOR_WHAT_ELSE_THERE_IS)
}


@some
@given(valid_configs(), st.sampled_from(sorted(CHANGES)))
def test_what_is_wrong_in_one_configuration_is_wrong_in_any(config: dict[str, Any], name: str) -> None:
    """The changes that make the default configuration invalid; those of it that another one can take."""
    change = CHANGES[name]
    try:
        changed = patched(config, change)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):  # it has not what this would change
        assume(False)
    expected = json.loads((FIXTURES / "invalid" / name / "expected.json").read_text())
    wanted = [re.sub(r"/\d+", "/*", entry["pointer"]) for entry in expected]
    found = [re.sub(r"/\d+", "/*", pointer) for pointer in refusals(changed)]
    touched = [
        re.sub(r"/(\d+|-)(?=/|$)", "/*", pointer)
        for pointer in [*change.get("set", ()), *change.get("remove", ())]
    ]
    assert any(pointer in wanted or near(pointer, touched) for pointer in found), (name, found)
