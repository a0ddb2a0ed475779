"""systemd as a container's init, on a cgroup that is delegated to it, started by either driver."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import Box, Bundle, wait_until
from tests.vm.scopes import DRIVERS, ROOT, bundle_of, open_box
from tests.vm.test_cgroup_v2 import MEGA, limit, show_cgroup
from tests.vm.test_rootless import ranges

HOST = ("/usr", "/etc", "/bin", "/sbin", "/lib", "/lib64")
CAPABILITIES = [
    f"CAP_{name}"
    for name in "CHOWN DAC_OVERRIDE FOWNER FSETID KILL NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT".split()
]
"""What engines give.  With more, systemd would unmount its own programs when it halts."""
PATIENCE = 120
"""Seconds for a whole boot in an emulated guest."""


@pytest.fixture(params=DRIVERS)
def box(request: pytest.FixtureRequest) -> Iterator[Box]:
    with open_box(request.param) as made:
        yield made


def system(box: Box, user_namespace: bool) -> Bundle:
    """The guest's own system, read-only, in a container that may do what it likes with its cgroup."""
    bundle = show_cgroup(bundle_of(box, "/lib/systemd/systemd", "--unit=basic.target"), "rw")
    for path in HOST:
        if os.path.exists(path):
            bundle.mount(path, "none", path, "rbind", "ro")
    for path in ("/run", "/run/lock", "/tmp", "/var"):
        bundle.mount(path, "tmpfs", "tmpfs", "nosuid", "nodev", "mode=755")
    bundle.process["env"].append("container=oci")
    bundle.process["noNewPrivileges"] = False
    bundle.process["capabilities"] = dict.fromkeys(("bounding", "effective", "permitted"), CAPABILITIES)
    if user_namespace and ROOT:
        bundle.user_namespace()
    elif not ROOT:
        ranges(bundle)
    return limit(bundle, pids={"limit": 200})


@pytest.mark.parametrize(
    "user_namespace", [True, False] if ROOT else [True], ids=["user-namespace", "root"][: 1 + ROOT]
)
def test_boots_limits_and_halts(box: Box, user_namespace: bool) -> None:
    container = box.started(system(box, user_namespace))
    bus = Path(f"/proc/{container.pid}/root/run/systemd/private")
    wait_until(bus.exists, PATIENCE, "systemd inside")
    state = container.exec("systemctl", "is-system-running", "--wait", timeout=PATIENCE)
    assert state.out.strip() in ("running", "degraded"), container.errors
    limited = "cat /sys/fs/cgroup$(cut -d: -f3 /proc/self/cgroup)/memory.max"
    service = (
        "systemd-run",
        "--quiet",
        "--wait",
        "--pipe",
        "--property=MemoryMax=32M",
        "/bin/sh",
        "-c",
        limited,
    )
    assert container.exec(*service, timeout=PATIENCE).ok().out == f"{32 * MEGA}\n"
    assert container.exec("cat", "/proc/1/cgroup", "/proc/self/cgroup").ok().out == "0::/init.scope\n" * 2
    container.kill("SIGRTMIN+3").ok()
    assert container.wait(PATIENCE) in (0, 130), container.errors
    assert container.status == "stopped"
    container.delete().ok()
