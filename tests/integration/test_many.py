"""Many containers: in a row and eight at a time, the work for each stays flat, nothing is left."""

from __future__ import annotations

import os
import resource
import signal
import statistics
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests import cgroups
from tests.harness import CGROUP_PARENT, DEADLINE, Box, Bundle, only_ours

ROW = int(os.environ.get("PYRUNC_TEST_MANY", "200"))
SIDE_BY_SIDE = 8


def small(box: Box) -> Bundle:
    """No network namespace: the kernel tears those down slowly, which is not ours to measure."""
    bundle = box.bundle("/bin/true").without_namespace("network")
    bundle.mount("/sys", "bind", "/sys", "rbind", "ro")
    return bundle


def cycle(box: Box, bundle: Bundle, name: str) -> float:
    """create, start, delete --force; their seconds of CPU, which other programs do not lengthen as they do time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    for command in (
        ("create", "--bundle", str(bundle.directory), name),
        ("start", name),
        ("delete", "--force", name),
    ):
        assert box.popen(*command, log=False, stdout=subprocess.DEVNULL).wait(DEADLINE) == 0, command
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_in_a_row(box: Box) -> None:
    bundle = small(box)
    bundle.linux["cgroupsPath"] = ""
    times = []
    for _ in range(ROW):
        name = box.name()
        bundle.linux["cgroupsPath"] = f"/pyrunc-test-{os.getpid()}/{name}"
        bundle.write()
        times.append(cycle(box, bundle, name))
    left = [path for path in box.root.iterdir() if path.is_dir()] if box.root.exists() else []
    assert left == []
    quarter = len(times) // 4
    if ROW >= 100:  # else chance decides
        assert statistics.median(times[-quarter:]) < 2 * statistics.median(times[:quarter]) + 0.01


def test_side_by_side(box: Box) -> None:
    bundles = [small(box) for _ in range(SIDE_BY_SIDE)]

    def work(index: int) -> int:
        bundle, failed = bundles[index], 0
        for number in range(ROW // SIDE_BY_SIDE // 2):
            name = f"{names[index]}-{number}"
            bundle.linux["cgroupsPath"] = f"/pyrunc-test-{os.getpid()}/{name}"
            bundle.write()
            for command in (("create", "--bundle", str(bundle.directory), name), ("start", name)):
                failed += box.popen(*command, log=False, stdout=subprocess.DEVNULL).wait(DEADLINE) != 0
            failed += box.popen("delete", "--force", name, log=False).wait(DEADLINE) != 0
        return failed

    names = [box.name() for _ in range(SIDE_BY_SIDE)]
    box.names += [f"{name}-{number}" for name in names for number in range(ROW)]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        assert list(pool.map(work, range(SIDE_BY_SIDE))) == [0] * SIDE_BY_SIDE
    box.names = names
    assert [path for path in box.root.iterdir() if path.is_dir()] == []


def test_two_creates_with_one_cgroup(box: Box) -> None:
    """The second comes while the first has its cgroup, but as a rule not yet a process in it."""
    bundle = small(box)
    bundle.linux["cgroupsPath"] = f"{CGROUP_PARENT}/shared"
    bundle.write()
    places = [path / bundle.linux["cgroupsPath"].strip("/") for path in cgroups.hierarchies().values()]
    first, second = box.name(), box.name()
    only_ours(box, "others let both in")
    creating = box.popen("create", "--bundle", str(bundle.directory), first, stdout=subprocess.DEVNULL)
    try:
        while not any(place.is_dir() for place in places):
            assert creating.poll() is None
        creating.send_signal(signal.SIGSTOP)
        box.call("create", "--bundle", str(bundle.directory), second).failed(
            "container's cgroup is not empty"
        )
    finally:
        creating.send_signal(signal.SIGCONT)
    assert creating.wait(DEADLINE) == 0
    assert box.call("start", first).ok()


def test_list_with_many_alive(box: Box) -> None:
    bundle = small(box)
    names = []
    for _ in range(30):
        name = box.name()
        names.append(name)
        box.place(bundle, name)
        box.call("create", "--bundle", str(bundle.directory), name, stdout=subprocess.DEVNULL).ok()
        bundle.linux["cgroupsPath"] = ""
    rows = box.call("list", "--format", "json").ok().json()
    assert sorted(row["id"] for row in rows) == sorted(names)
    assert {row["status"] for row in rows} == {"created"}
    assert len({row["pid"] for row in rows}) == 30


def test_records_are_private(box: Box) -> None:
    container = box.create(small(box))
    only_ours(box, "others open theirs to readers")
    assert (box.root / container.id).stat().st_mode & 0o777 == 0o700
    for path in (box.root / container.id).rglob("*"):
        assert Path(path).stat().st_mode & 0o022 == 0
