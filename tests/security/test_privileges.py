"""Capabilities, ids, groups, masks and names: nothing more than was asked for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.harness import DEADLINE, Box, only_ours, peer_differs, wait_until


def test_cve_2022_29162_2022_27650_2025_27612_exec_gives_nothing_inheritable(box: Box) -> None:
    container = box.started(box.bundle("/bin/sleep", "100"))
    status = (
        container.exec("/bin/probe", flags=("--cap", "CAP_NET_RAW", "--cap", "CAP_KILL"))
        .ok()
        .json()["status"]
    )
    assert int(status["CapInh"], 16) == 0
    assert int(status["CapAmb"], 16) == 0


USERS = [("1", 1), ("0", 0), ("1000", 1000), ("4294967294", 4294967294)]


@pytest.mark.parametrize(("text", "uid"), USERS)
def test_cve_2026_30892_exec_user(box: Box, text: str, uid: int) -> None:
    container = box.started(box.bundle("/bin/sleep", "100"))
    if uid > 1 << 31:
        peer_differs(box, runc="reads signed numbers", crun="reads signed numbers")
    report = container.exec("/bin/probe", flags=("--user", text)).ok().json()
    assert report["uid"] == [uid] * 3


def test_cve_2023_25809_cgroups_are_not_writable_in_a_user_namespace(box: Box) -> None:
    bundle = box.bundle(
        "/bin/sh",
        "-c",
        "find /sys/fs/cgroup -type f -writable 2>/dev/null | while read f; do ( : >>$f ) 2>/dev/null && echo $f; done; true",
    )
    bundle.user_namespace().mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro", "nosuid", "noexec", "nodev")
    assert box.run(bundle).ok().out == ""


def test_cve_2014_8989_setgroups_is_denied_for_the_unprivileged(box: Box) -> None:
    """With a single map written without privilege, groups cannot be dropped."""
    user = 12345
    bundle = box.bundle().probe("read:/proc/self/setgroups")
    bundle.namespace("user").without_namespace("network")
    bundle.mount("/sys", "bind", "/sys", "rbind", "ro")
    mapping = [{"containerID": 0, "hostID": user, "size": 1}]
    bundle.linux.update(uidMappings=mapping, gidMappings=mapping, resources={})
    del bundle.linux["cgroupsPath"]
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["destination"] != "/dev/pts"]
    bundle.mount(
        "/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"
    )
    bundle.write()
    for path in [bundle.directory, bundle.rootfs, *bundle.rootfs.rglob("*")]:
        if not path.is_symlink() and "/bin/" not in str(path):
            os.chown(path, user, user)
    state = box.directory / "user-state"
    state.mkdir()
    os.chown(state, user, user)
    command = [
        *box.runtime.command,
        "--rootless",
        "true",
        "--root",
        str(state),
        "run",
        "--bundle",
        str(bundle.directory),
        "rootless",
    ]
    drop = ["setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups"]
    done = subprocess.run(
        [*drop, *command],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env={"PATH": os.environ["PATH"]},
        cwd="/",
    )
    if box.runtime.name == "crun":
        pytest.skip("needs a runtime with --rootless")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["setgroups"] == ["deny"]
    assert report["uid_map"][0].split() == ["0", str(user), "1"]


def test_cve_2021_43784_long_fields(box: Box) -> None:
    """No length is cut on its way to the helper."""
    bundle = box.bundle().probe()
    bundle.process["env"] = ["PATH=/bin", "LONG=" + "x" * 100000, *[f"E{n}={'y' * 100}" for n in range(300)]]
    bundle.process["args"] += ["sleep:0"] * 500
    report = box.run(bundle).ok().json()
    assert "LONG=" + "x" * 100000 in report["env"]
    assert len(report["env"]) == 303 - ("HOME" in bundle.process["env"])


def test_nul_in_a_string_is_refused(box: Box) -> None:
    bundle = box.bundle()
    bundle.process["env"] = ["PATH=/bin", "A=1\0B=2"]
    box.try_create(bundle).failed()


def test_many_mappings(box: Box) -> None:
    bundle = box.bundle().user_namespace()
    bundle.linux["uidMappings"] = bundle.linux["gidMappings"] = [
        {"containerID": n, "hostID": 100000 + n, "size": 1} for n in range(250)
    ]
    assert len(box.report(bundle)["uid_map"]) == 250


DEFAULT_MASKED = [
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/sys/firmware",
]
NEWER_MASKED = ["/proc/asound", "/proc/interrupts", "/sys/devices/virtual/powercap"]
DEFAULT_READONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]


def test_cve_2017_16539_2018_10892_default_masks(box: Box) -> None:
    folder = box.directory / "spec"
    folder.mkdir()
    box.call("spec", "--bundle", str(folder)).ok()
    linux = json.loads((folder / "config.json").read_text())["linux"]
    assert set(DEFAULT_MASKED) <= set(linux["maskedPaths"])
    assert set(DEFAULT_READONLY) <= set(linux["readonlyPaths"])
    peer_differs(box, runc="1.1 has a shorter list", crun="1.8 has a shorter list")
    assert set(NEWER_MASKED) <= set(linux["maskedPaths"])


@pytest.mark.parametrize("key", ["../../x", "/x", "a/../../x", ""])
def test_names_that_become_paths(box: Box, key: str) -> None:
    """Ids, cgroup keys and controllers are no way out of their directories."""
    bundle = box.bundle()
    bundle.linux["resources"]["unified"] = {key: "1"}
    bundle.linux["resources"]["hugepageLimits"] = [{"pageSize": key, "limit": 1}]
    peer_differs(box, runc="does not look on version 1", crun="does not look on version 1")
    box.try_create(bundle).failed()


def test_helper_dies_with_its_runtime(box: Box) -> None:
    """No half-made container waits for anybody."""
    only_ours(box, "others leave helper and cgroups behind")
    bundle, name = box.bundle("/bin/sleep", "100"), box.name()
    here = box.directory / "here"
    here.touch()
    bundle.hook("createRuntime", f"echo $$ >{here}; exec sleep 1000")
    box.place(bundle, name)
    process = box.popen("create", "--bundle", str(bundle.directory), name)
    wait_until(here.read_text, what="the hook")
    hook = int(here.read_text())
    assert len(box.new_processes(0)) > 2  # the runtime, its helper and the hook
    process.kill()
    process.wait()
    wait_until(lambda: box.new_processes(0) == [hook], what="the end of all but the hook")
    os.kill(hook, signal.SIGKILL)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("network", "net.ipv4.tcp_fin_timeout"), ("ipc", "kernel.msgmax"), ("uts", "kernel.domainname")],
)
def test_sysctl_of_a_namespace_that_is_the_runtimes_own(box: Box, kind: str, name: str) -> None:
    """A path joins it as well as no namespace at all: the host's parameter would change."""
    file = Path("/proc/sys", *name.split("."))
    before = file.read_text()
    bundle = box.bundle().namespace(kind, f"/proc/self/ns/{'net' if kind == 'network' else kind}")
    bundle.config.pop("hostname", None)
    bundle.linux["sysctl"] = {name: before.strip()}
    result = box.run(bundle)
    peer_differs(box, runc="checks the network alone", crun="1.8 sets it")
    result.failed(f'sysctl "{name}" not allowed in host {kind} namespace')
    assert file.read_text() == before


def test_a_sparse_passwd_does_not_keep_exec_busy(box: Box) -> None:
    """The container's root may make it as long as it likes; HOME is looked up in it."""
    bundle = box.bundle("/bin/sleep", "100")
    bundle.process["env"] = ["PATH=/bin"]
    container = box.started(bundle)
    passwd = bundle.rootfs / "etc/passwd"
    passwd.unlink()
    with passwd.open("wb") as file:
        file.truncate(1 << 42)
    before = time.monotonic()
    assert container.exec("/bin/sh", "-c", "echo $HOME").ok().out == "/\n"
    assert time.monotonic() - before < DEADLINE / 2
