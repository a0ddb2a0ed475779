"""--systemd-cgroup against the guest's systemd: as root the system's, as an ordinary user that user's."""

from __future__ import annotations

import ctypes
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyrunc import native
from tests import cgroups
from tests.box_fixtures import PR_SET_CHILD_SUBREAPER
from tests.harness import DEADLINE, Box, Bundle, Container, Runtime, find_runtime, wait_until
from tests.integration.test_rootless import rootless
from tests.vm.test_cgroup_v2 import LIMITS, MEGA, limit, show_cgroup

ROOT = os.geteuid() == 0
SLEEP = ("/bin/sleep", "1000")
DENY_ALL = {"allow": False, "access": "rwm"}
DISK = {"allow": True, "type": "b", "major": 254, "minor": 0, "access": "rm"}
only_root = pytest.mark.root


def systemctl(*args: str) -> str:
    command = ["systemctl", *([] if ROOT else ["--user"]), "--no-pager", *args]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE, check=False)
    return done.stdout.strip()


def units() -> str:
    return systemctl("list-units", "--all", "--plain", "--no-legend", "pyrunc-*.scope", "other-*.scope")


@pytest.fixture
def box() -> Iterator[Box]:
    """A box whose runtime uses systemd; no unit may be left."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    runtime = Runtime([*find_runtime().command, "--systemd-cgroup"])
    with tempfile.TemporaryDirectory(prefix="pyrunc-", ignore_cleanup_errors=True) as name:
        os.chmod(name, 0o755)
        made = Box(runtime, Path(name))
        yield made
        left = made.close()
    left += [f"unit {line}" for line in units().splitlines()]
    assert not left, "left behind: " + "; ".join(left)


def bundle_of(box: Box, *args: str, path: str = "") -> Bundle:
    bundle = (box.bundle if ROOT else lambda *a: rootless(box, *a))(*(args or SLEEP))
    bundle.linux.pop("cgroupsPath", None)
    if path:
        bundle.linux["cgroupsPath"] = path
    bundle.linux.setdefault("resources", {})
    return bundle


def directory(container: Container) -> Path:
    return cgroups.of(container.pid)[""]


def scope(container: Container) -> str:
    return f"pyrunc-{container.id}.scope"


def shown(unit: str, name: str) -> str:
    return systemctl("show", unit, "-p", name).partition("=")[2]


def test_life_of_a_scope(box: Box) -> None:
    container = box.create(bundle_of(box))
    path = directory(container)
    assert path.name == scope(container)
    assert path.parent.name == ("system.slice" if ROOT else "user.slice")
    assert shown(scope(container), "Delegate") == "yes"
    assert shown(scope(container), "Description") == f"pyrunc container {container.id}"
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


@pytest.mark.parametrize("name", [name for name in LIMITS if ROOT or name in ("memory", "pids")])
def test_limits_hold_through_a_reload(box: Box, name: str) -> None:
    sections, files = LIMITS[name]
    bundle = limit(bundle_of(box), **sections)
    container = box.started(bundle)
    path = directory(container)
    read = {file: (path / file).read_text().strip() for file in files}
    assert read == files
    systemctl("daemon-reload")
    # another unit comes, and systemd looks at the whole slice anew
    box.run(bundle_of(box, "/bin/true")).ok()
    assert {file: (path / file).read_text().strip() for file in files} == files


PROPERTIES: list[tuple[dict[str, Any], str, str]] = [
    ({"memory": {"limit": 64 * MEGA}}, "MemoryMax", str(64 * MEGA)),
    ({"memory": {"limit": 64 * MEGA, "swap": 64 * MEGA}}, "MemorySwapMax", "0"),
    ({"cpu": {"shares": 2048}}, "CPUWeight", "174"),
    ({"cpu": {"quota": 25000, "period": 50000}}, "CPUQuotaPerSecUSec", "500ms"),
    ({"cpu": {"cpus": "0"}}, "AllowedCPUs", "0"),
    ({"pids": {"limit": 33}}, "TasksMax", "33"),
]


@pytest.mark.root
@pytest.mark.parametrize(("sections", "name", "value"), PROPERTIES, ids=[case[1] for case in PROPERTIES])
def test_properties(box: Box, sections: dict[str, Any], name: str, value: str) -> None:
    container = box.create(limit(bundle_of(box), **sections))
    assert shown(scope(container), name) == value


def test_memory_limit_kills_and_leaves_no_failed_unit(box: Box) -> None:
    bundle = limit(bundle_of(box), memory={"limit": 16 * MEGA, "swap": 16 * MEGA})
    bundle.args("/bin/probe", "out:/dev/null", f"touch:{64 * MEGA}")
    assert box.run(bundle).rc == 137
    assert units() == ""


def test_annotations(box: Box) -> None:
    bundle = bundle_of(box)
    bundle.config["annotations"] = {
        "org.systemd.property.TimeoutStopSec": "7",
        "org.systemd.property.Documentation": "['man:true(1)']",
    }
    container = box.create(bundle)
    assert shown(scope(container), "TimeoutStopUSec") == "7s"
    assert "man:true(1)" in shown(scope(container), "Documentation")


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
