"""The first lines of a package say what each of its modules is for."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.source.tree import PACKAGE, ROOT, tree_of

BY_THEMSELVES = ("docs", "man", "operations")  # no modules; one verb each, by its name
PACKAGES = sorted(path.parent for path in PACKAGE.glob("*/__init__.py") if path.parent.name not in BY_THEMSELVES)
PACKAGES.append(ROOT / "tests")


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.name)
def test_every_module_is_named(package: Path) -> None:
    text = ast.get_docstring(tree_of(package / "__init__.py")) or ""
    modules = {path.stem for path in package.glob("*.py")} - {"__init__"}
    assert modules - set(re.findall(r"`(\w+)`", text)) == set()
    assert set(re.findall(r"^- `(\w+)`", text, re.M)) - modules == set()
