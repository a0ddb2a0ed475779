"""Every fixture is used (ARCHITECTURE.md, rule 6)."""

from __future__ import annotations

import json

import pytest

from pyrunc.plan.mount_options import known_options
from tests.golden import plans
from tests.source.tree import ROOT

FIXTURES = ROOT / "spec-fixtures"

READERS = {
    "bundles": ("tests/golden/plans.py", "tests/unit/spec/fixtures.py"),
    "facts": ("tests/golden/plans.py",),
    "plans": ("tests/golden/plans.py",),
    "processes": ("tests/golden/plans.py", "tests/unit/spec/test_fixtures.py"),
    "resources": ("tests/unit/spec/test_fixtures.py",),
    "invalid": ("tests/unit/spec/fixtures.py",),
    "schema": ("spec-fixtures/generate_schema_table.py",),
}
"""Who walks through the whole of each folder."""


def test_every_folder_has_a_reader() -> None:
    assert {path.name for path in FIXTURES.iterdir() if path.is_dir() and path.name != "__pycache__"} == set(READERS)


@pytest.mark.parametrize("folder", READERS)
def test_readers_read(folder: str) -> None:
    for reader in READERS[folder]:
        assert f'"{folder}"' in (ROOT / reader).read_text() or folder == "schema", f"{reader} does not name {folder}"


def test_every_facts_profile_is_planned_with() -> None:
    assert {path.stem for path in (FIXTURES / "facts").iterdir()} == set(plans.PROFILES)


def test_every_plan_is_one_that_is_made() -> None:
    found = {str(path.relative_to(plans.PLANS)) for path in plans.PLANS.rglob("*.txt")}
    assert found == set(plans.all_files())


def test_every_process_is_planned() -> None:
    assert {path.stem for path in (FIXTURES / "processes").iterdir()} == set(plans.EXECS)


def test_every_mount_option_is_in_a_bundle() -> None:
    configs = [json.loads(path.read_text()) for path in (FIXTURES / "bundles").glob("*/config.json")]
    used = {word for config in configs for mount in config.get("mounts", ()) for word in mount.get("options", ())}
    assert set(known_options()) - used == set()


def test_cases_hold_what_their_reader_takes() -> None:
    for path in (FIXTURES / "bundles").iterdir():
        assert {file.name for file in path.iterdir()} <= {"config.json", "README.md"}, path
    for path in (FIXTURES / "invalid").iterdir():
        names = {file.name for file in path.iterdir()}
        assert "expected.json" in names and names - {"expected.json"}, path
