"""--systemd-cgroup against the guest's systemd: as root the system's, as an ordinary user that user's."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from errno import EACCES, EBUSY
from pathlib import Path

import pytest

from pyrunc import native
from pyrunc.cgroup.cgroupfs import CgroupFiles
from pyrunc.cgroup.driver import open_cgroup
from tests import cgroups
from tests.harness import Box, wait_until
from tests.vm.scopes import ROOT, bundle_of, directory, open_box, scope, shown, systemctl, units
from tests.vm.test_cgroup_v2 import MEGA, limit, show_cgroup

DENY_ALL = {"allow": False, "access": "rwm"}
DISK = {"allow": True, "type": "b", "major": 254, "minor": 0, "access": "rm"}
only_root = pytest.mark.root


@pytest.fixture
def box() -> Iterator[Box]:
    with open_box("systemd") as made:
        yield made


def test_life_of_a_scope(box: Box) -> None:
    container = box.create(bundle_of(box))
    path = directory(container)
    assert path.name == scope(container)
    assert path.parent.name == ("system.slice" if ROOT else "user.slice")
    assert shown(scope(container), "Delegate", "Description") == ["yes", f"pyrunc container {container.id}"]
    container.start()
    assert container.exec("cat", "/proc/self/cgroup").rc == 0
    container.call("pause").ok()
    assert container.status == "paused"
    container.call("resume").ok()
    container.kill("KILL").ok()
    assert container.wait() == 137
    container.delete().ok()
    assert not path.exists()
    assert systemctl("is-failed", scope(container)) != "failed"


def test_slice_prefix_name(box: Box) -> None:
    name = box.name()
    container = box.started(bundle_of(box, path=f"machine-some.slice:other:{name}"), name=name)
    assert str(directory(container)).endswith(f"/machine.slice/machine-some.slice/other-{name}.scope")
    container.delete("--force").ok()


@pytest.mark.parametrize(
    ("path", "end"),
    [
        (r"machine-a\x2db.slice:other:n", r"/machine.slice/machine-a\x2db.slice/other-n.scope"),
        ("::memory", "/_memory.scope"),
    ],
)
def test_names_that_systemd_writes_in_its_own_way(box: Box, path: str, end: str) -> None:
    container = box.started(limit(bundle_of(box, path=path), pids={"limit": 17}))
    assert str(directory(container)).endswith(end)
    assert (directory(container) / "pids.max").read_text() == "17\n"
    within = container.exec("cat", "/proc/self/cgroup").ok().out
    assert within == container.exec("cat", "/proc/1/cgroup").ok().out
    container.delete("--force").ok()
    assert "memory.scope" not in units()


def test_memory_limit_kills_and_leaves_no_failed_unit(box: Box) -> None:
    bundle = limit(bundle_of(box), memory={"limit": 16 * MEGA, "swap": 16 * MEGA})
    bundle.args("/bin/probe", "out:/dev/null", f"touch:{64 * MEGA}")
    assert box.run(bundle).rc == 137
    assert units() == ""


def test_annotations(box: Box) -> None:
    bundle = bundle_of(box)
    bundle.config["annotations"] = {
        "org.systemd.property.TimeoutStopSec": "7",
        "org.systemd.property.Documentation": "['file:/etc/hosts']",
    }
    container = box.create(bundle)
    assert shown(scope(container), "TimeoutStopUSec", "Documentation") == ["7s", "file:/etc/hosts"]


def test_systemd_moves_whom_we_may_not(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a user's process would come from another session: right into the cgroup below that was asked for."""
    script = "cd /sys/fs/cgroup; mkdir init other; echo $$ >init/cgroup.procs; echo up; exec sleep 1000"
    container = box.started(show_cgroup(bundle_of(box), "rw").shell(script))
    container.wait_output("up")
    top = directory(container).parent
    saved = json.loads((box.root / container.id / "state.json").read_text())["cgroup"]
    monkeypatch.setattr(CgroupFiles, "join", refuse)
    with subprocess.Popen(["/bin/sleep", "1000"]) as process:
        for name in ("other", "init", ""):
            open_cgroup(saved | {"paths": {"": f"{top}/{name}".rstrip("/")}}).join(process.pid)
            assert cgroups.of(process.pid)[""] == top / name
        process.kill()
    (top / "cgroup.subtree_control").write_text("+pids")
    with subprocess.Popen(["/bin/sleep", "1000"]) as process:
        with pytest.raises(OSError, match="busy") as caught:
            open_cgroup(saved).join(process.pid)
        assert caught.value.errno == EBUSY
        process.kill()
    container.delete("--force").ok()


def refuse(cgroup: CgroupFiles, pid: int) -> None:
    raise PermissionError(EACCES, "permission denied")


def test_a_property_that_systemd_does_not_know(box: Box) -> None:
    bundle = bundle_of(box)
    bundle.config["annotations"] = {"org.systemd.property.NoSuchThing": "7"}
    box.try_create(bundle).failed("systemd cannot start", "NoSuchThing")


def test_a_unit_that_runs_already(box: Box) -> None:
    first = box.create(bundle_of(box, path=":other:same"))
    box.try_create(bundle_of(box, path=":other:same")).failed("systemd cannot start other-same.scope")
    assert first.status == "created"
    assert directory(first).exists()


def test_cgroups_path_of_the_wrong_form(box: Box) -> None:
    box.try_create(bundle_of(box, path="/a/b")).failed("slice:prefix:name")


@only_root
def test_devices_hold_through_a_reload(box: Box) -> None:
    bundle = limit(bundle_of(box), devices=[DENY_ALL, DISK])
    script = "mknod /disk b 254 0; mknod /mem c 1 1; while read x; do head -c 1 /disk >/dev/null && echo ok; head -c 1 /mem; true >>/disk; done"
    container = box.started(bundle.shell(f"mkfifo /f; exec <>/f; {script}"))
    fifo = Path(f"/proc/{container.pid}/root/f")
    wait_until(fifo.exists, what="the fifo")
    for turn in (1, 2):
        if turn == 2:
            systemctl("daemon-reload")
        fifo.write_text("go\n")
        wait_until(lambda t=turn: container.errors.count("not permitted") == 2 * t, what="two refusals")  # type: ignore[misc]
        assert container.output == "ok\n" * turn
    assert programs(directory(container)) <= 2


def programs(path: Path) -> int:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    found = native.bpf_device_programs(fd)
    for each in [fd, *found]:
        os.close(each)
    return len(found)


@only_root
def test_the_root_of_a_user_namespace_owns_its_scope(box: Box) -> None:
    bundle = show_cgroup(bundle_of(box), "rw").user_namespace()
    bundle.shell(
        "mkdir /sys/fs/cgroup/below && echo $$ >/sys/fs/cgroup/below/cgroup.procs && cat /proc/self/cgroup"
    )
    assert box.run(bundle).ok().out == "0::/below\n"


@only_root
def test_nobody_answers(box: Box) -> None:
    environment = {"PATH": os.environ["PATH"], "DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nowhere"}
    bundle = bundle_of(box)
    box.try_create(bundle, env=environment).failed("cannot reach D-Bus at unix:path=/nowhere")
