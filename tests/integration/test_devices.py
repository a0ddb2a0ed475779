"""config-linux.md#devices: default nodes, listed nodes, and the rules that guard them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests import cgroups
from tests.harness import Box, peer_differs

DEFAULT = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
DENY = {"allow": False, "access": "rwm"}
FUSE = {"path": "/dev/thing", "type": "c", "major": 10, "minor": 229, "fileMode": 0o640, "uid": 12, "gid": 34}


def test_default_devices(box: Box) -> None:
    tree = box.report(box.bundle(), "tree:/dev")["actions"]["tree:/dev"]
    for name, number in DEFAULT.items():
        node = tree[name]
        assert (node["type"], node["major"], node["minor"]) == ("char", *number)
        assert node["mode"] == 0o666
        assert (node["uid"], node["gid"]) == (0, 0)
    assert tree["ptmx"]["type"] == "link"
    assert "console" not in tree


def test_default_devices_can_be_used(box: Box) -> None:
    actions = [f"openw:/dev/{name}" for name in ("null", "zero", "full", "random", "urandom")]
    found = box.report(box.bundle(), *actions, "read:/dev/null", "openw:/dev/ptmx")["actions"]
    assert {found[action] for action in actions} == {"ok"}
    assert found["read:/dev/null"] == ""
    assert found["openw:/dev/ptmx"] == "ok"


def test_nothing_else_is_in_dev(box: Box) -> None:
    tree = box.report(box.bundle(), "tree:/dev")["actions"]["tree:/dev"]
    rest = tree.keys() - DEFAULT.keys() - {"ptmx", "fd", "stdin", "stdout", "stderr", "pts", "shm", "core"}
    assert rest == set()


@pytest.mark.parametrize("path", ["/dev/thing", "/dev/deep/er/thing", "/var/thing"])
def test_listed_device(box: Box, path: str) -> None:
    bundle = box.bundle()
    bundle.linux["devices"] = [{**FUSE, "path": path}]
    node = box.report(bundle, f"stat:{path}")["actions"][f"stat:{path}"]
    assert (node["type"], node["major"], node["minor"]) == ("char", 10, 229)
    assert (node["mode"], node["uid"], node["gid"]) == (0o640, 12, 34)


def test_mode_is_not_cut_by_the_umask(box: Box) -> None:
    bundle = box.bundle()
    bundle.linux["devices"] = [{**FUSE, "fileMode": 0o666}]
    assert box.report(bundle, "stat:/dev/thing")["actions"]["stat:/dev/thing"]["mode"] == 0o666


def test_block_device_and_fifo(box: Box) -> None:
    bundle = box.bundle()
    bundle.linux["devices"] = [
        {"path": "/dev/disk", "type": "b", "major": 7, "minor": 0, "fileMode": 0o600},
        {"path": "/run/pipe", "type": "p", "fileMode": 0o622},
    ]
    found = box.report(bundle, "stat:/dev/disk", "stat:/run/pipe")["actions"]
    assert (found["stat:/dev/disk"]["type"], found["stat:/dev/disk"]["major"]) == ("block", 7)
    assert (found["stat:/run/pipe"]["type"], found["stat:/run/pipe"]["mode"]) == ("fifo", 0o622)


def test_another_file_in_the_way_is_an_error(box: Box) -> None:
    bundle = box.bundle()
    (bundle.rootfs / "var/thing").write_text("mine")
    bundle.linux["devices"] = [{**FUSE, "path": "/var/thing"}]
    peer_differs(box, runc="takes the file for the device", crun="leaves it")
    box.try_create(bundle).failed("exist")
    assert (bundle.rootfs / "var/thing").read_text() == "mine"


def test_another_file_at_a_default_device_is_an_error(box: Box) -> None:
    """The runtime MUST supply them: a file that is called /dev/urandom is none."""
    bundle = box.bundle()
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if not m["destination"].startswith("/dev")]
    (bundle.rootfs / "dev/urandom").write_text("42")
    peer_differs(box, runc="leaves it", crun="leaves it")
    box.try_create(bundle).failed("make node /dev/urandom: another file is there")
    assert (bundle.rootfs / "dev/urandom").read_text() == "42"


def test_listed_device_outside_of_a_bound_dev(box: Box) -> None:
    bundle = box.bundle().mount("/dev", "none", "/dev", "rbind")
    bundle.linux["devices"] = [{**FUSE, "path": "/run/thing"}, {**FUSE, "path": "/dev/no-thing"}]
    peer_differs(box, runc="makes none", crun="makes none")
    found = box.report(bundle, "stat:/run/thing", "stat:/dev/no-thing")["actions"]
    assert found["stat:/run/thing"]["minor"] == 229
    assert found["stat:/dev/no-thing"] == "ENOENT" and not Path("/dev/no-thing").exists()


def test_block_device_of_a_user_namespace_is_that_of_the_host(box: Box) -> None:
    bundle = box.bundle().user_namespace()
    bundle.linux["devices"] = [{"path": "/dev/zero", "type": "b", "major": 7, "minor": 0}]
    peer_differs(box, runc="binds what is there", crun="binds what is there")
    result = box.try_create(bundle).failed("no such device")
    assert result.log[-1]["pointer"] == "/linux/devices/0"


@pytest.mark.parametrize(
    "change", [{"major": None}, {"minor": None}, {"type": "x"}, {"path": "thing"}, {"fileMode": -1}]
)
def test_bad_devices_are_refused(box: Box, change: dict[str, Any]) -> None:
    bundle = box.bundle()
    entry = {key: value for key, value in {**FUSE, **change}.items() if value is not None}
    bundle.linux["devices"] = [entry]
    if change.keys() & {"major", "minor", "path"}:
        peer_differs(box, runc="does not look", crun="does not look")
    box.try_create(bundle).failed()


def rule(
    allow: bool, kind: str = "", major: int | None = None, minor: int | None = None, access: str = "rwm"
) -> dict[str, Any]:
    made = {"allow": allow, "type": kind or None, "major": major, "minor": minor, "access": access}
    return {key: value for key, value in made.items() if value is not None}


def access(box: Box, rules: list[dict[str, Any]], *nodes: str) -> dict[str, dict[str, str]]:
    bundle = box.bundle()
    bundle.linux["resources"]["devices"] = rules
    actions = [f"node:{node}" for node in nodes]
    found = box.report(bundle, *actions)["actions"]
    return {node: found[f"node:{node}"] for node in nodes}


def test_denied_device_gives_eperm(box: Box) -> None:
    """Making nodes is allowed by default, using them is not."""
    found = access(box, [DENY], "c,10,229", "b,7,0", "c,1,3")
    assert found["c,10,229"]["read"] == "EPERM"
    assert found["b,7,0"]["write"] == "EPERM"
    assert found["c,1,3"] == {"mknod": "ok", "read": "ok", "write": "ok"}


def test_allowed_access_letters(box: Box) -> None:
    found = access(
        box, [DENY, rule(True, "c", 10, 229, "r"), rule(True, "c", 1, 11, "w")], "c,10,229", "c,1,11"
    )
    assert found["c,10,229"]["read"] != "EPERM"
    assert found["c,10,229"]["write"] == "EPERM"
    assert found["c,1,11"]["read"] == "EPERM"
    assert found["c,1,11"]["write"] != "EPERM"


def test_later_rules_override(box: Box) -> None:
    found = access(box, [rule(True), rule(False, "b", 7, 1, "rw")], "b,7,0", "b,7,1")
    assert found["b,7,0"]["read"] != "EPERM"
    assert found["b,7,1"]["read"] == "EPERM"


def test_a_hole_in_an_allowed_range(box: Box) -> None:
    """Version 1 cannot say it: then it is refused, never opened wider."""
    bundle = box.bundle().probe("node:b,7,0", "node:b,7,1", "node:b,8,0")
    bundle.linux["resources"]["devices"] = [DENY, rule(True, "b", 7), rule(False, "b", 7, 1, "rw")]
    result = box.run(bundle)
    if result.rc:
        assert cgroups.version() == 1
        return
    found = result.json()["actions"]
    assert found["node:b,7,0"]["read"] != "EPERM"
    assert found["node:b,7,1"]["read"] == "EPERM"
    assert found["node:b,8,0"]["read"] == "EPERM"


def test_everything_allowed(box: Box) -> None:
    found = access(box, [rule(True)], "c,10,229", "b,7,0")
    assert "EPERM" not in {found["c,10,229"]["read"], found["b,7,0"]["read"]}


def test_the_node_of_the_host_is_untouched(box: Box) -> None:
    before = {name: Path(f"/dev/{name}").stat() for name in DEFAULT}
    bundle = box.bundle("/bin/sh", "-c", "chmod 600 /dev/null; chown 1000 /dev/zero")
    bundle.process["user"] = {"uid": 0, "gid": 0}
    box.run(bundle).ok()
    for name, old in before.items():
        new = Path(f"/dev/{name}").stat()
        assert (new.st_mode, new.st_uid, new.st_gid) == (old.st_mode, old.st_uid, old.st_gid)


def test_standard_input_from_a_device_keeps_its_owner(box: Box) -> None:
    """A peer gives the host's /dev/null to the container's user."""
    before = Path("/dev/null").stat()
    bundle = box.bundle()
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    box.run(bundle).ok()
    box.create(bundle.probe()).start().report()
    after = Path("/dev/null").stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


def test_devices_in_a_user_namespace_are_bound(box: Box) -> None:
    tree = box.report(box.bundle().user_namespace(), "tree:/dev", "openw:/dev/null")["actions"]
    assert tree["openw:/dev/null"] == "ok"
    for name, number in DEFAULT.items():
        node = tree["tree:/dev"][name]
        assert (node["type"], node["major"], node["minor"]) == ("char", *number)
