"""The shared fixtures, and nothing to collect outside of the guest: `make test-vm` sets PYRUNC_GUEST."""

from __future__ import annotations

import os

from tests.box_fixtures import box, runtime

__all__ = ["box", "runtime"]

collect_ignore_glob = [] if os.environ.get("PYRUNC_GUEST") == "1" else ["test_*.py"]
