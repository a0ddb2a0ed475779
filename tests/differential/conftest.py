"""The shared fixtures, and the peers: Debian's runc and crun, or what $RUNC and $CRUN name."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

import pytest

from tests import rootfs
from tests.box_fixtures import box, runtime
from tests.harness import Runtime, find_runtime

__all__ = ["box", "runtime"]


@cache
def find_peer(name: str) -> Runtime:
    """A peer; its name is that of the program, whatever file it is in."""
    try:
        found = find_runtime(os.environ.get(name.upper(), name))
    except rootfs.Missing as missing:
        pytest.skip(f"needs {missing} (package {name})")
    found.name = name
    return found


@pytest.fixture
def peer(request: pytest.FixtureRequest, runtime: Runtime) -> Runtime:
    """One of the peers; a case meets both in a row."""
    return find_peer(request.param)


@pytest.fixture(scope="session")
def known() -> dict[str, dict[str, Any]]:
    """Name of a case → its outcome under the runtime under test, which need not be found again for each peer."""
    return {}
