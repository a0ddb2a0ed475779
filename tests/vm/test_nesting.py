"""pyrunc in a container of pyrunc, as root and as the root of a user namespace."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pyrunc.linux import CAPABILITIES
from tests.harness import CHECKOUT, Box, Bundle

pytestmark = pytest.mark.root

PACKAGES = CHECKOUT / ".venv/lib"  # in the guest a link to what it shares with its host
HOST = ("/usr", "/bin", "/lib", "/lib64", "/sbin", str(CHECKOUT), str(PACKAGES.resolve()))


def outer(box: Box, inner: Bundle) -> Bundle:
    """A container with the host's programs and the bundle of another, that may make containers."""
    bundle = box.bundle()
    for path in HOST:
        if os.path.exists(path):
            bundle.mount(path, "none", path, "rbind", "ro")
    bundle.mount("/inner", "none", str(inner.directory), "rbind", "rw")
    bundle.mount("/run", "tmpfs", "tmpfs", "nosuid", "mode=755")
    bundle.namespace("cgroup")
    bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", "rw", "nosuid", "noexec", "nodev")
    bundle.process["capabilities"] = {
        kind: sorted(CAPABILITIES) for kind in ("bounding", "effective", "permitted")
    }
    bundle.process["noNewPrivileges"] = False
    bundle.linux["resources"]["devices"] = [{"allow": True, "access": "rwm"}]
    bundle.linux["readonlyPaths"] = bundle.linux["maskedPaths"] = []
    return bundle


def inner(box: Box, *args: str) -> Bundle:
    bundle = box.bundle(*args)
    del bundle.linux["cgroupsPath"]
    bundle.process["capabilities"] = {}
    return bundle.write()


SCRIPT = """
mkdir /sys/fs/cgroup/manager && echo $$ >/sys/fs/cgroup/manager/cgroup.procs || exit 9
{pyrunc} --root /run/p run -d -b /inner in </dev/null >/run/out 2>&1 || {{ cat /run/out; exit 8; }}
{pyrunc} --root /run/p exec in /bin/sh -c 'echo inside; hostname'
cat /sys/fs/cgroup/in/pids.max
{pyrunc} --root /run/p delete --force in || exit 7
ls -d /sys/fs/cgroup/in 2>/dev/null
{pyrunc} --root /run/p list -q
"""


@pytest.mark.parametrize("user", [False, True], ids=["root", "user-namespace"])
def test_a_container_in_a_container(box: Box, user: bool) -> None:
    deep = inner(box, "/bin/sleep", "1000")
    deep.config["hostname"] = "deep"
    deep.linux["resources"] = {"pids": {"limit": 9}}
    if user:  # /sys belongs to the host's root: a bind is what a user namespace without a network can have
        deep.mount("/sys", "none", "/sys", "rbind", "ro")
    deep.write()
    bundle = outer(box, deep).shell(SCRIPT.format(pyrunc=" ".join(box.runtime.command)))
    if user:
        bundle.user_namespace()
        for path in [deep.rootfs, *deep.rootfs.rglob("*")]:
            if not path.is_symlink() and "/bin/" not in str(path):
                os.chown(path, 100000, 100000)
    result = box.run(bundle)
    assert result.out.split() == ["inside", "deep", "9"], result


def test_the_bundles_are_plain(box: Box) -> None:
    deep = inner(box, "/bin/true")
    assert json.loads(Path(deep.directory, "config.json").read_text())["process"]["args"] == ["/bin/true"]
