"""Builds that are killed or run side by side, several installations, how they are named."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pyrunc.snapshot.place import image_path
from tests.snapshot.world import CLEAN, IN_USE, REPOSITORY, World


def killed_build(world: World, directory: Path, scratch: Path) -> list[str]:
    """The names that a build leaves in `directory` when it is killed as soon as it has begun its image."""
    command = [str(world.script), "snapshot", "build", "--directory", str(directory)]
    env = CLEAN | {"TMPDIR": str(scratch)}
    process = subprocess.Popen(command, env=env, start_new_session=True, stdout=-3, stderr=-3)
    end = time.monotonic() + 60
    while not list(directory.glob("*.image.new")):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return sorted(path.name.partition(".image")[2] for path in directory.iterdir())


@pytest.mark.parametrize("after", ["build", "remove"])
def test_build_that_was_killed(made: World, tmp_path: Path, after: str) -> None:
    """What it left goes with the next build and with the image; all of it was in root's own directory."""
    directory, elsewhere = tmp_path / "images", tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert killed_build(made, directory, elsewhere) == [".new", ".scratch"]
    assert list(elsewhere.iterdir()) == []
    status, _, err = made.normal("snapshot", after, "--directory", str(directory))
    assert (status, err) == (0, b"")
    image = image_path(str(made.script), str(directory))
    assert [str(path) for path in directory.iterdir()] == ([image] if after == "build" else [])


def test_uninstall_after_a_build_that_was_killed(tmp_path: Path) -> None:
    """`make uninstall` knows the names that a build uses."""
    prefix = "/opt/a-b%/"  # with the slash that a shell completes
    script = f"{prefix}/lib/pyrunc/bin/pyrunc"
    image = Path(f"{tmp_path}{image_path(script)}")
    image.parent.mkdir(parents=True)
    for end in ("", ".crashed", ".new", ".new.crashed"):
        Path(f"{image}{end}").touch()
    Path(f"{image}.scratch/bundle").mkdir(parents=True)
    command = ["make", "-s", "-C", str(REPOSITORY / "csrc/snapshot"), "uninstall"]
    subprocess.run([*command, f"DESTDIR={tmp_path}", f"SCRIPT={script}"], check=True, timeout=60)
    assert list(image.parent.iterdir()) == []


def test_builds_side_by_side(made: World) -> None:
    with ThreadPoolExecutor(2) as pool:
        builds = [
            pool.submit(made.normal, "snapshot", "build", "--directory", str(made.directory)) for _ in "12"
        ]
    assert [(build.result()[0], build.result()[2]) for build in builds] == [(0, b""), (0, b"")]
    assert [str(path) for path in made.directory.iterdir()] == [str(made.image)]
    assert made.status_line().startswith(IN_USE)


def test_installations_do_not_share_an_image() -> None:
    scripts = ["/opt/a-b/pyrunc", "/opt/a/b/pyrunc", "/opt/a%2Db/pyrunc", "/opt-a/b/pyrunc"]
    assert len({image_path(script) for script in scripts}) == len(scripts)
    assert image_path("/usr/local/lib/pyrunc/bin/pyrunc").endswith("/usr-local-lib-pyrunc-bin-pyrunc.image")


def test_prefix_with_a_slash_at_its_end(made: World, tmp_path: Path) -> None:
    """The launcher looks where `snapshot build` puts the image."""
    launcher = tmp_path / "pyrunc"
    script = str(made.script).replace("/lib/", "//lib/")
    write = [
        "from pyrunc.snapshot import launcher, place",
        f"launcher.write_launcher({str(launcher)!r}, {script!r}, place.image_path({script!r}, {str(made.directory)!r}))",
    ]
    subprocess.run(["/usr/bin/python3", "-B", "-c", "\n".join(write)], cwd=made.library, check=True)
    assert made.status_line(launcher=str(launcher)).startswith(IN_USE)


def test_relative_directory(made: World, tmp_path: Path) -> None:
    """Taken from where the caller is; the interpreter that becomes the image runs elsewhere."""
    status, _, err = made.normal("snapshot", "build", "--directory", "images", cwd=tmp_path)
    assert (status, err) == (0, b"")
    images = [str(path) for path in (tmp_path / "images").iterdir()]
    assert images == [image_path(str(made.script), str(tmp_path / "images"))]
