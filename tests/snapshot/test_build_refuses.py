"""What may not become an image does not, and the image in use stays."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pyrunc.errors import HostError, OperationError
from pyrunc.snapshot import build, keys, place, selftest
from tests.snapshot.world import IN_USE, World, run

ENTRY = "from pyrunc.cli.main import entry\n"
Refused = Callable[[str, str], None]


@pytest.fixture
def refused(world: World) -> Iterator[Refused]:
    """Build with another script: it fails with this text and leaves image and directory as they were."""
    text, before = world.script.read_text(), world.script.stat()
    image = world.image.read_bytes()

    def check(changed: str, reason: str) -> None:
        world.script.write_text(changed)
        status, out, err = run([str(world.script), "snapshot", "build", "--directory", str(world.directory)])
        assert (status, out) == (1, b"")
        assert reason in err.decode(), err.decode()
        assert world.image.read_bytes() == image
        assert os.listdir(world.directory) == [world.image.name]

    yield check
    world.script.write_text(text)
    os.utime(world.script, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert world.status_line().startswith(IN_USE)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("sys.modules.setdefault('ssl', sys)", "modules that hold secrets or threads are loaded: ssl"),
        ("import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()", "more than one thread"),
        ("import ctypes, os; fd = os.open(__file__, os.O_RDWR); ctypes.CDLL(None).mmap(None, 4096, 3, 1, fd, 0); os.close(fd)", "resource busy"),
        ("import posix; posix.open('/etc/passwd', 0)", "descriptors are open that no restored process will have: "),
        ("import mmap; sys.kept = mmap.mmap(-1, 4096)", "/dev/zero (deleted)"),
        ("sys.stderr.write('only normally\\n')", "the image failed its test: '--version' gave"),
        ("import os; os.utime(__file__)", "changed while the image was made"),
        ("if __name__ == 'pyrunc_script': sys.exit(3)", "did not become an image"),
        ("if __name__ == 'pyrunc_script': import os; os.kill(os.getpid(), 11)", "did not become an image: status -11"),
    ],
)  # fmt: skip
def test_interpreter(world: World, refused: Refused, lines: str, reason: str) -> None:
    head, entry, rest = world.script.read_text().rpartition(ENTRY)
    refused(f"{head}{lines}\n{entry}{rest}", reason)


def test_script_that_does_something_else(world: World, refused: Refused) -> None:
    text = world.script.read_text()
    refused(text.replace(ENTRY, ENTRY.replace(" import ", "  import ")), "does not start pyrunc as expected")


def test_script_without_an_interpreter(world: World, tmp_path: Path) -> None:
    script = tmp_path / "script"
    for first in ("#!/bin/sh\n", "", "import sys\n"):
        script.write_text(first)
        with pytest.raises(OperationError, match="names no Python"):
            build._interpreter(str(script))


def test_registered_restartable_sequences(
    made: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restored thread would not be registered: the build turns them off, and the dump makes sure."""
    monkeypatch.setattr(build, "_ENVIRONMENT", {})
    monkeypatch.setattr(place, "TOOL", str(made.tool))
    selftest.make_bundles(str(tmp_path))
    with pytest.raises(OperationError, match="busy"):
        build._dump(str(made.script), str(tmp_path / "image"), str(tmp_path))


def test_ordinary_user(made: World) -> None:
    for action in ("build", "remove"):
        command = [
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            str(made.script),
            "snapshot",
            action,
        ]
        status, out, err = run([*command, "--directory", "/tmp/no-such-directory"])
        assert (status, out) == (1, b"")
        assert b"snapshot needs root" in err
    assert not os.path.exists("/tmp/no-such-directory")


@pytest.mark.parametrize("mode", [0o755, 0o701, 0o1777])
def test_directory_of_others(tmp_path: Path, mode: int) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images").chmod(mode)
    with pytest.raises(HostError, match="not a directory of root's alone"):
        build.make_directory(str(tmp_path / "images"))


@pytest.mark.parametrize(("mode", "owner"), [(0o777, 0), (0o720, 0), (0o702, 0), (0o755, 65534)])
def test_directory_that_others_can_replace(tmp_path: Path, mode: int, owner: int) -> None:
    (tmp_path / "above/between").mkdir(parents=True)
    (tmp_path / "above").chmod(mode)
    os.chown(tmp_path / "above", owner, 0)
    with pytest.raises(HostError, match=f"who may change {tmp_path}/above"):
        build.make_directory(str(tmp_path / "above/between/images"))
    assert not (tmp_path / "above/between/images").exists()
    os.chown(tmp_path / "above", 0, 0)
    (tmp_path / "above").chmod(0o1777)  # as /tmp is
    build.make_directory(str(tmp_path / "above/between/images"))


def test_directory_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "file").touch(0o700)
    for name in ("link", "file"):
        with pytest.raises(HostError, match="not a directory of root's alone"):
            build.make_directory(str(tmp_path / name))
    build.make_directory(str(tmp_path / "new/images"))
    assert (tmp_path / "new/images").stat().st_mode == 0o040700


def test_file_system_without_execution(made: World) -> None:
    script = 'mount --bind "$0" "$0" && mount -o remount,bind,noexec "$0" && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", script, str(made.directory)]
    status, _, err = run(
        [*command, str(made.script), "snapshot", "build", "--directory", str(made.directory)]
    )
    assert status == 1
    assert b"mounted noexec" in err


@pytest.mark.parametrize("part", ["TOOL", "LAUNCHER"])
def test_parts_that_were_not_compiled(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    monkeypatch.setattr(place, part, "/no/such")
    assert place.unsupported() == "the startup snapshot was not compiled: /no/such is missing"
    with pytest.raises(HostError, match="not compiled"):
        build.build("/no/such/directory")


def test_file_that_changed_meanwhile(tmp_path: Path) -> None:
    """What is as young as the build may have been read before it changed."""
    file = tmp_path / "file"
    file.touch()
    moment = file.stat().st_mtime_ns
    with pytest.raises(keys.ChangedError):
        keys.file_keys([str(file)], moment)
    table, count = keys.file_keys([str(file), str(file)], moment + 1)
    assert count == 1
    assert os.fsencode(file) in table
