"""The chooser, and the driver that does nothing."""

from __future__ import annotations

from typing import Any

import pytest

from pyrunc.cgroup.cgroupfs_v1 import SplitCgroup
from pyrunc.cgroup.cgroupfs_v2 import UnifiedCgroup
from pyrunc.cgroup.driver import NoCgroup, open_cgroup
from pyrunc.errors import HostError


@pytest.mark.parametrize(
    ("saved", "kind"),
    [
        ({"driver": "cgroupfs", "version": 1, "paths": {}, "made": []}, SplitCgroup),
        ({"driver": "cgroupfs", "version": 2, "paths": {"": "/x"}, "made": None}, UnifiedCgroup),
        ({"driver": "none", "version": 2, "paths": {}, "made": []}, NoCgroup),
        ({}, NoCgroup),
    ],
)
def test_chooses(saved: dict[str, Any], kind: type) -> None:
    cgroup = open_cgroup(saved)
    assert type(cgroup) is kind
    assert cgroup.saved is saved


def test_unknown_driver() -> None:
    with pytest.raises(HostError, match="'magic'"):
        open_cgroup({"driver": "magic"})


def test_no_cgroup() -> None:
    cgroup = open_cgroup({})
    cgroup.make()
    cgroup.join(1)
    cgroup.own(1, 1)
    cgroup.kill()
    cgroup.remove()
    assert (cgroup.procs(), cgroup.frozen(), cgroup.oom_kills(), cgroup.directory_fd) == ([], False, 0, -1)
    assert not cgroup.lacked_memory()
    for refuse in (cgroup.freeze, cgroup.thaw):
        with pytest.raises(HostError, match="no cgroup of its own"):
            refuse()
    with pytest.raises(HostError, match="set pids.max"):
        cgroup.write("pids", "pids.max", "1")
    with pytest.raises(HostError, match="devices"):
        cgroup.attach_devices(b"")
