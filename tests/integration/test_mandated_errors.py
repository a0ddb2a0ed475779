"""Each error that the specification mandates is one error, and nothing is left behind (tests.integration.mandated)."""

from __future__ import annotations

import os

import pytest

from tests.harness import Box, only_ours
from tests.integration.mandated import COMMANDS, CREATE, POSTSTOP, Case


def skip_peers(box: Box, case: Case) -> None:
    if case.ours:
        only_ours(box, f"peers accept {case.duty}")


@pytest.mark.parametrize("name", CREATE)
def test_create_refuses(box: Box, name: str) -> None:
    case = CREATE[name]
    skip_peers(box, case)
    bundle = box.bundle()
    case.act(box, bundle)
    id = box.name()
    box.children_before |= set(box.new_processes(0))  # what a case needs to run meanwhile
    before = box.left()
    box.try_create(bundle, name=id).failed(case.text if box.runtime.is_ours else "")
    assert box.left() == before
    box.call("state", id).failed("does not exist")
    if box.runtime.is_ours:
        assert (box.directory / "poststop").exists() == (name in POSTSTOP)


@pytest.mark.parametrize("name", COMMANDS)
def test_command_refuses(box: Box, name: str) -> None:
    case = COMMANDS[name]
    skip_peers(box, case)
    case.act(box, box.bundle())
    kept = {container for container in box.names if (box.root / container).exists()}
    assert not box.root.exists() or set(os.listdir(box.root)) - {".lock"} <= kept
    assert box.mounts() == []
