"""config-linux.md#namespaces, #user-namespace-mappings, #offset-for-time-namespace, #sysctl, #personality."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.differential.cases import Lab
from tests.harness import Box, Bundle, descendants, peer_differs, wait_until

FILES = {"network": "net", "mount": "mnt"}
KINDS = ("pid", "network", "ipc", "uts", "mount", "cgroup", "user", "time")


@pytest.fixture
def lab(box: Box) -> Iterator[Lab]:
    made = Lab(box.directory / "lab")
    made.folder("")
    yield made
    made.close()


def link(kind: str) -> str:
    return os.readlink(f"/proc/self/ns/{FILES.get(kind, kind)}")


def with_kind(box: Box, kind: str) -> Bundle:
    bundle = box.bundle()
    return bundle.user_namespace() if kind == "user" else bundle.namespace(kind)


@pytest.mark.parametrize("kind", KINDS)
def test_new_namespace(box: Box, kind: str) -> None:
    bundle = with_kind(box, kind)
    if kind == "time":
        peer_differs(box, runc="1.1 has none")
    assert box.report(bundle)["namespaces"][FILES.get(kind, kind)] != link(kind)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "mount"])
def test_absent_namespace_is_inherited(box: Box, kind: str) -> None:
    bundle = box.bundle().without_namespace(kind)
    if kind == "uts":
        del bundle.config["hostname"]
    if kind == "network":
        bundle.mount("/sys", "bind", "/sys", "rbind", "ro")
    assert box.report(bundle)["namespaces"][FILES.get(kind, kind)] == link(kind)


@pytest.mark.parametrize("kind", ["network", "ipc", "uts", "pid", "cgroup"])
def test_join_by_path(box: Box, lab: Lab, kind: str) -> None:
    path = lab.namespace(kind)
    box.children_before |= set(descendants(os.getpid()))
    bundle = box.bundle().namespace(kind, path)
    if kind == "uts":
        del bundle.config["hostname"]
    wanted = os.readlink(path)
    assert box.report(bundle)["namespaces"][FILES.get(kind, kind)] == wanted


def test_join_the_namespaces_of_another_container(box: Box) -> None:
    first = box.started(box.bundle("/bin/sleep", "100"))
    bundle = box.bundle()
    for kind in ("network", "ipc", "uts", "pid"):
        bundle.namespace(kind, f"/proc/{first.pid}/ns/{FILES.get(kind, kind)}")
    del bundle.config["hostname"]
    report = box.report(bundle)
    assert report["hostname"] == "box"
    assert report["pid"] > 1
    assert report["namespaces"]["net"] == os.readlink(f"/proc/{first.pid}/ns/net")


def test_wrong_kind_is_an_error(box: Box, lab: Lab) -> None:
    bundle = box.bundle().namespace("network", lab.namespace("ipc"))
    box.children_before |= set(descendants(os.getpid()))
    box.try_create(bundle).failed()


def test_missing_path_is_named(box: Box) -> None:
    box.try_create(box.bundle().namespace("network", "/no/such/ns")).failed(
        "/no/such/ns", "no such file or directory"
    )


def test_same_kind_twice_is_an_error(box: Box) -> None:
    bundle = box.bundle()
    bundle.linux["namespaces"].append({"type": "ipc"})
    box.try_create(bundle).failed()


def test_hostname_and_domainname(box: Box) -> None:
    bundle = box.bundle()
    bundle.config["hostname"] = "name"
    bundle.config["domainname"] = "example.org"
    report = box.report(bundle)
    assert report["hostname"] == "name"
    peer_differs(box, runc="1.1 ignores domainname")
    assert report["domainname"] == "example.org"


def test_host_name_is_safe(box: Box) -> None:
    """Without a namespace of its own, hostname would rename the host."""
    before = os.uname().nodename
    box.try_create(box.bundle().without_namespace("uts")).failed()
    assert os.uname().nodename == before


def test_user_namespace(box: Box) -> None:
    bundle = box.bundle().user_namespace(uid=100000, size=65536)
    report = box.report(bundle, "create:/tmp", "stat:/etc/passwd")
    assert report["uid"] == [0, 0, 0]
    assert report["uid_map"][0].split() == ["0", "100000", "65536"]
    assert report["gid_map"][0].split() == ["0", "100000", "65536"]
    assert report["actions"]["stat:/etc/passwd"]["uid"] == 0
    assert isinstance(report["actions"]["create:/tmp"], dict)


def test_user_namespace_process_is_unprivileged_outside(box: Box) -> None:
    container = box.started(box.bundle("/bin/sleep", "100").user_namespace())
    status = Path(f"/proc/{container.pid}/status").read_text()
    assert "Uid:\t100000\t100000\t100000\t100000" in status
    assert container.exec("/bin/id", "-u").ok().out == "0\n"


def test_user_namespace_with_a_private_bundle(box: Box) -> None:
    """Root and bind sources below a 0700 folder of root are opened before the namespace is entered."""
    bundle = box.bundle().user_namespace()
    (box.directory / "private").mkdir(mode=0o700)
    (box.directory / "private/inside").write_text("x")
    bundle.mount("/data", "bind", str(box.directory / "private"), "bind")
    peer_differs(box, runc="1.1 opens it later", crun="1.8 opens it later")
    bundle.directory.chmod(0o700)
    assert "tmp" in box.report(bundle, "list:/")["actions"]["list:/"]


def test_several_mappings(box: Box) -> None:
    bundle = box.bundle().user_namespace()
    bundle.linux["uidMappings"] = [
        {"containerID": 0, "hostID": 100000, "size": 1000},
        {"containerID": 1000, "hostID": 300000, "size": 1},
    ]
    bundle.linux["gidMappings"] = bundle.linux["uidMappings"]
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    assert len(box.report(bundle)["uid_map"]) == 2


def test_user_namespace_needs_mappings(box: Box) -> None:
    box.try_create(box.bundle().namespace("user")).failed()


def test_mappings_need_a_user_namespace(box: Box) -> None:
    bundle = box.bundle()
    bundle.linux["uidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 10}]
    peer_differs(box, runc="ignored", crun="makes one")
    box.try_create(bundle).failed()


@pytest.mark.parametrize("clock", ["monotonic", "boottime"])
def test_time_offsets(box: Box, clock: str) -> None:
    bundle = box.bundle().namespace("time")
    bundle.linux["timeOffsets"] = {clock: {"secs": 100000, "nanosecs": 5}}
    peer_differs(box, runc="1.1 has none")
    report = box.report(bundle, f"clock:{clock}")
    number = time.CLOCK_MONOTONIC if clock == "monotonic" else time.CLOCK_BOOTTIME
    assert report["actions"][f"clock:{clock}"] - time.clock_gettime(number) > 99000


SYSCTLS = [
    ("net.ipv4.ip_forward", "1"),
    ("kernel.shmmni", "1234"),
    ("fs.mqueue.msg_max", "12"),
    ("net/ipv4/ip_default_ttl", "77"),
]


@pytest.mark.parametrize(("key", "value"), SYSCTLS)
def test_sysctl(box: Box, key: str, value: str) -> None:
    path = "/proc/sys/" + key.replace(".", "/")
    before = Path(path).read_text()
    bundle = box.bundle()
    bundle.linux["sysctl"] = {key: value}
    assert box.report(bundle, f"read:{path}")["actions"][f"read:{path}"].strip() == value
    assert Path(path).read_text() == before


@pytest.mark.parametrize(
    ("key", "dropped"),
    [
        ("kernel.pid_max", ""),
        ("vm.swappiness", ""),
        ("net.ipv4.ip_forward", "network"),
        ("kernel.shmmni", "ipc"),
        ("kernel.hostname", ""),
    ],
)
def test_sysctl_of_the_host_is_refused(box: Box, key: str, dropped: str) -> None:
    path = Path("/proc/sys/" + key.replace(".", "/"))
    before = path.read_text()
    bundle = box.bundle()
    if dropped:
        bundle.without_namespace(dropped)
    bundle.linux["sysctl"] = {key: "1"}
    box.try_create(bundle).failed()
    assert path.read_text() == before


def test_personality(box: Box) -> None:
    bundle = box.bundle()
    bundle.linux["personality"] = {"domain": "LINUX32"}
    peer_differs(box, runc="1.1 does not know it")
    assert box.report(bundle)["machine"] == "i686"


def test_network_namespace_by_name(box: Box) -> None:
    """As `ip netns add` makes them: a bind mount."""
    path = box.directory / "netns"
    path.touch()
    subprocess.run(["unshare", f"--net={path}", "true"], check=True)
    try:
        report = box.report(box.bundle().namespace("network", str(path)), "list:/sys/class/net")
        assert report["actions"]["list:/sys/class/net"] == ["lo"]
    finally:
        subprocess.run(["umount", path], check=True)


def test_host_pid_namespace_and_proc(box: Box) -> None:
    report = box.report(box.bundle().without_namespace("pid"), "list:/proc")
    assert report["pid"] > 1
    assert str(report["pid"]) in report["actions"]["list:/proc"]


def test_everything_dies_with_init_in_a_shared_pid_namespace(box: Box) -> None:
    bundle = box.bundle("/bin/sh", "-c", "sleep 100 & sleep 100 & wait").without_namespace("pid")
    container = box.started(bundle)
    wait_until(lambda: len(box.call("ps", "--format", "json", container.id).json()) == 3, what="its children")
    container.delete("--force").ok()
    assert box.new_processes() == []
