"""devices.py, restrictions.py, seccomp.py and hooks.py."""

from __future__ import annotations

from typing import Any

import pytest

from pyrunc import linux
from pyrunc.plan.devices import DEFAULT
from tests.unit.plan.build import at, calls, config, facts, make, namespaces, rootless_facts

# --- devices ---------------------------------------------------------------------------


def nodes(linux: dict[str, Any] | None = None, mounts: list[dict[str, Any]] | None = None) -> list[tuple[Any, ...]]:
    return at(make(config(linux=linux or {}, mounts=mounts or [])).init, "/linux/devices")


def test_default_devices_and_links() -> None:
    done = nodes()
    assert [call[1] for call in done if call[0] == "make_node"] == list(DEFAULT)
    assert ("make_node", "/dev/null", linux.S_IFCHR, 1, 3, 0o666, 0, 0, 0) in done
    assert {call[1] for call in done if call[0] == "make_symlink"} == {
        "/dev/fd", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/core", "/dev/ptmx",
    }  # fmt: skip


@pytest.mark.parametrize("mount", [{"options": ["rbind"]}, {"type": "bind"}, {"options": ["bind", "ro"]}])
@pytest.mark.parametrize("destination", ["/dev", "/dev/"])
def test_bound_dev_is_used_as_it_is(mount: dict[str, Any], destination: str) -> None:
    assert nodes(mounts=[{"destination": destination, "source": "/dev", **mount}]) == []


def test_devices_of_the_configuration() -> None:
    devices = [
        {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o600, "uid": 1, "gid": 2},
        {"path": "/dev/sda", "type": "b", "major": 8, "minor": 0},
        {"path": "/dev/p", "type": "p"},
        {"path": "/dev/null", "type": "u", "major": 1, "minor": 3},
    ]
    done = [call for call in nodes({"devices": devices}) if call[0] == "make_node"]
    assert done[:4] == [
        ("make_node", "/dev/fuse", linux.S_IFCHR, 10, 229, 0o600, 1, 2, 1),
        ("make_node", "/dev/sda", linux.S_IFBLK, 8, 0, 0o666, 0, 0, 1),
        ("make_node", "/dev/p", linux.S_IFIFO, 0, 0, 0o666, 0, 0, 1),
        ("make_node", "/dev/null", linux.S_IFCHR, 1, 3, 0o666, 0, 0, 1),
    ]
    assert [call[1] for call in done].count("/dev/null") == 1


@pytest.mark.parametrize("path", ["/dev/ptmx", "/dev//./ptmx"])
def test_the_multiplexer_is_that_of_the_own_terminals(path: str) -> None:
    """Engines list all of the host's devices for a privileged container."""
    done = nodes({"devices": [{"path": path, "type": "c", "major": 5, "minor": 2}]})
    assert [call[:3] for call in done if "ptmx" in call[1]] == [("make_symlink", "/dev/ptmx", "pts/ptmx")]


def test_type_bits_of_the_mode_are_left_out() -> None:
    device = {"path": "/dev/x", "type": "c", "major": 1, "minor": 1, "fileMode": linux.S_IFCHR | 0o640}
    assert nodes({"devices": [device]})[0][5] == 0o640


@pytest.mark.parametrize("host", [rootless_facts(), facts(user_namespace=True)])
def test_devices_are_bound_where_none_can_be_made(host: Any) -> None:
    devices = [
        {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229},
        {"path": "/dev/sda", "type": "b", "major": 8, "minor": 0},
        {"path": "/dev/p", "type": "p"},
    ]
    done = at(make(config(linux={"devices": devices}), host).init, "/linux/devices")
    assert ("open_device", "device/0", "/dev/fuse", linux.S_IFCHR, 10, 229) in done
    assert ("open_device", "device/1", "/dev/sda", linux.S_IFBLK, 8, 0) in done
    assert ("open_device", "device/dev/null", "/dev/null", linux.S_IFCHR, 1, 3) in done
    assert [call[1] for call in done if call[0] == "make_node"] == ["/dev/p"]
    moved = [call[2] for call in done if call[0] == "move_mount"]
    assert moved == ["/dev/fuse", "/dev/sda", *DEFAULT]


def test_devices_outside_of_a_bound_dev() -> None:
    """config-linux.md#devices: "lists devices that MUST be available"; a /dev that is bound supplies what is in it."""
    thing = {"type": "c", "major": 10, "minor": 229}
    bound = [{"destination": "/dev/", "source": "/dev", "options": ["rbind"]}]
    listed = [{"path": "/dev/fuse", **thing}, {"path": "/run/fuse", **thing}]
    done = at(make(config(linux={"devices": listed}, mounts=bound)).init, "/linux/devices")
    assert [call[:2] for call in done] == [("make_node", "/run/fuse")]


# --- restrictions ----------------------------------------------------------------------


def test_restrictions() -> None:
    paths = {"maskedPaths": ["/proc/kcore", "/proc//kcore", "/x"], "readonlyPaths": ["/proc/sys", "/proc/sys/"]}
    plan = make(config(linux=paths))
    assert calls(plan.init, "mask_path", "readonly_path") == [
        ("readonly_path", "/proc/sys"),
        ("mask_path", "/proc/kcore"),
        ("mask_path", "/x"),
    ]
    assert [op.pointer for op in plan.init if op.name == "mask_path"] == ["/linux/maskedPaths/0", "/linux/maskedPaths/2"]
    names = [op.name for op in plan.init]
    assert names.index("pivot_root") < names.index("readonly_path")


def test_sysctl() -> None:
    values = {"kernel.sem": "1 2", "net/ipv4/conf/eth0.1/forwarding": "1", "net.ipv4.conf.eth0/1.mtu": "2"}
    plan = make(config(linux={"namespaces": namespaces("ipc", "network"), "sysctl": values, "readonlyPaths": ["/proc/sys"]}))
    assert calls(plan.init, "write_proc") == [
        ("write_proc", "proc", "sys/kernel/sem", "1 2", 0),
        ("write_proc", "proc", "sys/net/ipv4/conf/eth0.1/forwarding", "1", 0),
        ("write_proc", "proc", "sys/net/ipv4/conf/eth0.1/mtu", "2", 0),
    ]
    assert [op.pointer for op in plan.init if op.name == "write_proc"][1] == (
        "/linux/sysctl/net~1ipv4~1conf~1eth0.1~1forwarding"
    )
    names = [op.name for op in plan.init]
    assert names.index("write_proc") < names.index("readonly_path")


def test_parameters_are_written_after_the_hooks_that_make_interfaces() -> None:
    document = config(
        linux={"namespaces": namespaces("network"), "sysctl": {"net.ipv4.conf.eth0.forwarding": "1"}},
        hooks={"prestart": [{"path": "/h"}]},
    )
    done = calls(make(document).init)
    assert done.index(("wait", "hooks")) < done.index(("open_proc", "proc"))


# --- seccomp ---------------------------------------------------------------------------


def load(seccomp: dict[str, Any]) -> list[tuple[Any, ...]]:
    plan = make(config(linux={"seccomp": seccomp}), seccomp_program=b"12345678")
    return calls(plan.init, "load_seccomp") + calls(plan.runtime, "receive_fd", "deliver_listener")


@pytest.mark.parametrize(
    ("flags", "bits"),
    [
        (None, linux.SECCOMP_FILTER_FLAG_SPEC_ALLOW),
        ([], 0),
        (["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC"], 3),
        (["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", "SECCOMP_FILTER_FLAG_LOG"], 2),  # there is no agent
    ],
)
def test_flags(flags: list[str] | None, bits: int) -> None:
    section: dict[str, Any] = {"defaultAction": "SCMP_ACT_ALLOW"}
    if flags is not None:
        section["flags"] = flags
    assert load(section) == [("load_seccomp", b"12345678", bits, 0)]


def test_listener() -> None:
    section = {
        "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/agent", "listenerMetadata": "m",
        "flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"],
        "syscalls": [{"names": ["mknod"], "action": "SCMP_ACT_NOTIFY"}],
    }  # fmt: skip
    assert load(section) == [
        ("load_seccomp", b"12345678", linux.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, 1),
        ("receive_fd", "listener"),
        ("deliver_listener", "listener", "/agent", "m"),
    ]


# --- hooks -----------------------------------------------------------------------------


def test_every_hook_at_its_point() -> None:
    hook = {"path": "/h"}
    hooks = {
        kind: [hook, hook]
        for kind in ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
    }
    plan = make(config(hooks=hooks))
    assert calls(plan.runtime, "run_runtime_hook") == [
        ("run_runtime_hook", "prestart", 0), ("run_runtime_hook", "prestart", 1),
        ("run_runtime_hook", "createRuntime", 0), ("run_runtime_hook", "createRuntime", 1),
    ]  # fmt: skip
    order = [op.pointer or op.name for op in plan.init if op.name in ("pivot_root", "run_hook", "await_start", "exec")]
    assert order == [
        "/hooks/createContainer/0", "/hooks/createContainer/1", "/root", "await_start",
        "/hooks/startContainer/0", "/hooks/startContainer/1", "/process/args",
    ]  # fmt: skip


def test_what_a_hook_gets() -> None:
    hooks = {
        "createContainer": [
            {"path": "/a"},
            {"path": "/b", "args": ["b", "c"], "env": [], "timeout": 3},
        ]
    }
    document = config({"env": ["A=1", "A=2"]}, hooks=hooks, annotations={"k": 'v"@PID@'})
    done = calls(make(document).init, "run_hook")
    state = (
        '{"ociVersion":"1.3.0","id":"example","status":"created","pid":@PID@,'
        '"bundle":"/bundle","annotations":{"k":"v\\"@PID@"}}'
    )
    assert done == [
        ("run_hook", "/a", ["/a"], ["A=2"], 0, state),
        ("run_hook", "/b", ["b", "c"], [], 3000, state),
    ]


def test_no_rendezvous_without_hooks_of_the_runtime() -> None:
    plan = make(config(hooks={"poststop": [{"path": "/h"}]}))
    assert not calls(plan.init, "wait", "signal", "run_hook")
