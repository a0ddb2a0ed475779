"""What `docker run` can ask for: output, exit codes, and each option seen from inside."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path

import pytest

from tests.engines.daemon import Client

RUN = ["run", "--rm", "--network=none"]


def test_output_and_exit_code(docker: Client) -> None:
    done = docker(*RUN, "bb", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 3)


@pytest.mark.parametrize(
    ("command", "code", "text"),
    [
        (["/nonexist"], 127, "no such file or directory"),
        (["nonexist"], 127, "executable file not found in $PATH"),
        (["/etc/passwd"], 126, "permission denied"),
    ],
    ids=["missing", "not-in-path", "not-executable"],
)
def test_exit_codes(docker: Client, command: list[str], code: int, text: str) -> None:
    done = docker(*RUN, "bb", *command)
    assert done.returncode == code, done.stderr
    assert text in done.stderr


def test_bad_mount_gives_125(docker: Client, scratch: Path) -> None:
    done = docker(*RUN, "-v", f"{scratch}/rootfs/etc:/etc/passwd", "bb", "true")
    assert done.returncode == 125, done.stderr
    assert "not a directory" in done.stderr


def of_host(kind: str) -> str:
    """Our own namespace, as `readlink` shows it."""
    return os.readlink(f"/proc/self/ns/{kind}")


OPTIONS: dict[str, tuple[list[str], str, str]] = {
    "read-only": (["--read-only"], "touch /x 2>&1 || true", "Read-only file system"),
    "cap-drop": (["--cap-drop", "ALL"], "grep CapEff /proc/self/status", "0000000000000000"),
    "cap-add": (["--cap-add", "NET_ADMIN"], "grep CapEff /proc/self/status", "00000000a80435fb"),
    "unconfined": (["--security-opt", "seccomp=unconfined"], "grep Seccomp: /proc/self/status", "0"),
    "seccomp": ([], "grep Seccomp: /proc/self/status", "2"),
    "no-new-privileges": (["--security-opt", "no-new-privileges"], "grep NoNew /proc/self/status", "1"),
    "pids": (["--pids-limit", "50"], "cat /sys/fs/cgroup/pids/pids.max", "50"),
    "memory": (["-m", "64m"], "cat /sys/fs/cgroup/memory/memory.limit_in_bytes", "67108864"),
    "swap": (
        ["-m", "64m", "--memory-swap", "80m"],
        "cat /sys/fs/cgroup/memory/memory.memsw.limit_in_bytes",
        "83886080",
    ),
    "cpus": (["--cpus", "0.5"], "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us", "50000"),
    "cpu-shares": (["--cpu-shares", "512"], "cat /sys/fs/cgroup/cpu/cpu.shares", "512"),
    "cpuset": (["--cpuset-cpus", "0"], "cat /sys/fs/cgroup/cpuset/cpuset.cpus", "0"),
    "device": (["--device", "/dev/null:/dev/other"], "ls -l /dev/other", "1,   3"),
    "device-rule": (
        ["--device-cgroup-rule", "c 1:11 r"],
        "cat /sys/fs/cgroup/devices/devices.list",
        "c 1:11 r",
    ),
    "tmpfs": (["--tmpfs", "/t:size=1m"], "df -k /t | tail -1", "1024"),
    "tmpfs-mode": (["--tmpfs", "/root"], "stat -c %a /root", "755\n"),
    "shm": (["--shm-size", "2m"], "df -k /dev/shm | tail -1", "2048"),
    "volume": (["-v", "/v"], "touch /v/x && ls /v", "x"),
    "user": (["-u", "1000:1000"], "id -u; id -g", "1000\n1000"),
    "group-add": (["--group-add", "55"], "id -G", "55"),
    "group-twice": (["-u", "1000", "--group-add", "1000"], "id -G", "1000\n"),
    "init": (["--init"], "cat /proc/1/comm", "docker-init"),
    "host-network": (["--network=host"], "readlink /proc/self/ns/net", of_host("net")),
    "host-pid": (["--pid=host"], "readlink /proc/self/ns/pid", of_host("pid")),
    "host-ipc": (["--ipc=host"], "readlink /proc/self/ns/ipc", of_host("ipc")),
    "host-uts": (["--uts=host"], "readlink /proc/self/ns/uts", of_host("uts")),
    "sysctl": (["--sysctl", "net.ipv4.ip_forward=1"], "cat /proc/sys/net/ipv4/ip_forward", "1"),
    "ulimit": (["--ulimit", "nofile=99:99"], "ulimit -n", "99"),
    "oom-score-adj": (["--oom-score-adj", "500"], "cat /proc/self/oom_score_adj", "500"),
    "cgroupns": (["--cgroupns=private"], "grep memory: /proc/self/cgroup", "memory:/\n"),
    "hostname": (["-h", "name"], "hostname", "name"),
    "workdir": (["-w", "/made/here"], "pwd", "/made/here"),
    "env": (["-e", "A=b c"], "echo $A", "b c"),
    "cgroup-parent": (
        ["--cgroup-parent", "/pyrunc-engines"],
        "grep memory: /proc/self/cgroup",
        "memory:/pyrunc-engines/",
    ),
}


@pytest.mark.parametrize("option", OPTIONS)
def test_run_options(docker: Client, option: str) -> None:
    options, script, expected = OPTIONS[option]
    if option == "init" and not Path("/usr/bin/docker-init").exists():
        pytest.skip("needs docker-init (package tini)")
    network = [] if any(word.startswith("--network") for word in options) else ["--network=none"]
    done = docker("run", "--rm", *network, *options, "bb", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout


def test_read_limit_of_a_disk(docker: Client) -> None:
    disks = [path for path in Path("/sys/block").iterdir() if Path("/dev", path.name).is_block_device()]
    if not disks:
        pytest.skip("needs a block device")
    number = (disks[0] / "dev").read_text().strip()
    file = "/sys/fs/cgroup/blkio/blkio.throttle.read_bps_device"
    done = docker(*RUN, "--device-read-bps", f"/dev/{disks[0].name}:1mb", "bb", "cat", file)
    assert done.stdout == f"{number} 1048576\n", done.stderr


def test_custom_seccomp_profile(docker: Client, tmp_path: Path) -> None:
    rule = {"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28}
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [rule]}
    file = tmp_path / "profile.json"
    file.write_text(json.dumps(profile))
    done = docker(*RUN, "--security-opt", f"seccomp={file}", "bb", "sh", "-c", "touch /f && mkdir /d")
    assert done.returncode == 1 and "No space left on device" in done.stderr


def test_limit_above_ours_is_refused(docker: Client) -> None:
    """The hard limit of files cannot be raised without CAP_SYS_RESOURCE, which this host may not have."""
    above = resource.getrlimit(resource.RLIMIT_NOFILE)[1] + 1
    done = docker(*RUN, "--ulimit", f"nofile={above}:{above}", "bb", "sh", "-c", "ulimit -n")
    if done.returncode:
        assert (done.returncode, "error setting rlimit" in done.stderr) == (125, True), done.stderr
    else:
        assert done.stdout == f"{above}\n"


def test_signal_gives_its_exit_code(docker: Client) -> None:
    done = docker(*RUN, "--init", "bb", "sh", "-c", "kill -9 $$")
    assert done.returncode == 137


def test_bind_of_a_directory_and_a_file(docker: Client, scratch: Path) -> None:
    (scratch / "file").write_text("content\n")
    done = docker(
        *RUN, "-v", f"{scratch}/file:/f:ro", "-v", f"{scratch}:/d", "bb", "sh", "-c", "cat /f /d/file"
    )
    assert done.stdout == "content\ncontent\n", done.stderr


def test_terminal_and_stdin(docker: Client) -> None:
    assert "/dev/pts/0" in docker.with_terminal(*RUN, "-it", "bb", "tty").stdout
    assert docker.ok(*RUN, "-i", "bb", "cat", stdin="through\n") == "through"
