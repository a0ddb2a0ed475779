"""A whole Debian: its package manager and its Python run, with a terminal and without."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import rootfs
from tests.harness import Box, Bundle, wait_child
from tests.terminals import read_all, spawn_on_terminal

PROGRAMS = {
    "apt": (["apt-get", "--version"], "apt "),
    "python": (
        ["python3", "-c", "import sys, json; print('python', sys.version_info[0], json.dumps([1]))"],
        "python 3 [1]",
    ),
    "shell": (["sh", "-c", "cat /etc/debian_version >/dev/null && echo is debian; exit 0"], "is debian"),
}


@pytest.fixture(scope="module")
def debian() -> Path:
    try:
        return rootfs.debian_root()
    except rootfs.Missing as missing:
        pytest.skip(f"needs {missing}")


@pytest.fixture
def bundle(box: Box, debian: Path) -> Iterator[Bundle]:
    """Read-only, so that one root serves all tests."""
    made = box.bundle()
    shutil.rmtree(made.rootfs)
    made.config["root"] = {"path": str(debian), "readonly": True}
    made.process["env"] = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"]
    made.mount("/tmp", "tmpfs", "tmpfs", "mode=1777")
    yield made


@pytest.mark.parametrize("name", PROGRAMS)
def test_without_a_terminal(box: Box, bundle: Bundle, name: str) -> None:
    args, text = PROGRAMS[name]
    assert text in box.run(bundle.args(*args)).ok().out


@pytest.mark.parametrize("name", PROGRAMS)
def test_with_a_terminal(box: Box, bundle: Bundle, name: str) -> None:
    args, text = PROGRAMS[name]
    bundle.process["terminal"] = True
    container = box.name()
    box.place(bundle.args(*args), container)
    pid, primary = spawn_on_terminal(box, "run", "--bundle", str(bundle.directory), container)
    output = read_all(primary)
    os.close(primary)
    assert wait_child(pid) == 0, output
    assert text in output


def test_exec_in_debian(box: Box, bundle: Bundle) -> None:
    container = box.started(bundle.args("sleep", "1000"))
    assert container.exec("python3", "-c", "print(6 * 7)").ok().out == "42\n"


def test_as_an_ordinary_user(box: Box, bundle: Bundle) -> None:
    bundle.process["user"] = {"uid": 65534, "gid": 65534}
    assert box.run(bundle.args("id", "-un")).ok().out == "nobody\n"
