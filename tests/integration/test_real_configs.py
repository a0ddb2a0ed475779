"""The configs that containerd, docker and podman really wrote, run with roots and sources of our own.

Each runs `true`, a shell whose exit code comes back, and an `exec`.  What this
machine may not grant fails with the kernel's reason named.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import cgroups
from tests.harness import CHECKOUT, Box, Bundle, peer_differs, wait_child
from tests.terminals import read_all, spawn_on_terminal

BUNDLES = CHECKOUT / "spec-fixtures/bundles"
PROCESSES = CHECKOUT / "spec-fixtures/processes"
NAMES = sorted(
    path.name for path in BUNDLES.iterdir() if path.name.startswith(("ctr-", "docker-", "podman-"))
)
CAP_SYS_RESOURCE = 24
DOCKER_INIT = '#!/bin/sh\n[ "$1" = -- ] && shift\nexec "$@"\n'


def load(name: str) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((BUNDLES / name / "config.json").read_text())
    return config


def granted(capability: int) -> bool:
    status = Path("/proc/self/status").read_text()
    return bool(int(status.partition("CapBnd:")[2].split()[0], 16) >> capability & 1)


@pytest.fixture
def network(box: Box) -> Iterator[str]:
    """A network namespace on a file, as `ip netns` and dockerd keep them."""
    path = box.directory / "netns"
    path.touch()
    subprocess.run(["unshare", f"--net={path}", "true"], check=True)
    yield str(path)
    subprocess.run(["umount", path], check=True)


def provide(bundle: Bundle, network: str) -> None:
    """Root, sources, paths and hooks of this test in place of the engine's."""
    binds = bundle.directory / "binds"
    binds.mkdir()
    bundle.config["root"]["path"] = "rootfs"
    (bundle.rootfs / "sbin").mkdir(exist_ok=True)
    kept = []
    for entry in bundle.config["mounts"]:
        source = entry.get("source", "")
        if source.startswith("binds/"):
            target = bundle.directory / source
            if source == "binds/shm":
                target.mkdir(mode=0o1777)
            else:
                target.write_text(DOCKER_INIT if "init" in source else "127.0.0.1 localhost\n")
                target.chmod(0o755)
        if source.startswith("/dev/") and not Path(source).exists():
            continue
        kept.append(entry)
    bundle.config["mounts"] = kept
    for entry in bundle.linux["namespaces"]:
        if entry.get("path"):
            entry["path"] = network
    if bundle.linux.get("cgroupsPath"):
        bundle.linux["cgroupsPath"] = ""
    bundle.config["hooks"] = {}


def prepared(box: Box, name: str, network: str, *args: str) -> Bundle:
    bundle = box.bundle(config=load(name))
    before = load(name)["process"]["args"]
    provide(bundle, network)
    front = before[:2] if "docker-init" in before[0] else []
    bundle.process["args"] = [*front, *args]
    if cgroups.version() == 2:  # where dockerd drops these with a warning
        for only_v1 in ("swappiness", "disableOOMKiller"):
            bundle.linux.get("resources", {}).get("memory", {}).pop(only_v1, None)
    if name == "podman-cgroups-disabled":
        peer_differs(box, runc="has no --cgroup-manager")
    return bundle


def flags_of(name: str) -> tuple[str, ...]:
    return ("--cgroup-manager", "disabled") if name == "podman-cgroups-disabled" else ()


def run(box: Box, bundle: Bundle, name: str) -> tuple[int, str]:
    """Exit code and output; on a terminal if the config wants one."""
    if not bundle.process.get("terminal"):
        result = box.run(bundle, global_flags=flags_of(name))
        return result.rc, result.out if result.rc in (0, 3) else result.message
    container = box.name()
    box.place(bundle, container)
    pid, primary = spawn_on_terminal(box, "run", "--bundle", str(bundle.directory), container)
    text = read_all(primary)
    os.close(primary)
    return wait_child(pid), text


def not_allowed_here(box: Box, name: str) -> str:
    """The kernel's reason why this machine cannot run it, "" if it can."""
    wanted = str(load(name)["process"].get("capabilities"))
    if "CAP_SYS_RESOURCE" in wanted and not granted(CAP_SYS_RESOURCE) and not box.runtime.is_ours:
        return "operation not permitted"  # the specification wants a warning only
    return ""


@pytest.mark.parametrize("name", NAMES)
def test_true(box: Box, network: str, name: str) -> None:
    rc, text = run(box, prepared(box, name, network, "/bin/true"), name)
    reason = not_allowed_here(box, name)
    if reason:
        assert rc == 1
        assert reason in text.lower()
    else:
        assert rc == 0, text


@pytest.mark.parametrize("name", NAMES)
def test_output_and_exit_code(box: Box, network: str, name: str) -> None:
    if not_allowed_here(box, name):
        pytest.skip("needs CAP_SYS_RESOURCE")
    rc, text = run(box, prepared(box, name, network, "/bin/sh", "-c", "echo hi; exit 3"), name)
    assert (rc, text) == (3, "hi\n")


@pytest.mark.parametrize("name", NAMES)
def test_exec(box: Box, network: str, name: str) -> None:
    if not_allowed_here(box, name):
        pytest.skip("needs CAP_SYS_RESOURCE")
    bundle = prepared(box, name, network, "/bin/sleep", "1000")
    bundle.process["terminal"] = False
    container = box.started(bundle, global_flags=flags_of(name))
    result = container.exec("/bin/sh", "-c", "echo inside; exit 4")
    assert (result.rc, result.out) == (4, "inside\n")


@pytest.mark.parametrize("path", sorted(PROCESSES.glob("*.json")), ids=lambda path: str(path.stem))
def test_process_files_of_engines(box: Box, network: str, path: Path) -> None:
    container = box.started(prepared(box, "docker-default", network, "/bin/sleep", "1000"))
    process = json.loads(path.read_text())
    process["args"] = ["/bin/sh", "-c", "echo inside; exit 5"]
    given = box.directory / "process.json"
    given.write_text(json.dumps(process))
    if not process.get("terminal"):
        result = box.call("exec", "--process", str(given), container.id)
        assert (result.rc, result.out) == (5, "inside\n")
        return
    pid, primary = spawn_on_terminal(box, "exec", "--process", str(given), container.id)
    text = read_all(primary)
    os.close(primary)
    assert (wait_child(pid), text) == (5, "inside\n")


def test_rlimits_of_a_stock_podman(box: Box, network: str) -> None:
    """It asks for 1048576 files, which an ordinary hard limit does not hold."""
    if granted(CAP_SYS_RESOURCE):
        pytest.skip("needs a machine without CAP_SYS_RESOURCE")
    bundle = prepared(box, "podman-default", network, "/bin/true")
    bundle.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "hard": 1048576, "soft": 1048576}]
    box.try_create(bundle).failed("rlimit", "operation not permitted")


def test_docker_hook(box: Box, network: str) -> None:
    """dockerd's network hook: dispatched on argument zero, state on standard input, host's namespaces."""
    bundle = prepared(box, "docker-default", network, "/bin/sh", "-c", "exit 3")
    script = f'[ "$0" = libnetwork-setkey ] || exit 9; cat >{box.directory}/hook-state; readlink /proc/self/ns/net >{box.directory}/hook-net'
    hook = {
        "path": "/bin/bash",
        "args": ["libnetwork-setkey", "-c", script, "libnetwork-setkey", "-exec-root=/x", "id"],
    }
    bundle.config["hooks"] = {"prestart": [hook]}
    assert box.run(bundle).rc == 3
    state = json.loads((box.directory / "hook-state").read_text())
    assert state["pid"] > 1
    assert state["id"]
    assert (box.directory / "hook-net").read_text().strip() == os.readlink("/proc/self/ns/net")


def test_no_cgroups_at_all(box: Box, network: str) -> None:
    bundle = prepared(box, "podman-cgroups-disabled", network, "/bin/cat", "/proc/self/cgroup")
    result = box.run(bundle, global_flags=("--cgroup-manager", "disabled")).ok()
    assert result.out == Path("/proc/self/cgroup").read_text()


@pytest.mark.skipif(cgroups.version() == 2, reason="needs cgroup v1")
def test_docker_memory_limit_is_seen_inside(box: Box, network: str) -> None:
    config = load("docker-memory")
    limit = config["linux"]["resources"]["memory"]["limit"]
    args = ("/bin/cat", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
    assert box.run(prepared(box, "docker-memory", network, *args)).ok().out == f"{limit}\n"
