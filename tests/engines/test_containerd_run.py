"""What `ctr run` can ask for: output, terminals, limits, namespaces, mounts, privileges."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.engines.daemon import wait_for
from tests.engines.engines import Containerd
from tests.engines.images import REFERENCE
from tests.engines.test_containerd import Live, name, run


@pytest.mark.parametrize("snapshotter", ["overlayfs", "native"])
def test_run_gives_output_and_exit_code(containerd: Containerd, snapshotter: str) -> None:
    done = run(containerd, "--snapshotter", snapshotter, "--", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 3)


def test_run_on_a_terminal(containerd: Containerd) -> None:
    command = ["run", "--rm", "-t", "--runc-binary", containerd.runtime, REFERENCE, name(), "tty"]
    assert "/dev/pts/0" in containerd.ctr.with_terminal(*command).stdout


def test_missing_command_is_named(containerd: Containerd) -> None:
    done = run(containerd, "--", "/nonexist")
    assert done.returncode != 0
    assert "/nonexist" in done.stderr and "no such file or directory" in done.stderr


OPTIONS: dict[str, tuple[list[str], str, str]] = {
    "seccomp": (["--seccomp"], "grep Seccomp: /proc/self/status", "2"),
    "no-seccomp": ([], "grep Seccomp: /proc/self/status", "0"),
    "read-only": (["--read-only"], "touch /x 2>&1 || true", "Read-only"),
    "env": (["--env", "A=b c"], "echo $A", "b c"),
    "cwd": (["--cwd", "/tmp"], "pwd", "/tmp"),
    "net-host": (["--net-host"], "readlink /proc/self/ns/net", os.readlink("/proc/self/ns/net")),
    "bind": (["--mount", "type=bind,src=/etc,dst=/host,options=rbind:ro"], "ls /host/passwd", "/host/passwd"),
    "tmpfs": (["--mount", "type=tmpfs,src=tmpfs,dst=/t,options=size=1m"], "df -k /t | tail -1", "1024"),
    "no-new-privileges": ([], "grep NoNew /proc/self/status", "1"),
    "new-privileges": (["--allow-new-privs"], "grep NoNew /proc/self/status", "0"),
    "cap-drop": (["--cap-drop", "CAP_NET_RAW"], "grep CapEff /proc/self/status", "00000000a80405fb"),
    "cap-add": (["--cap-add", "CAP_NET_ADMIN"], "grep CapEff /proc/self/status", "00000000a80435fb"),
    "device": (["--device", "/dev/kmsg"], "ls -l /dev/kmsg", "1,  11"),
    "no-pivot": (["--no-pivot"], "pwd; ls /bin/busybox", "/\n/bin/busybox"),
}


@pytest.mark.parametrize("option", OPTIONS)
def test_run_options(containerd: Containerd, option: str) -> None:
    options, command, expected = OPTIONS[option]
    done = run(containerd, *options, "--", "sh", "-c", command)
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout


def test_privileged(containerd: Containerd) -> None:
    """All capabilities that containerd has itself, nothing masked, /sys writable."""
    script = "grep CapEff /proc/self/status; grep -c ' /proc/kcore ' /proc/mounts; grep ' /sys ' /proc/mounts"
    done = run(containerd, "--privileged", "--", "sh", "-c", script)
    capabilities, masked, sysfs = done.stdout.splitlines()
    assert capabilities.split()[1] in Path("/proc/self/status").read_text()
    assert masked == "0"
    assert sysfs.split()[3].startswith("rw")


def test_limits(containerd: Containerd) -> None:
    options = [
        "--memory-limit",
        "67108864",
        "--cpu-quota",
        "50000",
        "--cpu-period",
        "100000",
        "--cpu-shares",
        "512",
    ]
    with Live(containerd, *options) as live:
        assert (live.cgroup("memory") / "memory.limit_in_bytes").read_text() == "67108864\n"
        assert (live.cgroup("cpu") / "cpu.cfs_quota_us").read_text() == "50000\n"
        assert (live.cgroup("cpu") / "cpu.shares").read_text() == "512\n"


def test_cgroup_of_the_callers_choice(containerd: Containerd) -> None:
    done = run(containerd, "--cgroup", "/pyrunc-engines/own", "--", "cat", "/proc/self/cgroup")
    assert "memory:/pyrunc-engines/own" in done.stdout, done.stderr


def test_custom_root(containerd: Containerd, scratch: Path) -> None:
    """A root file system that no snapshotter made."""
    done = containerd.ctr(
        *(
            "run",
            "--rm",
            "--runc-binary",
            containerd.runtime,
            "--rootfs",
            str(scratch / "rootfs"),
            name(),
            "/bin/pwd",
        )
    )
    assert (done.stdout, done.returncode) == ("/\n", 0), done.stderr


def test_log_file(containerd: Containerd, tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = ("sh", "-c", "echo logged; exec sleep 1000")
    with Live(containerd, command=command, io=f"--log-uri=file://{log}"):
        wait_for(lambda: log.exists() and "logged" in log.read_text())


def test_created_then_started(containerd: Containerd) -> None:
    """Through the `runc` that is first in the shim's PATH.

    `ctr task start` drops what it has not read when the program ends: so that ends later.
    """
    identifier = name()
    containerd.ctr.ok("c", "create", "--", REFERENCE, identifier, "sh", "-c", "echo late; exec sleep 1")
    try:
        done = containerd.ctr("task", "start", identifier)
        assert (done.stdout, done.returncode) == ("late\n", 0), done.stderr
    finally:
        containerd.ctr.ok("c", "rm", identifier)


def test_user_namespace(containerd: Containerd) -> None:
    done = run(
        containerd,
        "--snapshotter",
        "native",
        "--uidmap",
        "0:100000:1000",
        "--gidmap",
        "0:100000:1000",
        "--",
        "cat",
        "/proc/self/uid_map",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["0", "100000", "1000"]


def test_existing_network_namespace(containerd: Containerd) -> None:
    with Live(containerd) as live:
        done = run(
            containerd,
            "--with-ns",
            f"network:/proc/{live.pid()}/ns/net",
            "--",
            "readlink",
            "/proc/self/ns/net",
        )
        assert done.stdout.strip() == os.readlink(f"/proc/{live.pid()}/ns/net"), done.stderr
