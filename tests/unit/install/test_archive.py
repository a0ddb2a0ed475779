"""The archive of modules and its finder."""

from __future__ import annotations

import marshal
import subprocess
import sys
from pathlib import Path

import pytest

from pyrunc.install import archive, launcher

PYTHON = getattr(sys, "_base_executable", sys.executable)

MODULES = {
    "__init__.py": '"""Doc."""\n',
    "cli/__init__.py": "",
    "cli/main.py": (
        "from __future__ import annotations\n"
        "TYPE_CHECKING = False\n"
        "if TYPE_CHECKING:\n    from nowhere import Thing\n"
        "import os\n"
        "import sys\n"
        "from pyrunc.part import Value, cold\n"
        "limit: int = 3\n"
        "def entry(*a: Thing, b: Thing = None, **c: Thing) -> Thing:\n"
        '    """Doc."""\n'
        "    assert 0\n"
        "    print(limit, Value().x, __file__, entry.__doc__, entry.__annotations__, cold(), sys.argv[1:])\n"
        "    print(type(sys.modules['pyrunc.part'].__loader__).__name__, hasattr(os, 'environ'))\n"
    ),
    "part/__init__.py": (
        "class Value:\n    x: int\n    def __init__(self):\n        self.x: int = 5\n"
        "def cold():\n    from pyrunc.api import name\n    return name\n"
    ),
    "api.py": "name = __spec__.loader.__class__.__name__\n",
}


@pytest.fixture
def library(tmp_path: Path) -> Path:
    for name, text in MODULES.items():
        path = tmp_path / "lib" / "pyrunc" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "lib"


def test_launcher_runs_from_the_archive(library: Path, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "pyrunc"
    launcher.write_library_launcher(program, library, str(library))
    done = subprocess.run([program, "a b", "-c"], env={}, capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        f"3 5 {library}/pyrunc/cli/main.py None {{}} SourceFileLoader ['a b', '-c']",
        "ArchiveFinder True",
    ]


def test_errors_name_the_file(library: Path, tmp_path: Path) -> None:
    (library / "pyrunc/cli/main.py").write_text("def entry():\n    1 / 0\n")
    program = tmp_path / "pyrunc"
    launcher.write_library_launcher(program, library, str(library))
    done = subprocess.run([program], capture_output=True, text=True)
    assert f'File "{library}/pyrunc/cli/main.py", line 2, in entry' in done.stderr


def test_another_python_is_told_apart(library: Path, tmp_path: Path) -> None:
    program = tmp_path / "pyrunc"
    launcher.write_library_launcher(program, library, str(library))
    file = library / launcher.ARCHIVE
    file.write_bytes(b"XXXX" + file.read_bytes()[4:])
    done = subprocess.run([program], capture_output=True, text=True)
    assert done.returncode == 1
    assert "run `make install` again" in done.stderr


def test_paths_are_the_final_ones(library: Path) -> None:
    data = archive.build_archive(library, "/final")
    start = 8 + int.from_bytes(data[4:8], "little")
    *_, index, _ = marshal.loads(data[8:start])
    assert index.keys() == {"pyrunc", "pyrunc.cli", "pyrunc.cli.main", "pyrunc.part"}
    package, offset, length, *_ = index["pyrunc.part"]
    assert package
    assert marshal.loads(data[start + offset : start + offset + length]).co_filename == "/final/pyrunc/part/__init__.py"


def test_the_interpreter_is_not_the_environment_s() -> None:
    assert ".venv" not in launcher.interpreter()
