"""runtime.md: duties about the whole life of a container (see test_lifecycle for those of single operations)."""

from __future__ import annotations

import json

from tests.harness import DEADLINE, Box, peer_differs, wait_until

KNOWN = {"creating", "created", "running", "paused", "stopped"}


def test_c04_the_status_is_one_of_the_specification(box: Box) -> None:
    """A hook and a second caller see `creating`; each step has its own status."""
    seen = box.directory / "seen"
    bundle = box.bundle("/bin/sleep", "100").hook("createRuntime", f"cat >{seen}")
    container = box.create(bundle)
    statuses = [json.loads(seen.read_text())["status"], container.status]
    container.start()
    statuses.append(container.status)
    container.call("pause").ok()
    statuses.append(container.status)
    container.call("resume").ok()
    container.kill().ok()
    container.wait()
    statuses.append(container.status)
    assert set(statuses) <= KNOWN
    peer_differs(box, runc="its hooks see creating", crun="its hooks see creating")
    assert statuses == ["created", "created", "running", "paused", "stopped"]


def test_c04_a_half_made_container_is_creating(box: Box) -> None:
    peer_differs(box, runc="says stopped", crun="has no such status")
    bundle, name = box.bundle(), box.name()
    release = box.directory / "release"
    bundle.hook("createRuntime", f"echo >{box.directory}/reached; while [ ! -e {release} ]; do sleep 0.02; done")
    box.place(bundle, name)
    process = box.popen("create", "--bundle", str(bundle.directory), name)
    try:
        wait_until(lambda: (box.directory / "reached").exists(), what="the hook")
        assert box.call("state", name).ok().json()["status"] == "creating"
        box.call("start", name).failed()
        box.call("delete", name).failed()
    finally:
        release.touch()
        assert process.wait(DEADLINE) == 0
    assert box.call("state", name).ok().json()["status"] == "created"


def test_c20_validation_before_create_says_the_same(box: Box) -> None:
    """`validate` refuses what create refuses, with the same words, and lets pass what create lets pass."""
    peer_differs(box, runc="has no validate", crun="has no validate")
    bundle = box.bundle()
    box.place(bundle, box.name())
    box.call("validate", "--bundle", str(bundle.directory)).ok()
    box.create(bundle)
    wrong = box.bundle()
    wrong.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 2, "hard": 1}]
    refused = box.try_create(wrong).failed("rlimits").message
    before = box.call("validate", "--bundle", str(wrong.directory)).failed("rlimits")
    assert "/process/rlimits/0" in refused
    assert "/process/rlimits/0" in before.message + before.out
