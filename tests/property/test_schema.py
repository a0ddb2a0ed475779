"""The schema's interpreter and jsonschema give the same verdict on every value."""

from __future__ import annotations

import copy
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyrunc.errors import SpecError
from pyrunc.spec import schema_table
from pyrunc.spec.explain import _found_by_interpreter, explain
from pyrunc.spec.json_schema import iterate_errors, validator
from pyrunc.spec.load import load_process
from pyrunc.spec.position import find_line
from pyrunc.spec.rules import check_rules
from pyrunc.spec.rules_linux import number_ranges
from pyrunc.spec.schema import _matches, escape, is_valid
from tests.unit.spec.fixtures import bad_values, good_configs, places, replaced
from tests.unit.spec.leaves import leaf_schemas
from tests.unit.spec.test_schema import load_generator

CONFIG = validator("config")
EDGES = sorted(
    {base + step for base in (0, 7, 19, 99, 511, 1000, 4095, 65535, 2**20, 2**31, 2**32, 2**63, 2**64) for step in (-2, -1, 0, 1)}
    | {-1000, -1001, -20, -21, -(2**63), -(2**63) - 1, 999_999_999, 10**9}
)
TEXTS = ["", "/", "/x", "x", "a=b", "=b", "a=", "0-3,7", "1.0.0", "64KB", "064KB", "pid", "rw", "MB:0", "ro\n", "/\n", "\0", "a/b"]
SCALARS = (
    st.sampled_from(EDGES)
    | st.sampled_from(TEXTS)
    | st.text(alphabet="aZ09/.-=,:_ \n\t\0é", max_size=20)
    | st.sampled_from([None, True, False, 0.0, 1.0, -0.5, 1e300])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["path", "type", "limit", "", "eth0", "a/b"]), inner, max_size=3),
    max_leaves=5,
)


SMALL = {name: config for name, config in {**good_configs(), **bad_values()}.items() if len(json.dumps(config)) < 6000}
PLACES = [(name, path) for name, config in SMALL.items() for path in places(config)]


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PLACES), VALUES)
def test_same_verdict(place, value):
    name, path = place
    document = replaced(SMALL[name], path, value)
    assert is_valid(document, schema_table.CONFIG) == CONFIG.is_valid(document)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([place for place in PLACES if place[1] and isinstance(place[1][-1], str)]))
def test_same_verdict_without_a_property(place):
    name, path = place
    document = copy.deepcopy(SMALL[name])
    parent = document
    for part in path[:-1]:
        parent = parent[part]
    del parent[path[-1]]
    assert is_valid(document, schema_table.CONFIG) == CONFIG.is_valid(document)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(PLACES), VALUES)
def test_every_refusal_is_explained(place, value):
    """Whatever schema and rules refuse gets at least one text with a line; nothing else gets any."""
    name, path = place
    document = replaced(SMALL[name], path, value)
    text = json.dumps(document, indent=1).encode()
    refused = not is_valid(document, schema_table.CONFIG) or any(True for _ in check_rules(document))
    found = explain(document, text, "config.json", "config")
    by_jsonschema = {(tuple(path), keyword) for path, keyword, *_ in iterate_errors(document, "config")}
    by_interpreter = {tuple(path) for path, *_ in _found_by_interpreter(document, schema_table.CONFIG)}
    assert {path for path, _ in by_jsonschema} == by_interpreter
    assert bool(found) == refused
    for error in found:
        assert re.match(r"config\.json:[1-9][0-9]*: (/|\(top level\))", error.text)
        assert "\n" not in error.text
        assert error.text.endswith(")")


PATTERNS = sorted({schema["pattern"] for schema in leaf_schemas().values() if "pattern" in schema})


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_are_walked_as_regular_expressions(pattern):
    steps, whole = load_generator().parse_pattern(pattern)
    exact = re.compile(pattern.removesuffix("$") + r"\Z" if pattern.endswith("$") else pattern)

    @settings(max_examples=100, deadline=None)
    @given(st.text(alphabet="/=MB:KG059,.- a\n\0", max_size=12) | st.from_regex(exact))
    def check(text):
        assert _matches(text, steps, whole) == bool(exact.search(text))

    check()


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_lines_of_any_document(value):
    text = json.dumps(value, indent=2)
    for path in places(value):
        pointer = "".join(f"/{escape(str(part))}" for part in path)
        line = text.splitlines()[find_line(text, pointer) - 1]
        if path and isinstance(path[-1], str):
            assert line.strip().startswith(json.dumps(path[-1]) + ":")


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="0123456789,- x٣", max_size=12))
def test_number_ranges(text):
    try:
        ranges = number_ranges(text)
    except ValueError:
        return
    numbers = r" *[0-9]+(-[0-9]+)? *"
    assert re.fullmatch(f"{numbers}(,{numbers})*| *", text)
    assert all(first <= last for first, last in ranges)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40) | st.text(alphabet='{}[]",:0aN\\u \n', max_size=20).map(str.encode))
def test_no_text_stumbles(text):
    try:
        load_process(text)
    except SpecError as error:
        assert error.text.startswith("process:1") or "process:" in error.text
