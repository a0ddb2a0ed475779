"""Containers see neither the image nor the programs that map it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.snapshot.world import CLEAN, World, make_bundle, run, shell


def assert_hidden(world: World, pid: int) -> None:
    """Nothing of a process that the kernel tells has to do with the installation."""
    proc = Path(f"/proc/{pid}")
    links = [os.readlink(proc / name) for name in ("exe", "cwd", "root")]
    links += [os.readlink(link) for link in (proc / "fd").iterdir()]
    told = links + [
        (proc / name).read_bytes().decode(errors="replace") for name in ("maps", "environ", "cmdline")
    ]
    for place in (world.image, world.directory, world.launcher, world.library):
        assert not [text for text in told if str(place) in text], told
    assert not [line for line in (proc / "maps").read_text().splitlines() if line.startswith("1000")], (
        "the launcher's place"
    )
    inode = world.image.stat().st_ino
    assert not [fd for fd in (proc / "fd").iterdir() if fd.exists() and fd.stat().st_ino == inode]


def pids(world: World, root: list[str]) -> list[int]:
    found: list[int] = json.loads(world.restored(*root, "ps", "-f", "json", "c")[1])
    return found


def test_processes_of_a_container(made: World, tmp_path: Path) -> None:
    """Of the init before and after its start, and of a process that `exec` adds."""
    bundle = make_bundle(tmp_path / "bundle", ["/bin/busybox", "sleep", "100"])
    root = ["--root", str(tmp_path / "root")]
    quiet = {"env": CLEAN, "stdin": -3, "stdout": -3, "stderr": -3, "check": True, "timeout": 60}
    for words in (
        ["create", "-b", str(bundle), "c"],
        ["start", "c"],
        ["exec", "-d", "c", "/bin/busybox", "sleep", "100"],
    ):
        subprocess.run([str(made.launcher), *root, *words], **quiet)  # type: ignore[call-overload]
        running = pids(made, root)
        assert len(running) == (2 if words[0] == "exec" else 1)
        for pid in running:
            assert_hidden(made, pid)
    status, _, said = made.restored(*root, "delete", "--force", "c")
    assert status == 0, said


def test_container_in_the_host_s_pid_namespace(made: World, tmp_path: Path) -> None:
    """It may see the waiting runtime, but has no way to its files."""
    bundle = shell(
        tmp_path / "bundle",
        "ls -l /proc/self/fd /proc/self/exe 2>/dev/null; cat /proc/self/maps /proc/self/environ",
    )
    config = json.loads((bundle / "config.json").read_text())
    config["linux"]["namespaces"] = [
        entry for entry in config["linux"]["namespaces"] if entry["type"] != "pid"
    ]
    (bundle / "config.json").write_text(json.dumps(config))
    status, out, err = run(
        [str(made.launcher), "--root", str(tmp_path / "root"), "run", "-b", str(bundle), "c"]
    )
    assert (status, err) == (0, b"")
    assert b"busybox" in out
    for place in (made.image, made.launcher, made.library):
        assert os.fsencode(place) not in out


def test_hooks(made: World, tmp_path: Path) -> None:
    """They are executed, with the three streams and no more."""
    bundle = make_bundle(tmp_path / "bundle", ["/bin/busybox", "true"])
    config = json.loads((bundle / "config.json").read_text())
    script = f"ls -l /proc/$$/fd >{tmp_path}/fds; cat /proc/$$/maps >{tmp_path}/maps"
    config["hooks"] = {
        "createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/bin:/usr/bin"]}]
    }
    (bundle / "config.json").write_text(json.dumps(config))
    outcome = run([str(made.launcher), "--root", str(tmp_path / "root"), "run", "-b", str(bundle), "c"])
    assert outcome == (0, b"", b"")
    told = (tmp_path / "fds").read_text() + (tmp_path / "maps").read_text()
    for place in (made.image, made.launcher, made.library):
        assert str(place) not in told
