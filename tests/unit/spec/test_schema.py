"""The schema files, what is generated from them, and how they compare with the official schema."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pyrunc.spec import schema_table
from pyrunc.spec.json_schema import validator
from pyrunc.spec.schema import first_violation, is_valid
from pyrunc.spec.schema_document import DOCUMENT, KINDS

from .fixtures import FIXTURES, bad_values, good_configs, places, replaced
from .leaves import leaf_schemas, leaves, walk

GENERATOR = FIXTURES / "generate_schema_table.py"


def load_generator():
    spec = importlib.util.spec_from_file_location("generate_schema_table", GENERATOR)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_modules_match_the_schema():
    assert subprocess.run([sys.executable, str(GENERATOR), "--check"]).returncode == 0


def test_document_is_the_schema():
    assert {path.name: json.loads(path.read_text()) for path in (FIXTURES / "schema").glob("*.json")} == DOCUMENT


@pytest.mark.parametrize("kind", KINDS)
def test_schema_is_a_json_schema(kind):
    checked = validator(kind)
    checked.check_schema(checked.schema)


@pytest.mark.parametrize("kind", KINDS)
def test_every_leaf_is_described(kind):
    for path, schema in leaf_schemas(kind).items():
        assert schema.get("description"), path


@pytest.mark.parametrize(
    "pattern",
    ["[a]", "^a|b", "^(a)", "^[a-z]*[b]", "^[^a]*[b]", "^[^a]+[^b]", r"^\d", "^a{2}", "^."],
)
def test_generator_refuses_what_the_interpreter_cannot_do_exactly(pattern):
    with pytest.raises((SystemExit, ValueError)):
        module = load_generator()
        steps, _ = module.parse_pattern(pattern)
        assert steps != (("d", False, 1, 1),), "an escaped letter is a class in regular expressions"
        raise AssertionError(steps)


def test_generator_refuses_unknown_keywords():
    table = load_generator().Table(DOCUMENT)
    for schema in ({"type": "string", "format": "uri"}, {"type": "object", "minProperties": 1}, {"type": "integer"}):
        with pytest.raises((SystemExit, KeyError)):
            table.node({"description": "x", **schema}, "common.json")


def test_pointers_of_first_violation():
    good = good_configs()["docker-default"]
    assert first_violation(good, schema_table.CONFIG) is None
    good["annotations"] = {"a/b~c": 1}
    assert first_violation(good, schema_table.CONFIG) == "/annotations/a~1b~0c"
    good["annotations"] = {"": "x"}
    assert first_violation(good, schema_table.CONFIG) == "/annotations"
    assert first_violation([], schema_table.CONFIG) == ""
    for value in (True, 1.0, "1", None, 2**64, -1):
        assert not is_valid({"pids": {"limit": value}} if value == 2**64 else {"cpu": {"shares": value}}, schema_table.RESOURCES)


# --- the official schema, where PYRUNC_OFFICIAL_SCHEMA names its directory ----------------

# Where ours says less than the official schema (paths as a regular expression); the reasons stand in
# spec-fixtures/schema/README.md.
WEAKER = re.compile(
    r"/linux/devices/\d+/fileMode|/linux/rootfsPropagation|/linux/resources/pids"
    r"|/process/commandLine|/process/user/username|/(windows|solaris|vm|zos|freebsd)(/.*)?"
)
NOT_OURS = {("process", "commandLine"), ("process", "user", "username")}
PLATFORMS = ("windows", "solaris", "vm", "zos", "freebsd")


@pytest.fixture(scope="module")
def official():
    directory = os.environ.get("PYRUNC_OFFICIAL_SCHEMA", "")
    if not directory:
        pytest.skip("PYRUNC_OFFICIAL_SCHEMA does not name the directory of the official schema")
    return {path.name: json.loads(path.read_text()) for path in Path(directory).glob("*.json")}


def official_validator(official, name):
    from jsonschema import Draft4Validator
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT4

    missing = {f"{kind}-{platform}.json": {} for kind in ("config", "defs") for platform in PLATFORMS}
    files = {**{name: {platform: {} for platform in PLATFORMS} for name in missing}, **official}
    resources = [(file, Resource.from_contents(schema, default_specification=DRAFT4)) for file, schema in files.items()]
    return Draft4Validator({"$ref": name}, registry=Registry().with_resources(resources))


def test_official_schema_knows_no_property_that_ours_does_not(official):
    theirs = {path for path, _ in walk(official, official["config-schema.json"], "config-schema.json")}
    theirs = {path for path in theirs if path[0] not in PLATFORMS}
    clocks = {path for path in theirs if path[:2] == ("linux", "timeOffsets")}
    ours = {path for path in leaves() if path[:2] != ("linux", "timeOffsets")}
    assert theirs - clocks - NOT_OURS - {("linux", "personality", "flags", "*")} == ours - {
        ("linux", "personality", "flags")
    }


def test_official_features_and_state_are_known(official):
    for kind in ("features", "state"):
        theirs = {path for path, _ in walk(official, official[f"{kind}-schema.json"], f"{kind}-schema.json")}
        assert theirs <= set(leaves(kind)), kind


def test_good_cases_are_good_officially(official):
    checked = official_validator(official, "config-schema.json")
    for name, config in good_configs().items():
        assert_only_weaker(checked, config, name)


def assert_only_weaker(checked, config, name):
    """What the official schema has against `config` is what ours leaves out on purpose."""
    for error in checked.iter_errors(config):
        pointer = "".join(f"/{part}" for part in error.absolute_path)
        assert WEAKER.fullmatch(pointer), (name, error.message)


def test_what_ours_accepts_is_accepted_officially(official):
    """Every value of the good cases in turn replaced by every kind of value."""
    checked = official_validator(official, "config-schema.json")
    values = (None, True, 0, -1, 2**32, 2**64, 1.5, "", "x", [], ["x"], [{}], {}, {"x": 1}, {"x": "y"})
    seen = set()
    for name, config in good_configs().items():
        for path in places(config):
            shape = tuple("*" if isinstance(part, int) else part for part in path)
            if shape in seen or not path:
                continue
            seen.add(shape)
            for value in values:
                changed = replaced(config, path, value)
                if is_valid(changed, schema_table.CONFIG):
                    assert_only_weaker(checked, changed, (name, path, value))


def test_ours_refuses_more(official):
    checked = official_validator(official, "config-schema.json")
    stricter = [name for name, value in bad_values().items() if checked.is_valid(value)]
    assert len(stricter) > 80  # what a schema cannot say, and where ours says more
