"""The exact modules each hot command imports: what `make bench` measures is decided here.

Every module of the standard library beyond the interpreter's own start, and
every module of pyrunc, costs time on each call.  A new one has to be entered
here, by someone who looked at what it costs.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SYSTEM_PYTHON = getattr(sys, "_base_executable", sys.executable)

PROGRAM = """
import sys
sys.path.insert(0, {checkout!r})
sys.path.append({packages!r})
before = set(sys.modules)
from pyrunc.cli.main import main
code = main(sys.argv[2:])
with open(sys.argv[1], "w") as file:
    file.write(repr((code, sorted(set(sys.modules) - before))))
"""

STANDARD = {"__future__", "_collections_abc", "_json", "_socket", "_stat", "_struct", "errno", "genericpath", "os",
            "os.path", "posixpath", "select", "stat"}  # fmt: skip

COMMON = STANDARD | {
    f"pyrunc{name}"
    for name in (
        "", ".cli", ".cli.commands", ".cli.main", ".cli.parser", ".cores", ".errors", ".execute", ".execute.process",
        ".log", ".operations", ".state", ".state.lifecycle", ".state.record", ".state.store",
    )
}  # fmt: skip

CGROUP = {
    "pyrunc.cgroup", "pyrunc.cgroup.driver", "pyrunc.cgroup.tree", "pyrunc.cgroup.cgroupfs",
    "pyrunc.cgroup.cgroupfs_v1",
}  # fmt: skip

CREATE = COMMON | CGROUP | {
    "fcntl", "_cffi_backend", "pyrunc._native", "pyrunc._native.lib", "pyrunc.native", "pyrunc.linux",
    "pyrunc.host", "pyrunc.host.facts", "pyrunc.operations.create",
    *(f"pyrunc.cgroup.{name}" for name in ("device_rules", "limits", "limits_v1", "path")),
    *(f"pyrunc.execute.{name}" for name in ("conversation", "creation", "init", "runtime_ops")),
    "pyrunc.spec", *(f"pyrunc.spec.{name}" for name in ("load", "rules", "rules_linux", "schema", "schema_table")),
    "pyrunc.plan", *(
        f"pyrunc.plan.{name}"
        for name in (
            "capabilities", "cgroup_entry", "cgroup_mounts", "cgroups", "create", "devices", "hooks", "mount_options",
            "mounts", "namespaces", "opcodes", "ops", "options", "plan", "process", "restrictions", "rootfs",
            "seccomp", "wire",
        )
    ),
}  # fmt: skip

ALLOWED = {
    "create": CREATE,
    "start": COMMON | CGROUP | {"fcntl", "pyrunc.execute.conversation", "pyrunc.operations.start"},
    "state": COMMON | CGROUP | {"pyrunc.cli.output", "pyrunc.operations.state"},
    "kill": COMMON | CGROUP | {"pyrunc.operations.kill"},
    "delete": COMMON | CGROUP | {"fcntl", "pyrunc.operations.delete"},
    "run": CREATE | {
        "pyrunc.execute.foreground", "pyrunc.operations.run", "pyrunc.operations.start", "pyrunc.operations.delete",
    },
}  # fmt: skip
"""What a command of a v1 host may import, its container made from the default configuration."""


SOMETIMES = {
    "pyrunc.host.mountinfo",  # a hierarchy is mounted at an unusual place, or nowhere
    "pyrunc.cgroup.processes",  # a process of the container was still there when its cgroup was to go
}


def call(tmp_path: Path, *arguments: str) -> set[str]:
    """Run one command as the launcher does; what it imported."""
    report = tmp_path / "imported"
    text = PROGRAM.format(checkout=str(ROOT), packages=sysconfig.get_paths()["purelib"])
    command = [SYSTEM_PYTHON, "-I", "-S", "-c", text, str(report), "--root", str(tmp_path / "root"), *arguments]
    with open(tmp_path / "output", "w+") as output:
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=True, timeout=60)
        output.seek(0)
        code, imported = eval(report.read_text())
        assert code == 0, output.read()
    return set(imported)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle of the default configuration around a static program that ends when told to."""
    root = tmp_path / "bundle" / "rootfs"
    root.mkdir(parents=True)
    source = "#include <unistd.h>\nint main(int c, char **v) { if (c > 1) pause(); return 0; }\n"
    subprocess.run(["gcc", "-static", "-x", "c", "-", "-o", str(root / "true")], input=source.encode(), check=True)
    call(tmp_path, "spec", "-b", str(root.parent))
    write_args(root.parent, "/true")
    return root.parent


def write_args(bundle: Path, *arguments: str) -> None:
    path = bundle / "config.json"
    config = json.loads(path.read_text())
    config["process"] |= {"args": list(arguments), "terminal": False}
    path.write_text(json.dumps(config))


def compare(command: str, imported: set[str]) -> None:
    allowed = ALLOWED[command]
    assert sorted(imported - allowed - SOMETIMES) == [], f"{command} imports more than it should"
    assert sorted(allowed - imported) == [], f"{command} no longer imports these: take them off the list"


@pytest.mark.root
@pytest.mark.needs("gcc", "native", "cgroup1")
def test_run(bundle: Path, tmp_path: Path) -> None:
    compare("run", call(tmp_path, "run", "-b", str(bundle), "imports-run"))


@pytest.mark.root
@pytest.mark.needs("gcc", "native", "cgroup1")
def test_the_commands_of_engines(bundle: Path, tmp_path: Path) -> None:
    write_args(bundle, "/true", "wait")
    name = "imports-engine"
    try:
        compare("create", call(tmp_path, "create", "-b", str(bundle), name))
        compare("start", call(tmp_path, "start", name))
        compare("state", call(tmp_path, "state", name))
        compare("kill", call(tmp_path, "kill", name, "KILL"))
    finally:
        call(tmp_path, "delete", "--force", name)


@pytest.mark.root
@pytest.mark.needs("gcc", "native", "cgroup1")
def test_delete(bundle: Path, tmp_path: Path) -> None:
    call(tmp_path, "run", "--keep", "-b", str(bundle), "imports-delete")
    compare("delete", call(tmp_path, "delete", "imports-delete"))


def test_usage_needs_click_only(tmp_path: Path) -> None:
    assert "click" in call(tmp_path, "delete", "--help")


def test_list(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    imported = call(tmp_path, "list")
    assert {name for name in imported if not name.startswith("pyrunc")} <= STANDARD
