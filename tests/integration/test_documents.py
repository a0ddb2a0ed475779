"""The commands of the documentation that need no engine, run as written; the table of what is stricter."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import rootfs
from tests.documents import CHECKOUT, blocks, page, run_console, write_program
from tests.harness import DEADLINE, Runtime, find_runtime

UID = 1000
Change = Callable[[dict[str, Any]], object]


class Desk:
    """A directory with a bundle, and a `pyrunc` in PATH that keeps its records there."""

    def __init__(self, directory: Path, runtime: Runtime) -> None:
        self.directory = directory
        self.bundle = directory / "bundle"
        shutil.copytree(rootfs.busybox_root(), self.bundle / "rootfs", symlinks=True)
        command = f"{' '.join(runtime.command)} --root {directory}/root"
        write_program(directory / "bin/pyrunc", f'exec {command} "$@"')
        self.environment = {**os.environ, "PATH": f"{directory}/bin:{os.environ['PATH']}"}
        self.call("spec", "-b", "bundle")
        config = json.loads((self.bundle / "config.json").read_text())
        config["process"] |= {"terminal": False, "args": ["true"]}
        config["linux"]["cgroupsPath"] = f"/pyrunc-test-{os.getpid()}/box"
        self.base = config
        self.write(lambda config: None)

    def write(self, change: Change) -> None:
        config = copy.deepcopy(self.base)
        change(config)
        (self.bundle / "config.json").write_text(json.dumps(config, indent=2))

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["pyrunc", *arguments],
            cwd=self.directory,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    try:
        runtime = find_runtime()
        made = Desk(tmp_path, runtime)
    except rootfs.Missing as missing:
        pytest.skip(f"needs {missing}")
    if not runtime.is_ours:
        pytest.skip("the documentation is about our runtime")
    yield made
    made.call("delete", "--force", "box")


@pytest.mark.parametrize("name", ["coming-from-runc.md", "troubleshooting.md"])
def test_commands(desk: Desk, name: str) -> None:
    for block in blocks(page(name), "console"):
        run_console(block, desk.directory, desk.environment)
    assert desk.call("list", "--quiet").stdout == ""


def test_commands_without_root(desk: Desk) -> None:
    (desk.bundle / "config.json").unlink()
    directory = desk.directory
    for path in [directory, desk.bundle, *desk.bundle.rglob("*")]:
        os.lchown(path, UID, UID)
    for parent in (directory, *directory.parents[:-2]):
        if parent.stat().st_uid == 0 or parent == directory:
            parent.chmod(0o755)
    prefix = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--"]
    for block in blocks(page("rootless.md"), "console"):
        run_console(block, directory, desk.environment, prefix)


def limits(*values: tuple[str, int, int]) -> Change:
    entries = [{"type": name, "soft": soft, "hard": hard} for name, soft, hard in values]
    return lambda config: config["process"].update(rlimits=entries)


def linux(**values: Any) -> Change:
    return lambda config: config["linux"].update(values)


CORE = ("RLIMIT_CORE", 0, 0)
EMPTY_RULE = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": [], "action": "SCMP_ACT_ERRNO"}]}
STRICTER: dict[str, tuple[Change, str]] = {
    "rlimit twice": (limits(CORE, CORE), "/process/rlimits/1/type"),
    "soft above hard": (limits(("RLIMIT_CORE", 5, 0)), "/process/rlimits/0/soft"),
    "no version": (lambda config: config.pop("ociVersion"), ""),
    "other version": (lambda config: config.update(ociVersion="2.0.0"), "/ociVersion"),
    "masked path": (linux(maskedPaths=["proc/keys"]), "/linux/maskedPaths/0"),
    "read-only path": (linux(readonlyPaths=["tmp"]), "/linux/readonlyPaths/0"),
    "cgroupsPath": (linux(cgroupsPath="/a/../b"), "/linux/cgroupsPath"),
    "device access": (
        linux(resources={"devices": [{"allow": False, "access": "rwx"}]}),
        "/linux/resources/devices/0/access",
    ),
    "seccomp rule": (linux(seccomp=EMPTY_RULE), "/linux/seccomp/syscalls/0/names"),
    "swap": (
        linux(resources={"memory": {"limit": 8 << 20, "swap": 4 << 20}}),
        "/linux/resources/memory/swap",
    ),
}


@pytest.mark.parametrize("what", STRICTER)
def test_what_is_refused(desk: Desk, what: str) -> None:
    change, pointer = STRICTER[what]
    desk.write(change)
    done = desk.call("--log-format", "json", "create", "-b", "bundle", "box")
    assert done.returncode == 1
    line = json.loads(done.stderr)
    assert line["level"] == "error"
    assert line.get("pointer", "") == pointer


def without_mount_namespace(config: dict[str, Any]) -> None:
    linux = config["linux"]
    linux["namespaces"] = [space for space in linux["namespaces"] if space["type"] != "mount"]


def follow_link(config: dict[str, Any]) -> None:
    config["root"]["path"] = "link"


TOLERATED: dict[str, Change] = {
    "no mount namespace": without_mount_namespace,
    "time namespace": lambda config: config["linux"]["namespaces"].append({"type": "time"}),
    "no /proc": lambda config: config.update(mounts=[]),
    "link": follow_link,
    "small memory": linux(resources={"memory": {"limit": 256 << 10, "swap": 256 << 10}}),
    "unknown property": lambda config: config.update(unknown=1),
    "zero": linux(resources={"cpu": {"shares": 0}, "memory": {"limit": 0}}),
}


@pytest.mark.parametrize("what", TOLERATED)
def test_what_is_tolerated(desk: Desk, what: str) -> None:
    (desk.bundle / "link").symlink_to("rootfs")
    desk.write(TOLERATED[what])
    done = desk.call("run", "-b", "bundle", "box")
    assert (done.returncode, done.stderr) == (0, "")


LABELS: dict[str, tuple[str, Change]] = {
    "/process/apparmorProfile": (
        "/sys/kernel/security/apparmor",
        lambda config: config["process"].update(apparmorProfile="some-profile"),
    ),
    "/process/selinuxLabel": (
        "/sys/fs/selinux",
        lambda config: config["process"].update(selinuxLabel="system_u:system_r:container_t:s0:c1,c2"),
    ),
    "/linux/mountLabel": ("/sys/fs/selinux", linux(mountLabel="system_u:object_r:container_file_t:s0:c1,c2")),
}


@pytest.mark.parametrize("pointer", [pointer for pointer, (module, _) in LABELS.items() if not Path(module).exists()])
def test_an_absent_security_module_is_a_warning(desk: Desk, pointer: str) -> None:
    desk.write(LABELS[pointer][1])
    done = desk.call("run", "-b", "bundle", "box")
    assert done.returncode == 0
    assert done.stderr.count("level=warning") == 1
    assert pointer in done.stderr


def test_what_runtime_hooks_read(desk: Desk) -> None:
    saved = desk.directory / "state"
    hook = {"path": "/bin/sh", "args": ["sh", "-c", f"cat >{saved}"]}
    desk.write(lambda config: config.update(hooks={"createRuntime": [hook]}))
    assert desk.call("run", "-b", "bundle", "box").returncode == 0
    assert json.loads(saved.read_text())["status"] == "created"


def test_python_example(desk: Desk) -> None:
    """The README's example, with records of its own."""
    text = blocks(CHECKOUT / "README.md", "python")[0].text
    text = text.replace("list()", f"list(root='{desk.directory}/root')").replace(
        '")\n', f"\", root='{desk.directory}/root')\n"
    )
    environment = {**desk.environment, "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(
        [sys.executable, "-c", text + "assert status == 0, status\npyrunc.plan('bundle')\n"],
        cwd=desk.directory, env=environment, capture_output=True, text=True, timeout=DEADLINE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "container does not exist" in done.stdout
