"""checkpoint and restore: what CRIU is asked for (a stand-in records it), and real ones where criu works."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.criu import directory_with, fake_criu, find_criu
from tests.harness import DEADLINE, Box, Bundle, Container, wait_child, wait_until
from tests.terminals import ConsoleSocket, read_until

COUNTER = "i=0; while :; do i=$((i+1)); echo $i >/tmp/count; sleep 0.02; done"


def environment(path: str) -> dict[str, Any]:
    return {"env": {"PATH": path}}


def requests(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / "requests.json").read_text().splitlines()]


@pytest.fixture
def fake(box: Box) -> Path:
    return box.directory / "fake"


@pytest.fixture
def images(box: Box) -> Path:
    return box.directory / "images"


def sleeper(box: Box) -> Container:
    return box.started(box.bundle("/bin/sleep", "1000"))


def make_images(images: Path) -> None:
    images.mkdir(exist_ok=True)
    (images / "inventory.img").touch()
    (images / "external-mounts.json").write_text('["/dev/null"]')
    (images / "descriptors.json").write_text('["pipe:[7]", "file[1:2]", "/dev/pts/0"]')


# --- what criu is asked for -------------------------------------------------------------


def test_dump_request(box: Box, fake: Path, images: Path) -> None:
    container = sleeper(box)
    pid = container.pid
    path = fake_criu(fake)
    container.call("checkpoint", "--image-path", str(images), **environment(path)).ok()
    (request,) = requests(fake)
    options = request["options"]
    assert (request["kind"], options["pid"], options["root"]) == ("dump", pid, str(container.bundle.rootfs))
    assert options["manage_cgroups_mode"] == 3
    assert options["notify_scripts"] == options["orphan_pts_master"] == 1
    assert "pyrunc-test" in options["freeze_cgroup"]
    assert not options["leave_running"]
    assert len(json.loads((images / "descriptors.json").read_text())) == 3
    box.call("state", container.id).failed("container does not exist")


def test_the_program_that_is_named(box: Box, fake: Path, images: Path) -> None:
    container = sleeper(box)
    fake_criu(fake)
    program = (fake / "criu").rename(fake / "another")
    nowhere = environment(str(box.directory))
    flags = ("--criu", str(program))
    container.box.call(*flags, "checkpoint", "--image-path", str(images), container.id, **nowhere).ok()
    assert [request["kind"] for request in requests(fake)] == ["dump"]
    make_images(images)
    restore = ("restore", "-d", "--bundle", str(container.bundle.directory), "--image-path", str(images))
    box.call(*flags, *restore, container.id, **nowhere).ok()
    assert [request["kind"] for request in requests(fake)] == ["dump", "restore"]


def test_all_flags(box: Box, fake: Path, images: Path) -> None:
    container = sleeper(box)
    (images / "before").mkdir(parents=True)
    work = box.directory / "work"
    flags = [
        "--leave-running",
        "--leave-running",
        "--tcp-established",
        "--ext-unix-sk",
        "--shell-job",
        "--file-locks",
    ]
    flags += [
        "--tcp-skip-in-flight",
        "--link-remap",
        "--auto-dedup",
        "--empty-ns",
        "network",
        "--parent-path",
        "before",
    ]
    flags += ["--page-server", "10.0.0.1:77", "--manage-cgroups-mode", "strict", "--work-path", str(work)]
    container.call("checkpoint", *flags, "--image-path", str(images), **environment(fake_criu(fake))).ok()
    options = requests(fake)[0]["options"]
    for name in ("leave_running", "tcp_established", "ext_unix_sk", "shell_job", "file_locks", "tcp_skip_in_flight",
                 "link_remap", "auto_dedup", "track_mem"):  # fmt: skip
        assert options[name] == 1, name
    assert (options["parent_img"], options["ps"]) == ("before", ["10.0.0.1", 77])
    assert (options["empty_ns"], options["manage_cgroups_mode"]) == (0x40000000, 5)
    assert work.is_dir()
    assert container.status == "running"


def test_pre_dump(box: Box, fake: Path, images: Path) -> None:
    container = sleeper(box)
    flags = ("checkpoint", "--pre-dump", "--image-path", str(images))
    container.call(*flags, **environment(fake_criu(fake))).failed("does not track changed memory")
    container.call(*flags, **environment(fake_criu(fake, "tracks"))).ok()
    assert [request["kind"] for request in requests(fake)] == ["pre-dump"]
    assert container.status == "running"


def test_outside_things_are_named(box: Box, fake: Path, images: Path) -> None:
    bundle = box.bundle("/bin/sleep", "1000")
    shared = box.directory / "shared"
    shared.mkdir()
    bundle.mount("/data", "bind", str(shared), "rbind", "ro")
    container = box.started(bundle)
    container.call("checkpoint", "--image-path", str(images), **environment(fake_criu(fake))).ok()
    assert ["/data", "/data"] in requests(fake)[0]["options"]["ext_mnt"]
    assert "/data" in json.loads((images / "external-mounts.json").read_text())


def test_a_mount_of_the_containers_own_names_no_path_of_the_host(box: Box, fake: Path, images: Path) -> None:
    """CRIU would be told to show the host's /root there when the container comes back."""
    script = """mkdir -p /root /tmp && mount -t tmpfs x /tmp && mkdir /tmp/x && mount -o bind /tmp/x /root &&
    umount /tmp && echo ready; sleep 1000"""
    bundle = box.bundle("/bin/sh", "-c", script)
    for kind in ("bounding", "permitted", "effective"):
        bundle.process["capabilities"][kind].append("CAP_SYS_ADMIN")
    container = box.started(bundle)
    container.wait_output("ready")
    flags = ("checkpoint", "--image-path", str(images))
    container.call(*flags, **environment(fake_criu(fake))).failed("cannot bring back the mount at /root")
    assert container.status == "running"


def restore_flags(images: Path, bundle: Bundle) -> tuple[str, ...]:
    bundle.write()
    make_images(images)
    return ("restore", "--detach", "--image-path", str(images), "--bundle", str(bundle.directory))


def test_restore_request(box: Box, fake: Path, images: Path) -> None:
    bundle = box.bundle("/bin/sleep", "1000")
    shared = box.directory / "shared"
    shared.mkdir()
    bundle.mount("/data", "bind", str(shared), "rbind")
    bundle.hook("prestart", f"cat >{box.directory}/hook")
    name = box.name()
    box.place(bundle, name)
    pid_file = box.directory / "pid"
    flags = ("--pid-file", str(pid_file), "-no-subreaper", "--lsm-profile", "apparmor:x", "--tcp-close")
    box.call(*restore_flags(images, bundle), *flags, name, **environment(fake_criu(fake))).ok()
    (request,) = requests(fake)
    options = request["options"]
    assert request["kind"] == "restore"
    assert ["/data", str(shared)] in options["ext_mnt"]
    assert options["inherit_fd"] == [["pipe:[7]", 4], ["file[1:2]", 5]]
    assert (options["rst_sibling"], options["tcp_close"], options["lsm_profile"]) == (1, 1, "apparmor:x")
    assert {root[0] for root in options["cg_root"]} >= {"pids", "memory"} or ["", ""] != options["cg_root"][0]
    assert (bundle.rootfs / "data").is_dir()
    state = box.call("state", name).ok().json()
    pid = int(pid_file.read_text())
    assert (state["status"], state["pid"]) == ("running", pid)
    assert json.loads((box.directory / "hook").read_text())["pid"] == pid
    assert not [path for path in box.mounts() if "criu-root" in path]
    os.kill(pid, 9)
    wait_child(pid)
    box.call("delete", name).ok()


def test_restore_in_the_foreground(box: Box, fake: Path, images: Path) -> None:
    bundle = box.bundle("/bin/sleep", "1000")
    name = box.name()
    box.place(bundle, name)
    flags = [flag for flag in restore_flags(images, bundle) if flag != "--detach"]
    pid_file = box.directory / "pid"
    process = box.popen(*flags, "--pid-file", str(pid_file), name, **environment(fake_criu(fake)))
    wait_until(pid_file.exists, what="the pid file")
    os.kill(int(pid_file.read_text()), 15)
    assert process.wait(DEADLINE) == 128 + 15
    box.call("state", name).failed("container does not exist")


# --- what goes wrong ----------------------------------------------------------------------


def test_no_criu(box: Box, images: Path) -> None:
    container = sleeper(box)
    done = container.call("checkpoint", "--image-path", str(images), **environment(str(box.directory)))
    done.failed("criu is not installed")
    assert container.status == "running"


def test_criu_that_does_not_work_on_this_kernel(box: Box, images: Path) -> None:
    path = "/usr/sbin:/usr/bin:/sbin:/bin"
    program = shutil.which("criu", path=path)
    if (
        program is None
        or subprocess.run([program, "check"], capture_output=True, check=False).returncode == 0
    ):
        pytest.skip("needs a criu in PATH that is too old for this kernel")
    container = sleeper(box)
    done = container.call("checkpoint", "--image-path", str(images), **environment(path)).failed(
        "Error (criu/"
    )
    assert "criu check" in json.dumps(done.log)
    assert container.status == "running"


def test_old_criu(box: Box, fake: Path, images: Path) -> None:
    container = sleeper(box)
    container.call("checkpoint", "--image-path", str(images), **environment(fake_criu(fake, "old"))).failed(
        "too old"
    )


@pytest.mark.parametrize(
    ("behaviour", "text"), [("fail", "the thing is stuck"), ("mute", "criu dump failed")]
)
def test_failed_dump(box: Box, fake: Path, images: Path, behaviour: str, text: str) -> None:
    container = sleeper(box)
    done = container.call(
        "checkpoint", "--image-path", str(images), **environment(fake_criu(fake, behaviour))
    )
    done.failed(text)
    assert "\n" not in done.message
    if behaviour == "fail":
        assert f"log: {images}/dump.log" in done.message
        assert (images / "dump.log").exists()
    assert container.status == "running"


@pytest.mark.parametrize("behaviour", ["fail", "mute"])
def test_failed_restore_leaves_nothing(box: Box, fake: Path, images: Path, behaviour: str) -> None:
    bundle = box.bundle("/bin/sleep", "1000")
    name = box.name()
    box.place(bundle, name)
    done = box.call(*restore_flags(images, bundle), name, **environment(fake_criu(fake, behaviour)))
    done.failed("criu restore failed")
    box.call("state", name).failed("container does not exist")


def test_refusals(box: Box, fake: Path, images: Path) -> None:
    path = environment(fake_criu(fake))
    container = box.create(box.bundle("/bin/sleep", "1000"))
    container.call("checkpoint", **path).failed("cannot be checkpointed in created state")
    container.start()
    flags = ("checkpoint", "--image-path", str(images))
    container.call(*flags, "--parent-path", "/abs", **path).failed("must be relative")
    container.call(*flags, "--page-server", "nowhere", **path).failed("invalid page server")
    container.call(*flags, "--empty-ns", "pid", **path).failed("--empty-ns")
    container.call(*flags, "--status-fd", "77", **path).failed("no open file descriptor")
    box.call("checkpoint", "nobody", **path).failed("container does not exist")
    container.bundle.write()
    restore = ("restore", "--bundle", str(container.bundle.directory), "--image-path")
    box.call(*restore, str(box.directory), "new", **path).failed("there is no checkpoint in")
    box.call("checkpoint", "--help").ok()
    box.call("restore", "--help").ok()


# --- for real ---------------------------------------------------------------------------------


@pytest.fixture
def real(box: Box) -> dict[str, Any]:
    criu = find_criu()
    if criu is None:
        pytest.skip("needs a criu that works on this kernel (set CRIU)")
    return environment(directory_with(criu, box.directory / "criu"))


def bring_back(container: Container, images: Path, real: dict[str, Any]) -> None:
    """Restore it with the output that it had: CRIU wants files to be as they were."""
    flags = ("restore", "-d", "-b", str(container.bundle.directory), "--image-path", str(images))
    with container.stdio[0].open("ab") as out, container.stdio[1].open("ab") as err:
        container.box.call(*flags, container.id, stdout=out, stderr=err, **real).ok()
    container.pid = container.state()["pid"]


def count(container: Container) -> int:
    return int(container.exec("/bin/cat", "/tmp/count").ok().out or 0)


def test_counter_goes_on(box: Box, images: Path, real: dict[str, Any]) -> None:
    bundle = box.bundle("/bin/sh", "-c", COUNTER)
    bundle.mount("/tmp", "tmpfs", "tmpfs")
    bundle.linux["resources"] = {"pids": {"limit": 20}}
    container = box.started(bundle)
    wait_until(lambda: (container.exec("/bin/cat", "/tmp/count").out or "0\n") > "5", what="the counter")
    container.call("checkpoint", "--image-path", str(images), **real).ok()
    box.call("state", container.id).failed("container does not exist")
    bring_back(container, images, real)
    before = count(container)
    assert before >= 5
    wait_until(lambda: count(container) > before, what="the counter")
    container.call("pause").ok()
    container.call("resume").ok()
    container.kill()
    container.wait()
    container.delete().ok()


def test_leave_running_while_paused(box: Box, images: Path, real: dict[str, Any]) -> None:
    container = sleeper(box)
    container.call("pause").ok()
    container.call("checkpoint", "--leave-running", "--image-path", str(images), **real).ok()
    assert container.status == "paused"
    container.call("resume").ok()
    assert container.status == "running"


def test_readonly_root_and_binds_come_back(box: Box, images: Path, real: dict[str, Any]) -> None:
    shared = box.directory / "shared"
    shared.mkdir()
    (shared / "file").write_text("shown")
    bundle = box.bundle("/bin/sleep", "1000")
    bundle.config["root"]["readonly"] = True
    (bundle.rootfs / "data").mkdir()
    bundle.mount("/data", "bind", str(shared), "rbind", "ro")
    container = box.started(bundle)
    container.call("checkpoint", "--image-path", str(images), **real).ok()
    bring_back(container, images, real)
    assert container.exec("/bin/cat", "/data/file").ok().out == "shown"
    assert container.exec("/bin/touch", "/data/x").rc != 0
    assert container.exec("/bin/touch", "/x").rc != 0
    container.kill()
    container.wait()


def test_terminal_comes_back(box: Box, images: Path, real: dict[str, Any]) -> None:
    console = ConsoleSocket(box.directory)
    try:
        bundle = box.bundle("/bin/sh", "-c", "while read line; do echo got $line; done")
        bundle.process["terminal"] = True
        container = box.create(bundle, "--console-socket", console.path)
        first, _ = console.receive()
        container.start()
        os.write(first, b"one\n")
        read_until(first, "got one")
        container.call("checkpoint", "--image-path", str(images), **real).ok()
        os.close(first)
        flags = ("-d", "-b", str(bundle.directory), "--image-path", str(images))
        box.call("restore", *flags, "--console-socket", console.path, container.id, **real).ok()
        second, _ = console.receive()
        os.write(second, b"two\n")
        read_until(second, "got two")
        container.pid = container.state()["pid"]
        container.kill()
        container.wait()
        os.close(second)
    finally:
        console.close()


def test_user_namespace_comes_back(box: Box, images: Path, real: dict[str, Any]) -> None:
    nowhere = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    container = box.started(box.bundle("/bin/sleep", "1000").user_namespace(), **nowhere)
    container.call("checkpoint", "--image-path", str(images), **real).ok()
    flags = ("-d", "-b", str(container.bundle.directory), "--image-path", str(images))
    box.call("restore", *flags, container.id, **nowhere, **real).ok()
    container.pid = container.state()["pid"]
    assert "100000" in Path(f"/proc/{container.pid}/uid_map").read_text()
    container.kill()
    container.wait()


def test_joined_network_namespace_is_left_alone(box: Box, images: Path, real: dict[str, Any]) -> None:
    owner = subprocess.Popen(["unshare", "-n", "sleep", "1000"])
    try:
        own = os.readlink("/proc/self/ns/net")
        wait_until(lambda: os.readlink(f"/proc/{owner.pid}/ns/net") != own, what="the namespace")
        container = box.started(
            box.bundle("/bin/sleep", "1000").namespace("network", f"/proc/{owner.pid}/ns/net")
        )
        container.call("checkpoint", "--image-path", str(images), **real).ok()
        bring_back(container, images, real)
        assert os.readlink(f"/proc/{container.pid}/ns/net") == os.readlink(f"/proc/{owner.pid}/ns/net")
        container.kill()
        container.wait()
    finally:
        owner.kill()
        owner.wait()
