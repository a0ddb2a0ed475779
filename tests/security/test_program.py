"""The runtime's own program inside the container: never the host's file, never open to the container."""

from __future__ import annotations

import fcntl
import hashlib
import os
import sys
from copy import copy
from pathlib import Path

import pytest

from tests.harness import CHECKOUT, DEADLINE, Box, only_ours, peer_differs
from tests.security.attack import ROUNDS

SEALS = 0x1 | 0x2 | 0x4 | 0x8  # F_SEAL_SEAL, SHRINK, GROW, WRITE
F_GET_SEALS = 1034


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
    result = box.run(bundle, timeout=DEADLINE)
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


def test_exec_stays_in_the_root_without_a_mount_namespace(box: Box) -> None:
    """The container is in its root by chroot(2) alone; what joins its namespaces is not there yet."""
    only_ours(box, "runc has no such containers, crun gives the host's root")
    bundle = box.bundle("/bin/sleep", "100").without_namespace("mount")
    bundle.config["mounts"] = bundle.linux["maskedPaths"] = bundle.linux["readonlyPaths"] = []
    container = box.started(bundle)
    assert container.exec("/bin/ls", "/").ok().out.split() == sorted(os.listdir(bundle.rootfs))
    # where another mount namespace lacks the root's mount, the directory below it is not taken for it
    hidden = ["unshare", "--mount", "sh", "-c", f'umount {bundle.rootfs} && exec "$0" "$@"']
    plain, box.runtime = box.runtime, copy(box.runtime)
    box.runtime.command = [*hidden, *plain.command]
    container.exec("/bin/ls", "/").failed("the container's root is not mounted", rc=255)
    box.runtime = plain
