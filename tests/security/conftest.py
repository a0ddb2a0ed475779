"""The shared fixtures; they live in tests/box_fixtures.py."""

from __future__ import annotations

from tests.box_fixtures import box, runtime

__all__ = ["box", "runtime"]
