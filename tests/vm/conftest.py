"""The shared fixtures, and nothing to collect outside of the guest: `make test-vm` sets PYRUNC_GUEST."""

from __future__ import annotations

import os

import pytest

from tests.box_fixtures import box, runtime

__all__ = ["box", "runtime"]

collect_ignore_glob = [] if os.environ.get("PYRUNC_GUEST") == "1" else ["test_*.py"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a session of the ordinary user leave out what another session runs as root."""
    if os.environ.get("PYRUNC_GUEST") != "1" or os.geteuid() == 0:
        return
    left_out = [item for item in items if item.get_closest_marker("root")]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)
