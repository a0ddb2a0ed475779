"""config-linux.md#rootfs-mount-propagation together with binds: who sees whose mounts."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import Box

pytestmark = pytest.mark.root


@pytest.fixture
def shared(box: Box) -> Iterator[Path]:
    """A mount of the host's that has peers, with room for another one."""
    path = box.directory / "shared"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", path], check=True)
    subprocess.run(["mount", "--make-shared", path], check=True)
    (path / "below").mkdir()
    yield path
    subprocess.run(["umount", "-R", path], check=True)


@pytest.mark.parametrize(
    ("root", "option", "seen"),
    [("rshared", "rshared", True), ("rslave", "rshared", False), ("", "rslave", False), ("rshared", "rprivate", False)],
)
def test_mounts_of_the_container_reach_the_host_only_between_peers(
    box: Box, shared: Path, root: str, option: str, seen: bool
) -> None:
    bundle = box.bundle("/bin/sh", "-c", "mount -t tmpfs inner /data/below && echo mounted; sleep 100")
    bundle.mount("/data", "bind", str(shared), "rbind", option)
    if root:
        bundle.linux["rootfsPropagation"] = root
    for kind in ("bounding", "effective", "permitted"):
        bundle.process["capabilities"][kind].append("CAP_SYS_ADMIN")
    container = box.started(bundle)
    container.wait_output("mounted")
    assert (f"{shared}/below" in Path("/proc/self/mountinfo").read_text()) is seen
    container.kill().ok()
    container.wait()
