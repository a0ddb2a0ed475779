"""cgroup v2 as the only hierarchy: limits are seen inside, outside, and enforced.

Runs in the guest (`make test-vm`): PYRUNC_GUEST=1 says that this is it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pyrunc.spec.defaults import default_config

pytestmark = pytest.mark.skipif(
    os.environ.get("PYRUNC_GUEST") != "1", reason="needs the guest of make test-vm"
)

PYRUNC = os.environ.get("PYRUNC", str(Path(__file__).resolve().parents[2] / ".venv/bin/pyrunc"))
CGROUP = Path("/sys/fs/cgroup")
TIMEOUT = 120


class Container:
    """A bundle with a busybox root and the commands that a test gives it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.id = f"v2-{uuid.uuid4().hex[:12]}"
        self.cgroup = CGROUP / "pyrunc-test" / self.id
        root = directory / "rootfs"
        (root / "bin").mkdir(parents=True)
        shutil.copy("/bin/busybox", root / "bin/busybox")
        for name in ("sh", "cat", "true", "sleep", "dd", "mknod", "ls", "head"):
            (root / "bin" / name).symlink_to("busybox")
        self.config: dict[str, Any] = json.loads(json.dumps(default_config(False)))
        self.config["process"]["terminal"] = False
        self.config["linux"]["cgroupsPath"] = f"/pyrunc-test/{self.id}"

    def pyrunc(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        (self.directory / "config.json").write_text(json.dumps(self.config))
        return subprocess.run(
            [PYRUNC, *arguments],
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        self.config["process"]["args"] = ["/bin/sh", "-c", script]
        return self.pyrunc("run", self.id)

    def limit(self, name: str, value: dict[str, Any]) -> None:
        self.config["linux"].setdefault("resources", {})[name] = value

    def show_cgroup(self) -> None:
        """Show the container its own cgroup at /sys/fs/cgroup."""
        self.config["linux"]["namespaces"].append({"type": "cgroup"})
        self.config["mounts"].append(
            {
                "destination": "/sys/fs/cgroup",
                "type": "cgroup",
                "source": "cgroup",
                "options": ["ro", "nosuid"],
            }
        )


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    made = Container(tmp_path)
    yield made
    made.pyrunc("delete", "--force", made.id)
    assert not made.cgroup.exists(), "the cgroup was left behind"
    assert made.id not in Path("/proc/self/mountinfo").read_text()


LIMITS = {
    "memory": (
        {"limit": 64 << 20, "swap": 96 << 20, "reservation": 32 << 20},
        {"memory.max": str(64 << 20), "memory.swap.max": str(32 << 20), "memory.low": str(32 << 20)},
    ),
    "cpu": (
        {"shares": 1024, "quota": 50000, "period": 100000},
        {"cpu.weight": "100", "cpu.max": "50000 100000"},
    ),
    "cpuset": ({"cpus": "0", "mems": "0"}, {"cpuset.cpus": "0", "cpuset.mems": "0"}),
    "pids": ({"limit": 17}, {"pids.max": "17"}),
}


@pytest.mark.parametrize("name", LIMITS)
def test_limits_are_seen_inside_and_outside(container: Container, name: str) -> None:
    value, files = LIMITS[name]
    container.limit("cpu" if name == "cpuset" else name, value)
    container.show_cgroup()
    inside = container.run("cd /sys/fs/cgroup && cat " + " ".join(files))
    assert inside.returncode == 0, inside.stderr
    assert inside.stdout.splitlines() == list(files.values())
    container.config["process"]["args"] = ["/bin/sleep", "1000"]
    assert container.pyrunc("create", container.id).returncode == 0
    for file, text in files.items():
        assert (container.cgroup / file).read_text().strip() == text


def test_memory_limit_kills(container: Container) -> None:
    container.limit("memory", {"limit": 16 << 20, "swap": 16 << 20})
    result = container.run("exec dd if=/dev/zero of=/dev/null bs=64M count=1")
    assert result.returncode == 137, (result.stdout, result.stderr)


def test_fork_bomb_stops_at_the_pids_limit(container: Container) -> None:
    container.limit("pids", {"limit": 8})
    container.show_cgroup()
    result = container.run(
        "i=0; while [ $i -lt 30 ]; do sleep 5 & i=$((i+1)); done 2>/dev/null; cat /sys/fs/cgroup/pids.current"
    )
    assert "fork" in result.stderr.lower() or result.returncode != 0 or int(result.stdout) <= 8
    peak = container.run("(for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 3 & done; wait) 2>&1; true")
    assert "can't fork" in peak.stdout, (peak.stdout, peak.stderr)


def test_denied_device_gives_eperm(container: Container) -> None:
    container.limit("devices", [{"allow": False, "access": "rwm"}])  # type: ignore[arg-type]
    container.config["process"]["capabilities"]["bounding"].append("CAP_MKNOD")
    container.config["process"]["capabilities"]["effective"].append("CAP_MKNOD")
    container.config["process"]["capabilities"]["permitted"].append("CAP_MKNOD")
    container.config["root"]["readonly"] = False
    result = container.run("mknod /tmp-mem c 1 1 && head -c 1 /tmp-mem")
    assert "Operation not permitted" in result.stderr, (result.stdout, result.stderr)
    allowed = container.run("head -c 4 /dev/zero >/dev/null && echo ok")
    assert allowed.stdout == "ok\n", allowed.stderr


def test_init_is_cloned_into_its_cgroup(container: Container) -> None:
    container.config["process"]["args"] = ["/bin/true"]
    (container.directory / "config.json").write_text(json.dumps(container.config))
    trace = container.directory / "trace"
    command = [
        "strace",
        "-f",
        "-o",
        str(trace),
        "-e",
        "trace=clone3,openat,openat2,write",
        PYRUNC,
        "run",
        container.id,
    ]
    done = subprocess.run(
        command, cwd=container.directory, capture_output=True, text=True, timeout=TIMEOUT, check=False
    )
    assert done.returncode == 0, done.stderr
    text = trace.read_text()
    assert "CLONE_INTO_CGROUP" in text
    assert "cgroup.procs" not in text, "the init was moved, not cloned into its cgroup"
