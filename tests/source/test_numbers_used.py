"""pyrunc/linux.py has the numbers that something uses, by name or as a name of the specification."""

from __future__ import annotations

import ast

from pyrunc import linux

from .tree import PACKAGE, python_files, tree_of


def mentioned() -> set[str]:
    """Names, attributes and strings of the package, and what it imports by name."""
    found: set[str] = set()
    for path in python_files():
        if path == PACKAGE / "linux.py":
            continue
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Name):
                found.add(node.id)
            elif isinstance(node, ast.Attribute):
                found.add(node.attr)
            elif isinstance(node, ast.alias):
                found.add(node.name)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def test_every_number_is_used() -> None:
    names = {name for name in vars(linux) if name[0] != "_" and name != "annotations"}
    assert names - mentioned() == set()
