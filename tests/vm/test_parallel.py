"""Ten callers at once, with each driver: no error, and nothing left behind."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from tests import cgroups
from tests.harness import Box, Runtime

pytestmark = pytest.mark.root

SECONDS = float(os.environ.get("PYRUNC_PARALLEL_SECONDS", "60"))


def leftovers() -> list[str]:
    """Mounts and scopes that have to do with containers."""
    mounts = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return sorted(mounts) + sorted(str(path) for path in cgroups.BASE.rglob("*pyrunc*"))


@pytest.mark.parametrize("flags", [(), ("--systemd-cgroup",)], ids=["cgroupfs", "systemd"])
def test_loops(box: Box, flags: tuple[str, ...]) -> None:
    before = leftovers()
    box.runtime = Runtime([*box.runtime.command, *flags])
    end = time.monotonic() + SECONDS
    errors: list[str] = []
    rounds = [0] * 10

    def loop(number: int) -> None:
        bundle = box.bundle("/bin/sleep", "1000")
        if flags:
            del bundle.linux["cgroupsPath"]
        while time.monotonic() < end and not errors:
            name = box.name()
            try:
                container = box.create(bundle, name=name)
                container.start()
                assert container.exec("/bin/echo", "hi", log=False).ok().out == "hi\n"
                container.delete("--force").ok()
                rounds[number] += 1
            except Exception as error:
                errors.append(f"{name}: {error}")

    threads = [threading.Thread(target=loop, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sum(rounds) >= 10
    parent = cgroups.BASE / Path(cgroups.own("")).name
    assert [path for path in leftovers() if path not in before and "pyrunc-test-" not in path] == [], parent
