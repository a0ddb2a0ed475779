"""An ordinary user's containers, with nothing but a user namespace: as root these tests become one."""

from __future__ import annotations

import ctypes
import json
import os
import pty
import select
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests import cgroups, rootfs
from tests.box_fixtures import PR_SET_CHILD_SUBREAPER, need_root
from tests.harness import DEADLINE, Box, Bundle, Container, Runtime, descendants, find_runtime, wait_until

UID = 1000  # who the root file systems of the tests give a home
SLEEP = ("/bin/sleep", "1000")


def becoming_ordinary() -> list[str]:
    """What to put before a command so that an ordinary user runs it."""
    if os.geteuid() != 0:
        return []
    need_root()
    return ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--"]


@pytest.fixture
def box() -> Iterator[Box]:
    """A box whose runtime is an ordinary user's."""
    prefix = becoming_ordinary()
    try:
        runtime = find_runtime()
        rootfs.busybox_root()
    except rootfs.Missing as missing:
        pytest.skip(f"needs {missing}")
    if not runtime.is_ours:
        pytest.skip("tests our way of running without root")
    runtime = Runtime([*prefix, *runtime.command])
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with tempfile.TemporaryDirectory(prefix="pyrunc-", ignore_cleanup_errors=True) as name:
        os.chmod(name, 0o755)
        directory = Path(name) / "user"
        directory.mkdir(mode=0o755)
        os.chown(directory, UID, UID)
        made = Box(runtime, directory)
        yield made
        left = made.close()
    assert not left, "left behind: " + "; ".join(left)


def rootless(box: Box, *args: str) -> Bundle:
    """The bundle that `spec --rootless` describes."""
    bundle = box.bundle()
    os.chown(bundle.directory, UID, UID)
    for path in [bundle.rootfs, *bundle.rootfs.rglob("*")]:
        os.lchown(path, UID, UID)
    box.call("spec", "--rootless", "--bundle", str(bundle.directory)).ok()
    bundle.config = json.loads((bundle.directory / "config.json").read_text())
    bundle.process["terminal"] = False
    return bundle.args(*(args or SLEEP))


def environment(box: Box) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": f"{box.directory}/xdg"}


def call_unnamed(box: Box, *args: str) -> int:
    """The exit code of the runtime, called without --root."""
    null = subprocess.DEVNULL
    command = [*box.runtime.command, *args]
    return subprocess.run(
        command, stdin=null, stdout=null, stderr=null, timeout=DEADLINE, env=environment(box)
    ).returncode


def test_run(box: Box) -> None:
    script = "id -u; id -g; cat /proc/self/uid_map; cat /proc/self/setgroups; echo err >&2; exit 3"
    result = box.run(rootless(box, "/bin/sh", "-c", script))
    assert (result.rc, result.out.split()) == (3, ["0", "0", "0", str(UID), "1", "deny"])
    assert result.err.splitlines()[-1] == "err"


def test_spec_maps_one_id(box: Box) -> None:
    config = rootless(box).config
    assert config["linux"]["uidMappings"] == [{"containerID": 0, "hostID": UID, "size": 1}]
    assert "resources" not in config["linux"]


def test_life_of_a_container(box: Box) -> None:
    container = box.create(rootless(box))
    assert container.status == "created"
    container.start()
    assert container.status == "running"
    assert container.exec("/bin/id", "-u").ok().out == "0\n"
    assert container.exec("/bin/sh", "-c", "exit 7").rc == 7
    listed = {entry["id"]: entry for entry in box.call("list", "--format", "json").ok().json()}
    assert listed[container.id]["status"] == "running"
    container.delete().failed("not stopped")
    container.kill("TERM").ok()
    container.kill("KILL").ok()
    assert container.wait() == 137
    assert container.status == "stopped"
    container.delete().ok()
    container.call("state").failed("does not exist")


def without_cgroup(box: Box, private: bool) -> Container:
    """A container of three processes: its init, a child in a new session, and that one's child."""
    script = "setsid sh -c 'sleep 1000 & echo ready; wait' & wait"
    bundle = rootless(box, "/bin/sh", "-c", script)
    if not private:
        bundle.without_namespace("pid")
        bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["destination"] != "/proc"]
        bundle.linux.update(maskedPaths=[], readonlyPaths=[])
    container = box.started(bundle, global_flags=("--cgroup-manager", "disabled"))
    container.wait_output("ready")
    record = json.loads((box.root / container.id / "state.json").read_text())
    assert not record["cgroup"]
    return container


def pids(container: Container) -> set[int]:
    return set(container.box.call("ps", "--format", "json", container.id).ok().json())


@pytest.mark.parametrize("private", [True, False], ids=["pid-namespace", "inherited"])
def test_ps_without_a_cgroup(box: Box, private: bool) -> None:
    container = without_cgroup(box, private)
    expected = {container.pid, *descendants(container.pid)}
    assert len(expected) == 3
    assert pids(container) == expected
    lines = container.call("ps").ok().out.splitlines()
    assert {int(line.split()[1]) for line in lines[1:]} == expected
    for pid in expected:  # without cgroup and pid namespace, nothing else finds them
        with suppress(ProcessLookupError):  # with one, they end with its init
            os.kill(pid, signal.SIGKILL)


def test_ps_finds_what_exec_started(box: Box) -> None:
    container = without_cgroup(box, True)
    before = pids(container)
    process = box.popen("exec", container.id, *SLEEP, log=False)  # whose child is no descendant of the init
    wait_until(lambda: len(pids(container) - before) == 1, what="the process of exec")
    container.delete("--force").ok()
    assert process.wait(DEADLINE) == 137


def test_delete_force(box: Box) -> None:
    container = box.started(rootless(box))
    container.delete("--force").ok()
    container.call("state").failed("does not exist")


def test_terminal(box: Box) -> None:
    bundle = rootless(box, "/bin/sh", "-c", "tty; stty size; ls -l /dev/console >/dev/null && echo ok")
    bundle.process["terminal"] = True
    bundle.process["consoleSize"] = {"height": 30, "width": 90}
    name = box.name()
    box.place(bundle, name)
    primary, secondary = pty.openpty()
    options: dict[str, Any] = {"stdin": secondary, "stdout": secondary, "stderr": secondary}
    process = box.popen("run", "--bundle", str(bundle.directory), name, **options)
    os.close(secondary)
    try:
        text = read_terminal(primary)
    finally:
        os.close(primary)
    assert process.wait(DEADLINE) == 0, text
    assert text.splitlines()[-3:] == ["/dev/pts/0", "30 90", "ok"]


def read_terminal(fd: int) -> str:
    text = b""
    while select.select([fd], [], [], DEADLINE)[0]:
        try:
            text += os.read(fd, 4096)
        except OSError:  # the other end is closed
            break
    return text.decode()


def test_exec_with_a_terminal(box: Box) -> None:
    container = box.started(rootless(box))
    primary, secondary = pty.openpty()
    options: dict[str, Any] = {"stdin": secondary, "stdout": secondary, "stderr": secondary}
    process = box.popen("exec", "-t", container.id, "tty", log=False, **options)
    os.close(secondary)
    try:
        text = read_terminal(primary)
    finally:
        os.close(primary)
    assert process.wait(DEADLINE) == 0
    assert text.split() == ["/dev/pts/0"]


def test_state_is_below_the_runtime_directory(box: Box) -> None:
    bundle = rootless(box).write()
    base = box.directory / "xdg"
    base.mkdir(mode=0o700)
    os.chown(base, UID, UID)
    assert call_unnamed(box, "create", "--bundle", str(bundle.directory), "x") == 0
    try:
        status = (base / "pyrunc").stat()
        assert (oct(status.st_mode), status.st_uid) == ("0o41700", UID)
        assert (base / "pyrunc/x").is_dir()
    finally:
        assert call_unnamed(box, "delete", "--force", "x") == 0
    assert list((base / "pyrunc").iterdir()) == []


@pytest.mark.parametrize("container", ["inherits", "nests"])
@pytest.mark.parametrize("mounts", ["own", "foreign"])
def test_as_root_of_a_user_namespace(box: Box, mounts: str, container: str) -> None:
    """podman's way: uid 0 of its own namespace, no USER; the mount namespace may still be the host's.

    The container makes no user namespace of its own, or one below.
    """
    bundle = rootless(box, "/bin/id", "-u")
    if container == "inherits":
        bundle.without_namespace("user")
        del bundle.linux["uidMappings"], bundle.linux["gidMappings"]
    else:
        bundle.linux["uidMappings"] = bundle.linux["gidMappings"] = [
            {"containerID": 0, "hostID": 0, "size": 1}
        ]
    bundle.mount("/tmp/kept", "bind", str(bundle.rootfs / "etc"), "bind", "ro")
    bundle.write()
    base = box.directory / "xdg"
    base.mkdir(mode=0o700)
    os.chown(base, UID, UID)
    prefix = becoming_ordinary()
    unshare = ["unshare", "--user", "--map-root-user", *(["--mount"] if mounts == "own" else [])]
    command = [*prefix, *unshare, *box.runtime.command[len(prefix) :]]
    command += ["run", "--bundle", str(bundle.directory), "x"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=DEADLINE, check=False, env=environment(box)
    )
    assert (done.returncode, done.stdout) == (0, "0\n"), done.stderr
    assert (base / "pyrunc").is_dir()


def test_the_network_of_its_own_has_a_loopback(box: Box) -> None:
    bundle = rootless(box, "/bin/ip", "-o", "addr").namespace("network")
    assert "127.0.0.1" in box.run(bundle).ok().out


def test_what_was_not_mapped_is_refused(box: Box) -> None:
    bundle = rootless(box)
    bundle.process["user"]["uid"] = 5
    box.try_create(bundle).failed("uid 5", "not all of them are mapped")


def test_foreign_ids_are_refused_by_the_helper_or_the_kernel(box: Box) -> None:
    bundle = rootless(box)
    bundle.linux["uidMappings"] = [{"containerID": 0, "hostID": 0, "size": 1}]
    box.try_create(bundle).failed("map")


@pytest.mark.parametrize("command", [["list"], ["state", "x"], ["delete", "--force", "x"], ["run", "x"]])
def test_a_root_of_somebody_else(box: Box, command: list[str]) -> None:
    """The error names what was tried and the cure, whether --root or the environment says where."""
    theirs = box.directory.parent / "theirs"
    theirs.mkdir(mode=0)
    bundle = rootless(box).write()
    tries = [(["--root", f"{theirs}/root"], "/none"), ([], str(theirs))]
    for flags, runtime_dir in tries:
        done = subprocess.run(
            [*box.runtime.command, *flags, *command], cwd=bundle.directory, text=True, capture_output=True,
            env={**environment(box), "XDG_RUNTIME_DIR": runtime_dir}, timeout=DEADLINE,
        )  # fmt: skip
        assert done.returncode == 1
        assert "permission denied" in done.stderr
        assert str(theirs) in done.stderr
        assert "--root or XDG_RUNTIME_DIR" in done.stderr


@pytest.fixture
def delegated(box: Box) -> Iterator[str]:
    """A cgroup in every hierarchy that an administrator gave to the user, but that of cpuset without CPUs yet."""
    if cgroups.version() == 2:
        pytest.skip("needs cgroup v1")
    directories = {path / f"pyrunc-test-{os.getpid()}-user" for path in cgroups.hierarchies().values()}
    try:
        for directory in directories:
            directory.mkdir()
            for name in ("", "cgroup.procs", "tasks"):
                if (directory / name).exists():
                    os.chown(directory / name, UID, UID)
        yield "/" + next(iter(directories)).name
    finally:
        for directory in directories:
            cgroups.remove(str(directory))


@pytest.mark.root
def test_delegated_cgroups(box: Box, delegated: str) -> None:
    """Those of version 1 are used; for the unified one a common ancestor would have to be the user's."""
    cpuset = cgroups.hierarchies()["cpuset"]
    for name in ("cpuset.cpus", "cpuset.mems"):
        (cpuset / delegated[1:] / name).write_text((cpuset / name).read_text())
    bundle = rootless(box, "/bin/cat", "/proc/self/cgroup")
    bundle.linux["cgroupsPath"] = f"{delegated}/{(name := box.name())}"
    lines = [line.split(":", 2) for line in box.run(bundle, name=name).ok().out.splitlines()]
    paths = {controllers: path for _, controllers, path in lines}
    mounted = {names for names in paths if names and cgroups.hierarchies().keys() & set(names.split(","))}
    assert "cpuset" in mounted
    assert {paths[controllers] for controllers in mounted} == {f"{delegated}/{name}"}
    assert paths.get("") in (None, cgroups.own(""), f"{delegated}/{name}")


@pytest.mark.root
def test_cgroups_of_which_one_cannot_be_used(box: Box, delegated: str) -> None:
    """The container goes without any, and the box finds none left of the others."""
    bundle = rootless(box, "/bin/cat", "/proc/self/cgroup")
    bundle.config["mounts"] = [
        mount for mount in bundle.config["mounts"] if mount["destination"] != "/sys/fs/cgroup"
    ]
    bundle.linux["cgroupsPath"] = f"{delegated}/{(name := box.name())}"
    result = box.run(bundle, name=name).ok()
    assert name not in result.out
    assert "cpuset.cpus" in result.log[0]["msg"]
    assert not cgroups.find(name)
