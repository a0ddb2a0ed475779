"""The configuration that `spec` writes."""

from __future__ import annotations

import json

import pytest

from pyrunc.spec.defaults import default_config
from pyrunc.spec.rules import check_rules
from pyrunc.spec.schema import is_valid
from pyrunc.spec.schema_table import CONFIG
from tests.unit.spec.fixtures import FIXTURES

CASES = {
    "default": default_config(),
    "default-rootless": default_config(True, uid=1000, gid=1000),
    "default-unified": default_config(cpu_count=2, unified=True),
}


@pytest.mark.parametrize("name", CASES)
def test_default_configs_are_valid_and_those_of_the_fixtures(name):
    assert is_valid(CASES[name], CONFIG) and not list(check_rules(CASES[name]))
    assert CASES[name] == json.loads((FIXTURES / "bundles" / name / "config.json").read_text())


def test_each_call_gives_a_new_one():
    first = default_config()
    first["linux"]["maskedPaths"].clear()
    first["process"]["capabilities"]["bounding"].append("CAP_SYS_ADMIN")
    assert default_config() == CASES["default"]


def test_no_capability_outlives_exec():
    assert not {"inheritable", "ambient"} & set(CASES["default"]["process"]["capabilities"])


def test_rootless_asks_for_nothing_that_needs_root():
    config = CASES["default-rootless"]
    assert {"type": "user"} in config["linux"]["namespaces"]
    assert {"type": "network"} not in config["linux"]["namespaces"]
    assert not any(option.startswith(("uid=", "gid=")) for mount in config["mounts"] for option in mount.get("options", ()))
    assert "resources" not in config["linux"]
