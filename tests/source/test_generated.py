"""Generated files match their generators (ARCHITECTURE.md, rule 4)."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pyrunc.install.manual import manual
from tests.source.tree import ROOT, is_generated, python_files

GENERATORS = {
    "csrc/generate_ops.py": ("pyrunc/plan/opcodes.py", "csrc/ops.gen.h"),
    "csrc/generate_linux.py": ("pyrunc/linux.py",),
    "spec-fixtures/generate_schema_table.py": ("pyrunc/spec/schema_table.py", "pyrunc/spec/schema_document.py"),
    "spec-fixtures/generate_conformance.py": ("spec-fixtures/CONFORMANCE.md",),  # stops at an empty cell
}


@pytest.mark.parametrize("generator", GENERATORS)
def test_up_to_date(generator: str) -> None:
    done = subprocess.run([sys.executable, generator, "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_manual_page() -> None:
    assert (ROOT / "pyrunc/man/pyrunc.8").read_text() == manual(), "run `make man`"


def test_every_generated_file_has_a_generator() -> None:
    known = {file for files in GENERATORS.values() for file in files}
    found = {str(path.relative_to(ROOT)) for path in python_files() if is_generated(path)}
    found |= {str(path.relative_to(ROOT)) for path in (ROOT / "csrc").glob("*.h") if is_generated(path)}
    assert found <= known
