"""The stand-in for os: nothing is missing from it, and it goes away when something is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
START = f"""
import sys
names = {{"__name__": "lean_os"}}
exec(open({str(ROOT / "pyrunc/install/lean_os.py")!r}).read(), names)
names["install"]()
import os
lean = lambda: "_collections_abc" not in sys.modules
assert lean()
"""

CASES = {
    "functions": "assert os.getpid() and os.stat('/').st_ino and os.O_CLOEXEC and os.strerror(2); assert lean()",
    "paths": "import os.path; assert os.path.join('a', 'b') == 'a/b' and os.path.abspath('/a/..') == '/'; assert lean()",
    "names of files": "assert os.fsencode(os.fsdecode(b'/\\xff')) == b'/\\xff'; assert lean()",
    "environment": "assert os.environ['NAME'] == 'value'; assert os.environ.get('NOT') is None; assert lean()",
    "the rest is the real one": "assert os.getenv('NAME') == 'value'; assert not lean(); assert os.PathLike",
    "earlier holders have it too": (
        "before = os; environ = os.environ; os.makedirs; import os as after\n"
        "assert before.environ is after.environ and before.walk is after.walk and after.environ is not environ"
    ),
    "from": "from os import walk, sep, path, linesep; assert sep == '/' and linesep == '\\n'",
    "a missing name": (
        "try:\n    os.nosuch\nexcept AttributeError as error:\n    assert 'nosuch' in str(error)\nelse:\n    assert 0"
    ),
    "public modules": "import json, subprocess, tempfile, shutil, pathlib, socket, argparse; import os.path",
    "a child": "import subprocess; assert subprocess.run(['true']).returncode == 0",
    "environment that is written": "os.getenv; os.environ['X'] = 'y'; import subprocess;"
    "assert subprocess.check_output(['printenv', 'X']) == b'y\\n'",
    "no such function": "assert not hasattr(os, 'startfile')",
}


@pytest.mark.parametrize("case", CASES)
def test_stand_in(case: str) -> None:
    python = getattr(sys, "_base_executable", sys.executable)
    done = subprocess.run(
        [python, "-I", "-S", "-c", START + CASES[case]],
        env={"NAME": "value", "PATH": "/usr/bin:/bin"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_it_stays_out_of_the_way() -> None:
    from pyrunc.install import lean_os

    real = sys.modules["os"]
    lean_os.install()
    assert sys.modules["os"] is real
