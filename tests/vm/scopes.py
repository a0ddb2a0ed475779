"""Boxes for a driver by name, and what systemd says of the scopes it made: the system's as root, else the user's."""

from __future__ import annotations

import ctypes
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import cgroups
from tests.box_fixtures import PR_SET_CHILD_SUBREAPER, remove_cgroup_parent
from tests.harness import DEADLINE, Box, Bundle, Container, Runtime, find_runtime
from tests.integration.test_rootless import rootless

ROOT = os.geteuid() == 0
SLEEP = ("/bin/sleep", "1000")
DRIVERS = ["cgroupfs", "systemd"] if ROOT else ["systemd"]
"""Those that the user of this session has limits from; the rootless tests have the other."""


def systemctl(*args: str) -> str:
    """What it prints."""
    command = ["systemctl", *([] if ROOT else ["--user"]), "--no-pager", *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    return done.stdout.strip()


def units() -> str:
    """The scopes that are there, failed ones too."""
    return systemctl("list-units", "--all", "--plain", "--no-legend", "pyrunc-*.scope", "other-*.scope")


@contextmanager
def open_box(driver: str) -> Iterator[Box]:
    """A box whose runtime uses that driver; nothing may be left, no unit either."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    flags = ["--systemd-cgroup"] if driver == "systemd" else []
    runtime = Runtime([*find_runtime().command, *flags])
    with tempfile.TemporaryDirectory(prefix="pyrunc-", ignore_cleanup_errors=True) as name:
        os.chmod(name, 0o755)
        made = Box(runtime, Path(name))
        yield made
        left = made.close()
    left += [f"unit {line}" for line in units().splitlines()]
    if driver == "cgroupfs":
        remove_cgroup_parent()
    assert not left, "left behind: " + "; ".join(left)


def uses_systemd(box: Box) -> bool:
    """Whether the box's runtime uses that driver."""
    return "--systemd-cgroup" in box.runtime.command


def bundle_of(box: Box, *args: str, path: str = "") -> Bundle:
    """A bundle of the session's user, in a cgroup of its own (`path`: in that one)."""
    bundle = (box.bundle if ROOT else lambda *a: rootless(box, *a))(*(args or SLEEP))
    if uses_systemd(box):
        bundle.linux.pop("cgroupsPath", None)
    if path:
        bundle.linux["cgroupsPath"] = path
    bundle.linux.setdefault("resources", {})
    return bundle


def directory(container: Container) -> Path:
    """The cgroup of the container's init, as the host sees it."""
    return cgroups.of(container.pid)[""]


def scope(container: Container) -> str:
    """The unit of a container without a cgroupsPath."""
    return f"pyrunc-{container.id}.scope"


def shown(unit: str, *names: str) -> list[str]:
    """The values of properties, in the order of their names."""
    lines = systemctl("show", unit, *(f"--property={name}" for name in names)).splitlines()
    values = dict(line.split("=", 1) for line in lines)
    return [values.get(name, "") for name in names]
