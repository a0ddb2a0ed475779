"""What the flags of checkpoint say."""

from __future__ import annotations

import pytest

from pyrunc.errors import UsageError
from pyrunc.operations.checkpoint import parse_page_server


def test_a_page_server() -> None:
    found = parse_page_server("::1:27")
    assert found is not None and found.fields == [(1, "::1"), (2, 27)]
    assert parse_page_server("") is None


@pytest.mark.parametrize("text", ["nowhere", ":27", "a:", "a:0", "a:65536", "a:+1", "a:\uff11", "a:" + "1" * 5000])
def test_no_page_server(text: str) -> None:
    with pytest.raises(UsageError, match="invalid page server"):
        parse_page_server(text)
