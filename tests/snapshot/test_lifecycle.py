"""Several installations, and how they are named."""

from __future__ import annotations

import subprocess
from pathlib import Path

from pyrunc.snapshot.place import image_path
from tests.snapshot.world import IN_USE, World


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
