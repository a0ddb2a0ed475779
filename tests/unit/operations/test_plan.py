"""Facts from a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyrunc.errors import SpecError
from pyrunc.operations.plan import read_facts


@pytest.mark.parametrize("text", ["[]", "1", "{", '{"nosuch": 1}'])
def test_what_holds_no_facts(text: str, tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    path.write_text(text)
    with pytest.raises(SpecError, match="holds no facts: "):
        read_facts(str(path))
