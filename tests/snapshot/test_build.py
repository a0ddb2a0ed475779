"""Making, replacing and removing images; pyrunc without any of this."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from pyrunc.snapshot.keys import FIXED_SIZE
from tests.snapshot.world import IN_USE, REPOSITORY, World, run


def test_hash_seed_differs_between_builds(made: World) -> None:
    """Each build's interpreter takes its seed from the kernel: two images differ in it."""
    first = hash_secret(made.image)
    made.build()
    second = hash_secret(made.image)
    assert any(first)
    assert first != second


def hash_secret(image: Path) -> bytes:
    """The interpreter's `_Py_HashSecret` as the image has it."""
    python = Path("/usr/bin/python3").resolve()
    symbols = run(["nm", "-D", str(python)])[1].decode().splitlines()
    found = [int(line.split()[0], 16) for line in symbols if line.endswith(" _Py_HashSecret")]
    if not found:
        pytest.skip(f"{python} does not export _Py_HashSecret")
    data = image.read_bytes()
    (count,) = struct.unpack_from("<Q", data, 480)
    for index in range(count):
        address, length, offset, _ = struct.unpack_from("<QQQQ", data, FIXED_SIZE + 32 * index)
        if address <= found[0] < address + length:
            begin = offset + found[0] - address
            return data[begin : begin + 16]
    raise AssertionError("not in the image")


def test_build_from_a_restored_process(made: World) -> None:
    status, out, err = made.restored("snapshot", "build", "--directory", str(made.directory))
    assert (status, err) == (0, b""), out
    assert made.status_line().startswith(IN_USE)


def test_remove(made: World) -> None:
    assert made.restored("snapshot", "remove", "--directory", str(made.directory))[0] == 0
    assert list(made.directory.iterdir()) == []
    assert "there is no image" in made.status_line()
    made.build()


def test_without_the_snapshot(made: World, tmp_path: Path) -> None:
    """Nothing but its own command misses the two directories."""
    library = tmp_path / "lib"
    shutil.copytree(made.library, library, ignore=shutil.ignore_patterns("snapshot", "pyrunc.modules"))
    shutil.copy(made.library / "pyrunc/operations/snapshot.py", library / "pyrunc/operations")
    start = "import sys; sys.path.insert(0, sys.argv.pop(1)); from pyrunc.cli.main import entry; entry()"
    outcome = run(["/usr/bin/python3", "-IS", "-c", start, str(library), "--version"])
    assert outcome == made.normal("--version")
    outcome = run(["/usr/bin/python3", "-IS", "-c", start, str(library), "snapshot", "status"])
    assert outcome[0] == 1
    assert b"built without the startup snapshot" in outcome[2]


def test_another_architecture(made: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """`status` says so, and the launcher's sources for it refuse the image, too."""
    from pyrunc.snapshot import place, status

    machine = list(os.uname())
    machine[4] = "aarch64"
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(machine))
    assert place.unsupported() == "the startup snapshot does not support aarch64 yet"
    assert status.why_not(str(made.image)) == place.unsupported()


@pytest.mark.needs("aarch64-linux-gnu-gcc")
def test_cross_compiled() -> None:
    subprocess.run(
        ["make", "-s", "-C", str(REPOSITORY / "csrc/snapshot"), "cross"], check=True, capture_output=True
    )
