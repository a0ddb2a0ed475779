"""The census names what is left, of every kind; and nothing once it is gone."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.census import Census
from tests.engines.conftest import need

NAME = "t0123456789"


@contextlib.contextmanager
def directory(path: Path) -> Iterator[str]:
    """A directory that is there for a while, its parents with it where they were missing."""
    missing = [parent for parent in path.parents if not parent.exists()]
    path.mkdir(parents=True)
    yield str(path)
    for made in [path, *missing]:
        made.rmdir()


@contextlib.contextmanager
def process(scratch: Path) -> Iterator[str]:
    script = f"echo; read line # {scratch}"
    with subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdout and running.stdout.readline()  # /proc shows its command by now
        yield str(running.pid)


@contextlib.contextmanager
def mount(scratch: Path) -> Iterator[str]:
    with directory(scratch / "mounted") as target:
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", target], check=True)
        yield target
        subprocess.run(["umount", target], check=True)


@contextlib.contextmanager
def network_interface(_: Path) -> Iterator[str]:
    subprocess.run(["ip", "link", "add", "br-census", "type", "bridge"], check=True)
    yield "br-census"
    subprocess.run(["ip", "link", "del", "br-census"], check=True)


LEFT = {
    "process": process,
    "mount": mount,
    "cgroup": lambda _: directory(Path("/sys/fs/cgroup/pids/docker", NAME)),
    "record": lambda _: directory(Path("/run/containerd/runc/default", NAME)),
    "network interface": network_interface,
}


@pytest.mark.parametrize("kind", LEFT)
def test_what_is_left_is_named(kind: str, scratch: Path) -> None:
    need("ip")
    before = Census(scratch)
    with LEFT[kind](scratch) as name:
        [found] = before.left()
        assert found.startswith(f"{kind} ") and name in found
    assert before.left() == []
