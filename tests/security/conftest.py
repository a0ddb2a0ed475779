"""The shared fixtures."""

from __future__ import annotations

from tests.box_fixtures import box, runtime
from tests.security.attack import decoy

__all__ = ["box", "decoy", "runtime"]
