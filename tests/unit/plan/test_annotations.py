"""Annotations that change a plan."""

from __future__ import annotations

from typing import Any

import pytest

from pyrunc.errors import SpecError
from pyrunc.operations.features import ANNOTATIONS
from pyrunc.plan import annotations as module
from pyrunc.plan.create import CreateOptions, plan_create
from pyrunc.plan.plan import Plan
from pyrunc.spec.load import load_bundle
from tests.golden.plans import FIXTURES, load_facts


def plan(annotations: dict[str, str], bundle: str = "user-namespace") -> Plan:
    config: Any = load_bundle(str(FIXTURES / "bundles" / bundle)).config
    config["annotations"] = annotations
    return plan_create(config, load_facts("v2-root"), CreateOptions("x", "/bundle", "/state"))


def names(plan: Plan) -> list[str]:
    return [op.name for op in plan.init]


def test_groups_are_kept() -> None:
    usual, kept = names(plan({})), names(plan({"run.oci.keep_original_groups": "1"}))
    assert "set_groups" in usual
    assert "become_root" in usual
    assert "set_groups" not in kept
    assert "become_root" not in kept
    assert "become_root_with_groups" in kept


@pytest.mark.parametrize("value", ["0", "", "true"])
def test_other_values_do_nothing(value: str) -> None:
    assert names(plan({"run.oci.keep_original_groups": value})) == names(plan({}))


def test_pidfd_receiver() -> None:
    (op,) = [op for op in plan({"run.oci.pidfd_receiver": "/run/s"}).runtime if op.name == "deliver_pidfd"]
    assert (op.args, op.pointer) == (("/run/s",), "/annotations/run.oci.pidfd_receiver")
    with pytest.raises(SpecError, match="absolute path"):
        plan({"run.oci.pidfd_receiver": "s"})


def test_all_are_listed() -> None:
    assert {module.KEEP_GROUPS, module.PIDFD} <= set(ANNOTATIONS)
