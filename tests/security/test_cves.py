"""One test per known vulnerability of container runtimes that could be ours too.

Each builds the attacker's bundle or container and then looks at the host: a
decoy must be untouched, or nothing may have been learnt.  Peers that are old
enough to be vulnerable are expected to fail, which shows that the test bites.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.harness import CHECKOUT, Box, Bundle, only_ours, peer_differs, wait_until
from tests.terminals import ConsoleSocket

SEALS = 0x1 | 0x2 | 0x4 | 0x8  # F_SEAL_SEAL, SHRINK, GROW, WRITE
F_GET_SEALS = 1034
ROUNDS = int(os.environ.get("PYRUNC_TEST_RACES", "25"))


@pytest.fixture
def decoy(box: Box) -> Iterator[Path]:
    """A folder of the host that nothing may change."""
    path = box.directory / "decoy"
    path.mkdir()
    (path / "file").write_text("untouched")
    (path / "ptmx").write_text("untouched")
    (path / "console").write_text("untouched")
    (path / "null").write_text("untouched")
    (path / "0").write_text("untouched")
    before = snapshot(path)
    yield path
    assert snapshot(path) == before, "the host's files were changed"


def snapshot(path: Path) -> dict[str, tuple[int, int, int, bytes]]:
    found = {}
    for each in [path, *sorted(path.rglob("*"))]:
        status = each.lstat()
        text = each.read_bytes() if each.is_file() and not each.is_symlink() else b""
        found[str(each)] = (status.st_mode, status.st_uid, status.st_gid, text)
    return found


def mounts(box: Box) -> list[str]:
    """The host's mounts below the test's folder; everything an attack here could reach."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if line.split()[4].startswith(str(box.directory))]


@contextmanager
def swapping(first: Path, second: Path) -> Iterator[None]:
    """Exchange two paths all the time."""
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("exchanger.py")), str(first), str(second)]
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def without_dev(bundle: Bundle) -> Bundle:
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if not m["destination"].startswith("/dev")]
    return bundle


# --- the runtime's own program ------------------------------------------------------------


def program_files(box: Box) -> dict[str, str]:
    """Digests of everything that is executed for a container."""
    paths = [
        Path(box.runtime.command[0]),
        Path(sys.executable).resolve(),
        Path("/bin/sh").resolve(),
        *CHECKOUT.glob("pyrunc/*.so"),
    ]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


@pytest.mark.parametrize("program", ["script", "direct"])
def test_cve_2019_5736_own_program_as_entry_point(box: Box, program: str) -> None:
    """/proc/self/exe as the container's program runs the runtime's helper inside, open to be overwritten."""
    before = program_files(box)
    bundle = box.bundle("/entry")
    (bundle.rootfs / "entry").write_text("#!/proc/self/exe\n")
    (bundle.rootfs / "entry").chmod(0o755)
    if program == "direct":
        bundle.args("/proc/self/exe", "init")
    result = box.run(bundle, timeout=20)
    assert result.rc != 0
    assert program_files(box) == before


def test_cve_2019_5736_helper_is_sealed(box: Box) -> None:
    """Between create and start /proc/PID/exe is the helper: a sealed memory file, not a file of the host."""
    container = box.create(box.bundle("/bin/sleep", "100"))
    path = f"/proc/{container.pid}/exe"
    peer_differs(box, runc="runs from an unlinked copy", crun="runs from a read-only mount")
    assert "memfd:" in os.readlink(path)
    fd = os.open(path, os.O_RDONLY)
    try:
        assert fcntl.fcntl(fd, F_GET_SEALS) & SEALS == SEALS
    finally:
        os.close(fd)
    with pytest.raises(OSError):
        os.close(os.open(path, os.O_WRONLY))


def test_cve_2019_5736_helper_of_exec_cannot_be_written(box: Box) -> None:
    """A container process that keeps trying to open its joiner's program for writing."""
    before = program_files(box)
    script = """
    while [ ! -e /stop ]; do
      for p in /proc/[0-9]*; do
        [ "$p" = "/proc/$$" ] && continue
        case "$(readlink $p/exe)" in /bin/busybox|"") ;; *) ( : >>$p/exe ) 2>/dev/null && echo wrote ;; esac
      done
    done"""
    container = box.started(box.bundle("/bin/sh", "-c", f"echo up; {script}"))
    container.wait_output("up")
    for _ in range(ROUNDS):
        assert container.exec("/bin/true").rc == 0
    (container.bundle.rootfs / "stop").touch()
    container.wait()
    assert "wrote" not in container.output
    assert program_files(box) == before


def test_cve_2016_9962_joining_process_is_opaque(box: Box) -> None:
    """Processes of the container can neither trace the helper that joins nor list its descriptors."""
    script = """
    while [ ! -e /stop ]; do
      for p in /proc/[0-9]*; do
        exe=$(readlink $p/exe 2>/dev/null); fds=$(ls -l $p/fd 2>/dev/null)
        case "$exe$fds" in *memfd*|*init*|*socket*) echo "seen $p $exe $fds";; esac
      done
    done"""
    bundle = box.bundle("/bin/sh", "-c", f"echo up; {script}")
    container = box.started(bundle)
    container.wait_output("up")
    for _ in range(ROUNDS):
        assert container.exec("/bin/true").rc == 0
    (bundle.rootfs / "stop").touch()
    container.wait()
    assert "seen" not in container.output


# --- descriptors and directories of the host -----------------------------------------------


@pytest.mark.parametrize("number", range(3, 21))
def test_cve_2024_21626_working_directory_in_a_leaked_descriptor(box: Box, number: int) -> None:
    bundle = box.bundle("/bin/sh", "-c", "pwd -P; ls ../../../../../../../..; cat file")
    bundle.process["cwd"] = f"/proc/self/fd/{number}"
    leaked = os.open("/tmp", os.O_RDONLY | os.O_DIRECTORY)
    try:
        result = box.run(bundle, pass_fds=[leaked])
    finally:
        os.close(leaked)
    assert result.rc != 0 or "pyrunc-" not in result.out
    assert "/tmp" not in result.out


@pytest.mark.parametrize("number", range(3, 21, 3))
def test_cve_2024_21626_exec_with_such_a_directory(box: Box, number: int) -> None:
    container = box.started(box.bundle("/bin/sleep", "100"))
    result = container.exec(
        "/bin/sh", "-c", "pwd -P; ls ../../../../../../../..", flags=("--cwd", f"/proc/self/fd/{number}")
    )
    assert result.rc != 0 or "rootfs" not in result.out
    assert "config.json" not in result.out


def test_cve_2024_21626_program_through_a_leaked_descriptor(box: Box) -> None:
    """args[0] is looked up when nothing of the host can be reached any more."""
    for number in range(3, 16):
        bundle = box.bundle(f"/proc/self/fd/{number}/../../../../../../../../bin/bash", "-c", "echo escaped")
        result = box.run(bundle)
        assert "escaped" not in result.out
        assert result.rc != 0


def test_leaked_descriptors_do_not_reach_the_program(box: Box) -> None:
    leaked = [os.open("/", os.O_RDONLY | os.O_DIRECTORY) for _ in range(10)]
    try:
        report = box.run(box.bundle().probe(), pass_fds=leaked).ok().json()
        container = box.started(box.bundle("/bin/sleep", "100"), pass_fds=leaked)
        again = container.exec("/bin/probe", pass_fds=leaked).ok().json()
    finally:
        for fd in leaked:
            os.close(fd)
    assert sorted(report["fds"]) == sorted(again["fds"]) == ["0", "1", "2"]


# --- symlinks in the root ---------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["absolute", "relative", "parent", "chain"])
@pytest.mark.parametrize("kind", ["tmpfs", "bind", "file"])
def test_cve_2019_18837_mount_target_is_a_symlink(box: Box, decoy: Path, shape: str, kind: str) -> None:
    bundle = box.bundle()
    climb = "../" * 12
    link = {
        "absolute": str(decoy),
        "relative": f"{climb}{decoy}",
        "parent": str(decoy.parent),
        "chain": "/step",
    }[shape]
    (bundle.rootfs / "link").symlink_to(link)
    (bundle.rootfs / "step").symlink_to(f"{climb}{decoy}")
    target = "/link/decoy/file" if shape == "parent" else "/link/file"
    source = box.directory / "source"
    if kind == "file":
        source.write_text("replaced")
    else:
        source.mkdir()
        target = target.replace("/file", "/folder")
    before = mounts(box)
    if kind == "tmpfs":
        bundle.mount(target, "tmpfs", "tmpfs")
    else:
        bundle.mount(target, "bind", str(source), "bind")
    box.run(bundle)
    assert mounts(box) == before


@pytest.mark.parametrize("shape", ["absolute", "relative", "folder"])
@pytest.mark.parametrize("name", ["proc", "sys"])
def test_cve_2019_19921_2023_27561_2023_28642_proc_is_a_symlink(
    box: Box, decoy: Path, name: str, shape: str
) -> None:
    bundle = box.bundle().probe("list:/")
    place = bundle.rootfs / name
    place.rmdir()
    (bundle.rootfs / "elsewhere").mkdir()
    place.symlink_to(
        {"absolute": str(decoy), "relative": f"{'../' * 12}{decoy}", "folder": "elsewhere"}[shape]
    )
    before = mounts(box)
    result = box.run(bundle)
    assert mounts(box) == before
    result.failed()


def test_cve_2019_16884_2025_52881_fake_proc(box: Box, decoy: Path) -> None:
    """A volume over /proc must not receive what is meant for the kernel."""
    fake = box.directory / "fake"
    for name in ("self/attr/apparmor", "sys/net/ipv4", "1"):
        (fake / name).mkdir(parents=True)
    for name in (
        "self/attr/exec",
        "self/attr/apparmor/exec",
        "sys/net/ipv4/ip_forward",
        "self/oom_score_adj",
    ):
        (fake / name).write_text("fake")
    before = snapshot(fake)
    bundle = box.bundle().probe("read:/proc/sys/net/ipv4/ip_forward")
    bundle.mount("/proc", "bind", str(fake), "bind")
    bundle.linux["sysctl"] = {"net.ipv4.ip_forward": "1"}
    bundle.linux["maskedPaths"] = bundle.linux["readonlyPaths"] = []
    box.run(bundle)
    assert snapshot(fake) == before, "a fake procfs was written to"


def test_cve_2025_52881_sysctl_on_a_swapped_proc(box: Box) -> None:
    """A mount below /proc that hides the sysctl tree."""
    fake = box.directory / "fake"
    (fake / "net/ipv4").mkdir(parents=True)
    (fake / "net/ipv4/ip_forward").write_text("fake")
    bundle = box.bundle()
    bundle.mount("/proc/sys", "bind", str(fake), "bind")
    bundle.linux["sysctl"] = {"net.ipv4.ip_forward": "1"}
    box.run(bundle)
    assert (fake / "net/ipv4/ip_forward").read_text() == "fake"


@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("shape", ["absolute", "relative"])
def test_cve_2026_41579_2026_47766_dev_is_a_symlink(
    box: Box, decoy: Path, shape: str, terminal: bool
) -> None:
    """Devices and links must not be made, or replaced, where /dev points to on the host."""
    bundle = without_dev(box.bundle())
    (bundle.rootfs / "dev").rmdir()
    (bundle.rootfs / "dev").symlink_to(str(decoy) if shape == "absolute" else f"{'../' * 12}{decoy}")
    only_ours(box, "runc 1.1.5 and crun 1.8 are older than the fix and harm the host here")
    bundle.process["terminal"] = terminal
    flags = []
    console = ConsoleSocket(box.directory)
    if terminal:
        flags = ["--console-socket", console.path]
    box.try_create(bundle, *flags)
    console.close()


@pytest.mark.parametrize("name", ["console", "ptmx", "pts", "null", "fd"])
def test_cve_2026_88264_2026_88265_2025_52565_entries_of_dev_are_symlinks(
    box: Box, decoy: Path, name: str
) -> None:
    """Without a fresh /dev, what lies there is the attacker's."""
    bundle = without_dev(box.bundle())
    target = decoy if name in ("pts", "fd") else decoy / ("null" if name == "null" else "console")
    (bundle.rootfs / "dev" / name).symlink_to(f"{'../' * 14}{target}")
    bundle.process["terminal"] = True
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    bundle.config["root"]["readonly"] = True
    before = mounts(box)
    console = ConsoleSocket(box.directory)
    box.try_create(bundle, "--console-socket", console.path)
    console.close()
    assert mounts(box) == before


@pytest.mark.parametrize("target", ["/proc/sysrq-trigger", "/etc/passwd", "/proc/sys/kernel/core_pattern"])
def test_cve_2025_31133_dev_null_is_a_symlink(box: Box, target: str) -> None:
    """A masked path must not become a writable bind of what /dev/null points to."""
    bundle = without_dev(box.bundle()).probe("openw:/proc/keys", "read:/proc/keys", "stat:/proc/keys")
    (bundle.rootfs / "dev/null").symlink_to(target)
    bundle.linux["maskedPaths"] = ["/proc/keys"]
    result = box.run(bundle)
    peer_differs(box, runc="1.1.5 is older than the fix", crun="1.8 is older than the fix")
    if result.rc == 0:
        found = result.json()["actions"]
        node = found["stat:/proc/keys"]
        assert found["read:/proc/keys"] == ""
        assert found["openw:/proc/keys"] == "EROFS" or (node["type"], node["major"], node["minor"]) == (
            "char",
            1,
            3,
        )


def test_cve_2025_24965_files_of_the_runtime_in_the_root(box: Box, decoy: Path) -> None:
    """Everything written into the root is made safely: here the mount points of file binds."""
    bundle = box.bundle()
    (bundle.rootfs / "etc/hosts").symlink_to(f"{'../' * 12}{decoy}/file")
    given = box.directory / "hosts"
    given.write_text("hosts")
    bundle.mount("/etc/hosts", "bind", str(given), "bind")
    before = mounts(box)
    box.run(bundle)
    assert mounts(box) == before


# --- races -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["destination", "parent"])
def test_cve_2021_30465_2024_45310_target_swapped_while_mounting(box: Box, decoy: Path, kind: str) -> None:
    """A shared volume whose folder turns into a symlink to the host between check and use."""
    bundle = box.bundle("/bin/true")
    volume = box.directory / "volume"
    (volume / "a").mkdir(parents=True)
    (volume / "b").symlink_to(f"{'../' * 14}{decoy}")
    source = box.directory / "source"
    source.mkdir()
    bundle.mount("/volume", "bind", str(volume), "bind")
    target = "/volume/a" if kind == "destination" else "/volume/a/deep/er"
    bundle.mount(target, "bind", str(source), "bind")
    before = mounts(box)
    with swapping(volume / "a", volume / "b"):
        for _ in range(ROUNDS):
            box.run(bundle)
            assert mounts(box) == before


def test_cve_2019_19921_proc_swapped_while_mounting(box: Box, decoy: Path) -> None:
    bundle = box.bundle("/bin/true")
    (bundle.rootfs / "link").symlink_to(f"{'../' * 14}{decoy}")
    before = mounts(box)
    with swapping(bundle.rootfs / "proc", bundle.rootfs / "link"):
        for _ in range(ROUNDS):
            box.run(bundle)
            assert mounts(box) == before


def test_cve_2025_52565_console_swapped(box: Box, decoy: Path) -> None:
    """/dev in a volume that another container changes meanwhile."""
    bundle = box.bundle("/bin/true")
    bundle.process["terminal"] = True
    volume = box.directory / "dev"
    volume.mkdir()
    (volume / "console").touch()
    (volume / "link").symlink_to(f"{'../' * 14}{decoy}/console")
    (volume / "pts").mkdir()
    bundle.mount("/dev", "bind", str(volume), "bind")
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if m["destination"] != "/dev/shm"]
    bundle.config["mounts"].sort(key=lambda m: m["destination"])
    before = mounts(box)
    with swapping(volume / "console", volume / "link"):
        for _ in range(ROUNDS // 3):
            console = ConsoleSocket(box.directory)
            name = box.name()
            box.try_create(bundle, "--console-socket", console.path, name=name)
            box.call("delete", "--force", name)
            console.close()
            assert mounts(box) == before


# --- privileges ---------------------------------------------------------------------------------


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
        timeout=30,
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
    bundle.hook("createRuntime", f"echo >{box.directory}/here; exec sleep 2")
    box.place(bundle, name)
    process = box.popen("create", "--bundle", str(bundle.directory), name)
    wait_until(lambda: (box.directory / "here").exists(), what="the hook")
    process.kill()
    process.wait()
    wait_until(
        lambda: (
            not [pid for pid in box.new_processes() if b"init" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        ),
        5,
        "the helper's end",
    )
    for pid in box.new_processes():
        os.kill(pid, 9)
