"""features: the document is as features.md says, and what it names is recognized."""

from __future__ import annotations

from typing import Any

import pytest

from pyrunc.operations.features import features
from pyrunc.plan.capabilities import capability_masks
from pyrunc.plan.mount_options import parse_mount_options
from pyrunc.spec.json_schema import iterate_errors
from pyrunc.spec.rules import check_rules
from pyrunc.spec.schema import first_violation
from pyrunc.spec.schema_table import CONFIG

DOCUMENT: Any = features(None)  # type: ignore[arg-type]
LINUX = DOCUMENT["linux"]
SECCOMP = LINUX["seccomp"]


def refused(**properties: Any) -> object:
    """What schema or rules have against a configuration, None if nothing."""
    config = {"ociVersion": "1.3.0", "root": {"path": "rootfs"}, **properties}
    return first_violation(config, CONFIG) or next(check_rules(config), None)


def rule(**properties: Any) -> dict[str, Any]:
    rules = [{"names": ["mkdir"], "action": "SCMP_ACT_LOG", **properties}]
    return {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/s", "syscalls": rules}}


def filtered(**properties: Any) -> dict[str, Any]:
    return {"seccomp": {"defaultAction": "SCMP_ACT_ALLOW", **properties}}


def memory_policy(mode: str) -> dict[str, Any]:
    alone = mode in ("MPOL_DEFAULT", "MPOL_LOCAL")
    return {"memoryPolicy": {"mode": mode} if alone else {"mode": mode, "nodes": "0"}}


def test_document_keeps_to_its_schema() -> None:
    assert list(iterate_errors(DOCUMENT, "features")) == []


@pytest.mark.parametrize("name", ["ociVersionMin", "ociVersionMax"])
def test_versions_are_accepted(name: str) -> None:
    assert refused(ociVersion=DOCUMENT[name]) is None


@pytest.mark.parametrize("linux", [
    *({"namespaces": [{"type": kind, "path": "/ns"}]} for kind in LINUX["namespaces"]),
    *(rule(action=action) for action in SECCOMP["actions"]),
    *(rule(args=[{"index": 0, "value": 1, "op": operator}]) for operator in SECCOMP["operators"]),
    filtered(architectures=SECCOMP["archs"]),
    filtered(flags=SECCOMP["knownFlags"]),
    filtered(flags=SECCOMP["supportedFlags"]),
    *(memory_policy(mode) for mode in LINUX["memoryPolicy"]["modes"]),
    *({"memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0", "flags": [flag]}} for flag in LINUX["memoryPolicy"]["flags"]),
])  # fmt: skip
def test_names_of_the_linux_section_are_recognized(linux: dict[str, Any]) -> None:
    assert refused(linux=linux) is None


def test_hooks_are_recognized() -> None:
    for kind in DOCUMENT["hooks"]:
        assert refused(hooks={kind: [{"path": "/h"}]}) is None
        assert refused(hooks={kind: [{"path": "h"}]}) == f"/hooks/{kind}/0/path"


def test_mount_options_are_none_of_the_file_system() -> None:
    assert parse_mount_options(DOCUMENT["mountOptions"]).data == []


def test_capabilities_are_recognized() -> None:
    warnings: list[str] = []
    assert capability_masks({"bounding": LINUX["capabilities"]}, -1, warnings)["bounding"]
    assert warnings == []


def test_reserved_annotations() -> None:
    """ "The `org.opencontainers` namespace for keys is reserved": the one is what other runtimes say."""
    reserved = [key for key in DOCUMENT["annotations"] if key.startswith("org.opencontainers.")]
    assert reserved == ["org.opencontainers.runc.checkpoint.enabled"]
