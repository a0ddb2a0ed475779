"""config-linux.md#rootfs-mount-propagation together with binds: who sees whose mounts."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import DEADLINE, Box

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
    ("root", "option", "user", "seen"),
    [
        ("rshared", "rshared", False, True),
        ("rshared", "rshared", True, False),  # mount_namespaces(7): no peers where another user namespace owns
        ("rslave", "rshared", False, False),
        ("", "rslave", False, False),
        ("rshared", "rprivate", False, False),
    ],
)
def test_mounts_of_the_container_reach_the_host_only_between_peers(
    box: Box, shared: Path, root: str, option: str, user: bool, seen: bool
) -> None:
    bundle = box.bundle("/bin/sh", "-c", "mount -t tmpfs inner /data/below && echo mounted; sleep 100")
    bundle.mount("/data", "bind", str(shared), "rbind", option)
    if user:
        bundle.user_namespace()
    if root:
        bundle.linux["rootfsPropagation"] = root
    for kind in ("bounding", "effective", "permitted"):
        bundle.process["capabilities"][kind].append("CAP_SYS_ADMIN")
    container = box.started(bundle)
    container.wait_output("mounted")
    assert (f"{shared}/below" in Path("/proc/self/mountinfo").read_text()) is seen
    container.kill().ok()
    container.wait()


def test_devices_of_a_user_namespace_are_no_peers_of_the_hosts(box: Box) -> None:
    """The host's device nodes are bound there; what the container mounts over them is its own affair."""
    script = "grep -c shared: /proc/self/mountinfo; mount -o bind /bin/true /dev/null && echo mounted"
    bundle = box.bundle("/bin/sh", "-c", script).user_namespace()
    bundle.linux["devices"] = []
    for kind in ("bounding", "effective", "permitted"):
        bundle.process["capabilities"][kind].append("CAP_SYS_ADMIN")
    box.place(bundle, name := box.name())
    command = [*box.runtime.command, "--root", str(box.root), "run", "--bundle", str(bundle.directory), name]
    beside = f"{shlex.join(command)}; test -c /dev/null && echo untouched"  # with mounts as systemd shares them
    shared = ["unshare", "--mount", "--propagation", "shared", "sh", "-c", beside]
    done = subprocess.run(shared, capture_output=True, text=True, timeout=DEADLINE)
    assert done.stdout.split() == ["0", "mounted", "untouched"], done
