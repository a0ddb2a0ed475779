"""Files have at most 300 lines, functions 40 (ARCHITECTURE.md, rule 4); generated files are exempt."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.source.tree import ROOT, is_generated, name_of, python_files, tree_of

FILE_LINES = 300
FUNCTION_LINES = 40
PARSER_LINES = 120

LONG_TABLES = {
    "pyrunc/plan/ops.py": "one function per operation: a table of signatures, the wire's schema",
}

WRITTEN = [path for folder in ("pyrunc", "csrc", "spec-fixtures") for path in python_files(folder)]
C_FILES = sorted([*(ROOT / "csrc").glob("*.c"), *(ROOT / "csrc").glob("*.h")])


@pytest.mark.parametrize("path", [*WRITTEN, *C_FILES], ids=lambda path: str(path.relative_to(ROOT)))
def test_files_are_short(path: Path) -> None:
    if is_generated(path) or str(path.relative_to(ROOT)) in LONG_TABLES:
        return
    assert len(path.read_text().splitlines()) <= FILE_LINES


@pytest.mark.parametrize("path", WRITTEN, ids=name_of)
def test_functions_are_short(path: Path) -> None:
    if is_generated(path):
        return
    for node in ast.walk(tree_of(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.end_lineno is not None:
            body = node.body
            documented = isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
            docstring = (body[0].end_lineno or 0) - body[0].lineno + 1 if documented else 0
            lines = node.end_lineno - node.lineno + 1 - docstring
            assert lines <= FUNCTION_LINES, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("path", C_FILES, ids=lambda path: path.name)
def test_c_functions_are_short(path: Path) -> None:
    if is_generated(path):
        return
    start = 0
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line == "{":
            start = number
        elif line.endswith("{") and re.match(r"[a-z].*\)\s*\{$", line):
            start = number
        elif line == "}" and start:
            assert number - start + 1 <= FUNCTION_LINES, f"the function that ends in line {number} is too long"
            start = 0


def test_the_exact_parser_is_small() -> None:
    assert len((ROOT / "pyrunc/cli/parser.py").read_text().splitlines()) < PARSER_LINES


@pytest.mark.parametrize("path", LONG_TABLES)
def test_exemptions_are_needed(path: str) -> None:
    assert len((ROOT / path).read_text().splitlines()) > FILE_LINES
