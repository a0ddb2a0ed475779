"""Every valid case is accepted, every invalid one refused with the expected violations, by both interpreters."""

from __future__ import annotations

import json

import pytest

from pyrunc.cores import parse_json
from pyrunc.errors import SpecError
from pyrunc.spec import schema_table
from pyrunc.spec.json_schema import validator
from pyrunc.spec.load import load_bundle, load_process, load_resources, validate_bundle
from pyrunc.spec.rules import RULES
from pyrunc.spec.schema import is_valid

from .fixtures import BAD, FIXTURES, GOOD, bad_text, bad_values, good_configs
from .leaves import found_in, leaves


@pytest.mark.parametrize("bundle", GOOD, ids=lambda path: path.name)
def test_good_bundle(bundle):
    assert validate_bundle(str(bundle)) == []
    loaded = load_bundle(str(bundle))
    assert loaded.text == (bundle / "config.json").read_bytes()
    assert loaded.config == json.loads(loaded.text)
    assert validator("config").is_valid(loaded.config)


@pytest.mark.parametrize("case", BAD, ids=lambda path: path.name)
def test_bad_bundle(case, tmp_path):
    (tmp_path / "config.json").write_bytes(bad_text(case))
    expected = json.loads((case / "expected.json").read_text())
    violations = validate_bundle(str(tmp_path))
    with pytest.raises(SpecError) as caught:
        load_bundle(str(tmp_path))
    assert caught.value.text.startswith(violations[0].text)
    assert caught.value.pointer == violations[0].pointer
    texts = [error.text.removeprefix(f"{tmp_path}/") for error in violations]
    if (case / "config.json").exists():  # the whole text, or how it begins where it is Python's
        assert [error.pointer for error in violations] == [item["pointer"] for item in expected]
        assert texts[0].startswith(expected[0]["text"])
        return
    found = [
        {"pointer": error.pointer, "text": text.split(": ", 2)[2]}
        for error, text in zip(violations, texts, strict=True)
    ]
    assert found == expected


def test_one_of_each_is_told_in_the_order_of_the_file(tmp_path):
    (tmp_path / "config.json").write_bytes(bad_text(FIXTURES / "invalid" / "several-at-once"))
    violations = validate_bundle(str(tmp_path))
    lines = [int(error.text.split(":")[1]) for error in violations]
    assert len(violations) == 5 and lines == sorted(lines)
    source = (tmp_path / "config.json").read_text().splitlines()
    for error, line in zip(violations, lines, strict=True):
        name = error.pointer.rpartition("/")[2]
        assert name.isdecimal() or f'"{name}":' in source[line - 1]
    with pytest.raises(SpecError, match="; and 4 more") as caught:
        load_bundle(str(tmp_path))
    assert [error.text for error in caught.value.violations] == [error.text for error in violations]


def test_interpreters_agree_on_bad_values():
    for name, value in bad_values().items():
        assert is_valid(value, schema_table.CONFIG) == validator("config").is_valid(value), name


def test_every_rule_has_a_bad_case():
    broken = set()
    for case in BAD:
        for violation in json.loads((case / "expected.json").read_text()):
            broken.add((violation["pointer"], violation["text"].rpartition(" (")[2].rstrip(")")))
    for path, section, rule in RULES:
        prefix = "".join(f"/{name}" for name in path)
        assert any(pointer.startswith(prefix) and section == found for pointer, found in broken), rule.__name__


def test_good_cases_have_every_supported_leaf():
    """So that golden plans and effects can be made from them."""
    configs = good_configs().values()
    missing = [
        path
        for path in leaves()
        if not any(found_in(config, path) for config in configs)
    ]
    assert missing == []


@pytest.mark.parametrize("path", sorted((FIXTURES / "processes").iterdir()), ids=lambda path: path.stem)
def test_process_documents(path):
    assert load_process(str(path)) == load_process(path.read_bytes()) == parse_json(path.read_bytes())


@pytest.mark.parametrize("path", sorted((FIXTURES / "resources").iterdir()), ids=lambda path: path.stem)
def test_resources_documents(path):
    assert load_resources(str(path)) == parse_json(path.read_bytes())
