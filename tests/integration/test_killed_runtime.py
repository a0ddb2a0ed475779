"""SIGKILL for the runtime at every system call of a create that changes something: `delete --force` removes all.

strace delivers the signal as the call is entered, so nothing of it is done.
The calls stand between the steps of the plan and within them.
"""

from __future__ import annotations

import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests import cgroups
from tests.harness import DEADLINE, Box, wait_until

pytestmark = pytest.mark.needs("strace")

CALLS = (
    "mkdir,mkdirat,mknodat,mknod,write,pwrite64,rename,renameat,renameat2,unlink,unlinkat,chmod,fchmod,"
    "fchmodat,chown,fchown,fchownat,setxattr,clone3,sendto,sendmsg,connect,bpf,prlimit64,memfd_create"
)
SYSTEMD = Path("/run/systemd/system").is_dir()
STRIDE = int(os.environ.get("PYRUNC_KILL_STRIDE", "3"))
"""Only each so many-th call; 1 for all."""
DRIVERS = ["cgroupfs", "systemd"] if SYSTEMD else ["cgroupfs"]


def create_under_strace(box: Box, driver: str, name: str, *flags: str) -> subprocess.CompletedProcess[bytes]:
    bundle = box.bundle("/bin/sleep", "1000")
    bundle.linux["resources"] |= {"memory": {"limit": 1 << 26}, "pids": {"limit": 20}}
    bundle.hook("createRuntime", "exit 0")
    bundle.hook("poststop", "exit 0")
    if driver == "systemd":
        del bundle.linux["cgroupsPath"]
    box.place(bundle, name)
    system = ["--systemd-cgroup"] if driver == "systemd" else []
    command = ["strace", "-qq", "-o", f"{box.directory}/trace", *flags, *box.runtime.command, *system]
    command += ["--root", str(box.root), "create", "-b", str(bundle.directory), name]
    null = subprocess.DEVNULL
    return subprocess.run(command, stdin=null, stdout=null, stderr=null, timeout=DEADLINE, check=False)


def moments(box: Box, driver: str) -> list[tuple[str, int]]:
    """Every call of a whole create: its name, and its number among those of that name."""
    for _ in range(2):  # the first fills Python's caches
        name = box.name()
        assert create_under_strace(box, driver, name, "-e", f"trace={CALLS}").returncode == 0
        box.call("delete", "--force", name).ok()
    lines = (box.directory / "trace").read_text().splitlines()
    seen: Counter[str] = Counter()
    found = []
    for line in lines:
        name, parenthesis, _ = line.partition("(")
        if parenthesis:
            seen[name] += 1
            found.append((name, seen[name]))
    return found


@pytest.mark.parametrize("driver", DRIVERS)
def test_every_call(box: Box, driver: str) -> None:
    found = moments(box, driver)
    assert len(found) > 20
    killed = 0
    left: list[str] = []
    for call, number in found[::STRIDE]:
        name = box.name()
        inject = f"inject={call}:signal=SIGKILL:when={number}"
        done = create_under_strace(box, driver, name, "-e", f"trace={call}", "-e", inject)
        killed += done.returncode != 0  # there are fewer calls where a cgroup above is there already
        deleted = box.call("delete", "--force", name)
        where = f"killed at {call} {number}: "
        if deleted.rc:
            left.append(where + deleted.message)
        left += [
            f"{where}cgroup {path}" for path in cgroups.find(name) + cgroups.find(f"pyrunc-{name}.scope")
        ]
        left += [f"{where}record {path}" for path in box.root.glob(f"*{name}*")]
    assert left == []
    assert killed > 20 // STRIDE
    wait_until(lambda: not box.new_processes(0), what="the end of all inits")
