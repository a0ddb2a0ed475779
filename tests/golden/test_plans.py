"""Plans are what they were. After a change on purpose: python -m tests.golden --update, and read the difference."""

from __future__ import annotations

import pytest

from tests.golden.plans import PLANS, all_files, text_of

FILES = all_files()


@pytest.mark.parametrize("file", FILES)
def test_plan(file: str) -> None:
    assert text_of(*FILES[file]) == (PLANS / file).read_text()


def test_every_file_is_compared() -> None:
    assert {str(path.relative_to(PLANS)) for path in PLANS.rglob("*") if path.is_file()} == set(FILES)
