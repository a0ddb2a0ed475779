"""Pure modules read and write nothing (ARCHITECTURE.md, rule 2)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.source.tree import imports_of, name_of, python_files, run_time_nodes, tree_of

NOT_PURE = {
    "pyrunc.spec.load": "reads config.json",
}
PURE = ("pyrunc.spec.", "pyrunc.plan.", "pyrunc.state.lifecycle", "pyrunc.state.record", "pyrunc.errors",
        "pyrunc.cgroup.path", "pyrunc.cgroup.limits", "pyrunc.cgroup.device_rules", "pyrunc.cli.commands",
        "pyrunc.cli.parser")  # fmt: skip
FORBIDDEN = {
    "posix", "io", "pathlib", "shutil", "tempfile", "mmap", "fcntl", "select", "time", "signal", "socket", "_socket",
    "subprocess", "threading", "urllib", "logging", "random", "ctypes", "_signal",
}  # fmt: skip
ALLOWED_OF_OS = {"path", "fsencode", "fsdecode", "strerror"}
ALLOWED_OF_OS_PATH = {"basename", "dirname", "isabs", "join", "normpath", "split", "splitext", "relpath", "commonpath"}
EFFECTS = {"open", "print", "input", "exec", "eval", "__import__"}


def pure_files() -> list[Path]:
    return [path for path in python_files() if name_of(path).startswith(PURE) and name_of(path) not in NOT_PURE]


@pytest.mark.parametrize("path", pure_files(), ids=name_of)
def test_reads_and_writes_nothing(path: Path) -> None:
    imported = imports_of(path)
    assert not {name.split(".")[0] for name in imported} & FORBIDDEN
    assert not {name for name in imported if name.startswith(("pyrunc.native", "pyrunc.execute", "pyrunc.state.store"))}
    for node in run_time_nodes(tree_of(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in EFFECTS, f"{node.func.id}() in line {node.lineno}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
            assert node.attr in ALLOWED_OF_OS or node.attr.isupper() or node.attr.startswith("O_"), node.attr
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "path":
            base = node.value.value
            if isinstance(base, ast.Name) and base.id == "os":
                assert node.attr in ALLOWED_OF_OS_PATH, f"os.path.{node.attr}"
