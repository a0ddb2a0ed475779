"""The errors that the specification mandates: place, duty, and how a test provokes each.

`CREATE` breaks a bundle so that create has to refuse it; `COMMANDS` gives the
other commands something that they have to refuse; ELSEWHERE names the tests of
what no ordinary machine can be made to do.  spec-fixtures/CONFORMANCE.md lists all.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

from tests import cgroups
from tests.harness import CGROUP_PARENT, Box, Bundle

Break = Callable[[Box, Bundle], None]
SLEEP = ("/bin/sleep", "100")


class Case:
    """A mandated error: section of the specification, duty in a few words, and a part of the message."""

    def __init__(self, section: str, duty: str, text: str, act: Break, *, ours: bool = False) -> None:
        self.section = section
        self.duty = duty
        self.text = text
        self.act = act
        self.ours = ours  # the peers on Debian do not follow the specification here


def _option(name: str) -> Break:
    def act(box: Box, bundle: Bundle) -> None:
        (box.directory / "source").mkdir()
        bundle.mount("/data", "bind", str(box.directory / "source"), "bind", name)

    return act


def _rlimits(*kinds: str) -> Break:
    def act(box: Box, bundle: Bundle) -> None:
        bundle.process["rlimits"] = [{"type": kind, "soft": 64, "hard": 64} for kind in kinds]

    return act


def _linux(name: str, value: object) -> Break:
    def act(box: Box, bundle: Bundle) -> None:
        bundle.linux[name] = value

    return act


def _resources(name: str, value: object) -> Break:
    def act(box: Box, bundle: Bundle) -> None:
        bundle.linux["resources"][name] = value

    return act


def _hook(kind: str) -> Break:
    def act(box: Box, bundle: Bundle) -> None:
        bundle.hook(kind, "exit 7").hook("poststop", f"echo >{box.directory}/poststop")

    return act


def _wrong_namespace(box: Box, bundle: Bundle) -> None:
    bundle.namespace("network", "/proc/self/ns/ipc")


def _same_namespace_twice(box: Box, bundle: Bundle) -> None:
    bundle.linux["namespaces"] += [{"type": "uts"}, {"type": "uts"}]


def _file_in_the_way(box: Box, bundle: Bundle) -> None:
    (bundle.rootfs / "var/thing").write_text("mine")
    bundle.linux["devices"] = [{"path": "/var/thing", "type": "c", "major": 1, "minor": 3}]


def _occupied_cgroup(box: Box, bundle: Bundle) -> None:
    first = box.started(box.bundle(*SLEEP))
    bundle.linux["cgroupsPath"] = f"{CGROUP_PARENT}/{first.id}"


def _frozen_cgroup(box: Box, bundle: Bundle) -> None:
    first = box.started(box.bundle(*SLEEP))
    first.call("pause").ok()
    bundle.linux["cgroupsPath"] = f"{CGROUP_PARENT}/{first.id}"


def _seccomp(**more: object) -> Break:
    def act(box: Box, bundle: Bundle) -> None:
        bundle.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", **more}

    return act


def _deaf_listener(box: Box, bundle: Bundle) -> None:
    path = box.directory / "agent"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as agent:
        agent.bind(str(path))  # and never listens
    rule = {"names": ["mkdir"], "action": "SCMP_ACT_NOTIFY"}
    _seccomp(listenerPath=str(path), syscalls=[rule])(box, bundle)


def _broken_mount(box: Box, bundle: Bundle) -> None:
    bundle.mount("/data", "nosuchfs", "none")


def _no_root(box: Box, bundle: Bundle) -> None:
    bundle.config["root"]["path"] = "nowhere"


_RULE = {"names": ["mkdir"], "action": "SCMP_ACT_ALLOW", "errnoRet": 1}
_BURST = {"quota": 10000, "period": 100000, "burst": 20000}

CREATE = {
    "idmap": Case("config.md#mounts", "idmap without mappings or a user namespace", "mapping", _option("idmap"), ours=True),
    "ridmap": Case("config.md#mounts", "ridmap without mappings or a user namespace", "mapping", _option("ridmap"), ours=True),
    "rlimit-unknown": Case(
        "config.md#posix-process", "a limit that no kernel interface has", "rlimits", _rlimits("RLIMIT_FOO")
    ),
    "rlimit-duplicate": Case(
        "config.md#posix-process", "the same limit twice", "RLIMIT_NOFILE",
        _rlimits("RLIMIT_NOFILE", "RLIMIT_NOFILE"), ours=True,
    ),
    "invalid-value": Case(
        "config.md#valid-values", "an invalid value", "rootfsPropagation", _linux("rootfsPropagation", "sideways"), ours=True
    ),
    "unsupported-value": Case(
        "config.md#valid-values", "a value that is not supported", "personality",
        _linux("personality", {"domain": "PER_SVR4"}), ours=True,
    ),
    "namespace-kind": Case(
        "config-linux.md#namespaces", "a path to a namespace of another type", "ns/ipc", _wrong_namespace
    ),
    "namespace-duplicate": Case("config-linux.md#namespaces", "the same namespace twice", "uts", _same_namespace_twice),
    "device-in-the-way": Case(
        "config-linux.md#devices", "another file at a device's path", "/var/thing", _file_in_the_way, ours=True
    ),
    "cgroup-occupied": Case(
        "config-linux.md#control-groups", "a cgroup that has processes", "cgroup", _occupied_cgroup, ours=True
    ),
    "cgroup-frozen": Case("config-linux.md#control-groups", "a frozen cgroup", "cgroup", _frozen_cgroup, ours=True),
    "cgroups-path": Case(
        "config-linux.md#cgroups-path", "an invalid cgroupsPath", "cgroupsPath", _linux("cgroupsPath", "/../up"), ours=True
    ),
    "cpu-burst": Case("config-linux.md#cpu", "a burst above the quota", "burst", _resources("cpu", _BURST), ours=True),
    "unified-controller": Case(
        "config-linux.md#unified", "a file of a controller that is not there",
        "no cgroup controller `nosuch`" if cgroups.version() == 2 else "unified",
        _resources("unified", {"nosuch.max": "1"}),
    ),
    "resctrl": Case(
        "config-linux.md#intelrdt", "resource groups without resctrl", "intelRdt", _linux("intelRdt", {"closID": "gold"})
    ),
    "seccomp-default-errno": Case(
        "config-linux.md#seccomp", "defaultErrnoRet of an action that has none", "defaultErrnoRet",
        _seccomp(defaultErrnoRet=1), ours=True,
    ),
    "seccomp-errno": Case(
        "config-linux.md#seccomp", "errnoRet of an action that has none", "errnoRet", _seccomp(syscalls=[_RULE]), ours=True
    ),
    "seccomp-metadata": Case(
        "config-linux.md#seccomp", "listenerMetadata without listenerPath", "listenerMetadata",
        _seccomp(listenerMetadata="x"), ours=True,
    ),
    "seccomp-listener": Case("config-linux.md#seccomp", "an agent that cannot be reached", "agent", _deaf_listener),
    "environment": Case("runtime.md#lifecycle", "an environment that cannot be made", "nosuchfs", _broken_mount),
    "property": Case("runtime.md#create", "a property that cannot be applied", "nowhere", _no_root),
    "prestart": Case("runtime.md#lifecycle", "a failing prestart hook", "prestart", _hook("prestart")),
    "create-runtime": Case("runtime.md#lifecycle", "a failing createRuntime hook", "createRuntime", _hook("createRuntime")),
    "create-container": Case(
        "runtime.md#lifecycle", "a failing createContainer hook", "createContainer", _hook("createContainer")
    ),
}  # fmt: skip
POSTSTOP = ("prestart", "create-runtime", "create-container")
"""Those after which the poststop hooks have to run."""


def _call(*arguments: str, text: str = "") -> Break:
    """A command without a container."""

    def act(box: Box, bundle: Bundle) -> None:
        box.call(*arguments).failed(text)

    return act


def _used_id(box: Box, bundle: Bundle) -> None:
    container = box.create(box.bundle(*SLEEP))
    box.try_create(bundle, name=container.id).failed("already exists")
    assert container.status == "created"


def _bad_id(box: Box, bundle: Bundle) -> None:
    bundle.write()
    box.call("create", "--bundle", str(bundle.directory), "a/b").failed("container ID")


def _refused(command: str, status: str, text: str) -> Break:
    """A command that this status does not allow, and that changes nothing."""

    def act(box: Box, bundle: Bundle) -> None:
        container = box.create(bundle.args(*SLEEP))
        if status != "created":
            container.start()
        if status == "stopped":
            container.kill().ok()
            container.wait()
        container.call(command).failed(text)
        assert container.status == status
        assert status == "stopped" or os.path.exists(f"/proc/{container.pid}")

    return act


def _start_without_process(box: Box, bundle: Bundle) -> None:
    del bundle.config["process"]
    container = box.create(bundle)
    container.call("start").failed("process")


def _start_hook(kind: str) -> Break:
    def act(box: Box, bundle: Bundle) -> None:
        container = box.create(_with_poststop(box, bundle.args(*SLEEP)).hook(kind, "exit 7"))
        container.call("start").failed(kind)
        assert box.new_processes() == []
        assert not Path(f"/proc/{container.pid}").exists()
        container.call("state").failed("does not exist")
        assert (box.directory / "poststop").exists()

    return act


def _with_poststop(box: Box, bundle: Bundle) -> Bundle:
    return bundle.hook("poststop", f"echo >{box.directory}/poststop")


GONE = "no-such-container"
COMMANDS = {
    "state-no-id": Case("runtime.md#query-state", "state without an id", "", _call("state")),
    "state-unknown": Case("runtime.md#query-state", "state of no container", "", _call("state", GONE, text="does not exist")),
    "create-no-id": Case("runtime.md#create", "create without an id", "", _call("create")),
    "create-no-bundle": Case(
        "runtime.md#create", "create without a bundle", "", _call("create", "--bundle", "/no/such", "x", text="/no/such")
    ),
    "create-used-id": Case("runtime.md#create", "an id that is in use", "", _used_id),
    "create-bad-id": Case("runtime.md#create", "an invalid id", "", _bad_id),
    "start-no-id": Case("runtime.md#start", "start without an id", "", _call("start")),
    "start-running": Case("runtime.md#start", "start of a running container", "", _refused("start", "running", "running")),
    "start-stopped": Case("runtime.md#start", "start of a stopped container", "", _refused("start", "stopped", "stopped")),
    "start-no-process": Case("runtime.md#start", "start without process", "", _start_without_process, ours=True),
    "start-container": Case(
        "runtime.md#lifecycle", "a failing startContainer hook", "", _start_hook("startContainer"), ours=True
    ),
    "poststart": Case("runtime.md#lifecycle", "a failing poststart hook", "", _start_hook("poststart"), ours=True),
    "kill-no-id": Case("runtime.md#kill", "kill without an id", "", _call("kill")),
    "kill-stopped": Case("runtime.md#kill", "kill of a stopped container", "", _refused("kill", "stopped", "not running")),
    "delete-no-id": Case("runtime.md#delete", "delete without an id", "", _call("delete")),
    "delete-running": Case(
        "runtime.md#delete", "delete of a running container", "", _refused("delete", "running", "not stopped")
    ),
    "delete-created": Case(
        "runtime.md#delete", "delete of a created container", "", _refused("delete", "created", "not stopped"), ours=True
    ),
}

_RESCTRL = "tests/unit/execute/test_resctrl.py"
ELSEWHERE = {
    ("config-linux.md#network-devices", "a device name that is taken in the container"): (
        "tests/integration/test_network.py", "test_name_that_is_taken",
    ),
    ("config-linux.md#unified", "a value of version 1 that cannot be converted"): (
        "tests/integration/test_cgroup_limits.py", "test_swappiness_cannot_be_converted",
    ),
    ("config-linux.md#intelrdt", "closID without schemata, and no such directory"): (
        _RESCTRL, "test_group_that_must_exist",
    ),
    ("config-linux.md#intelrdt", "l3CacheSchema or memBwSchema other than those of the existing closID"): (
        _RESCTRL, "test_existing_group_must_have_the_same",
    ),
    ("config-linux.md#intelrdt", "a monitoring group that cannot be made"): (
        _RESCTRL, "test_monitoring_group_that_cannot_be_made",
    ),
}  # fmt: skip
