"""These tests look at their own children: orphans of other tests are not theirs."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import pytest

PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER = 36, 37


@pytest.fixture(autouse=True, scope="package")
def no_subreaper() -> Iterator[None]:
    """Not a subreaper while these tests run, whatever the session is."""
    prctl = ctypes.CDLL(None).prctl
    before = ctypes.c_int()
    prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(before), 0, 0, 0)
    prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
    yield
    prctl(PR_SET_CHILD_SUBREAPER, before.value, 0, 0, 0)
