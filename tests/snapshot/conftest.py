"""One installation with an image for all tests here."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.snapshot.world")

from tests.processes import not_a_subreaper  # noqa: E402
from tests.snapshot.world import World, compile_parts  # noqa: E402


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of this needs root and an architecture that is finished."""
    here = str(Path(__file__).parent)
    for item in items:
        if not str(item.path).startswith(here):
            continue
        item.add_marker(pytest.mark.root)
        item.add_marker(pytest.mark.needs("cc", "make", "busybox"))
        if platform.machine() != "x86_64":
            item.add_marker(pytest.mark.skip(reason="the snapshot is for x86_64"))


@pytest.fixture(autouse=True, scope="package")
def no_subreaper() -> Iterator[None]:
    """The system's init reaps what `exec` leaves: a pid namespace does not end before its last zombie."""
    with not_a_subreaper():
        yield


@pytest.fixture(scope="session")
def made() -> Iterator[World]:
    """The installation, its image built."""
    compile_parts()
    top = Path(tempfile.mkdtemp(prefix="pyrunc-snapshot-tests-"))
    os.chmod(top, 0o755)
    try:
        world = World(top)
        world.build()
        yield world
    finally:
        shutil.rmtree(top)


@pytest.fixture
def world(made: World) -> Iterator[World]:
    """The installation while its image is in use; the image is put back as it was after the test."""
    kept = made.image.read_bytes()
    assert made.status_line().startswith("in use: yes")
    yield made
    made.image.unlink(missing_ok=True)
    made.image.write_bytes(kept)
    made.image.chmod(0o600)
    Path(str(made.image) + ".crashed").unlink(missing_ok=True)
