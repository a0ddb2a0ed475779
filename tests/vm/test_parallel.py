"""Ten callers at once, with each driver: no error, and nothing left behind."""

from __future__ import annotations

import os
import threading
import time

import pytest

from tests import cgroups
from tests.harness import Box, Runtime

pytestmark = pytest.mark.root

SECONDS = float(os.environ.get("PYRUNC_PARALLEL_SECONDS", "120"))


def leftovers(box: Box) -> list[str]:
    """Mounts, cgroups, scopes and records of the box's containers."""
    found = box.mounts() + [str(path) for path in cgroups.BASE.rglob(f"*t{os.getpid()}-*")]
    return found + [str(path) for path in box.root.iterdir()]


@pytest.mark.parametrize("flags", [(), ("--systemd-cgroup",)], ids=["cgroupfs", "systemd"])
def test_loops(box: Box, flags: tuple[str, ...]) -> None:
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
    assert leftovers(box) == []
