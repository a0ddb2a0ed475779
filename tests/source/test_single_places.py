"""One driver chooser, one status table, one path resolver, one reply function, one place that clones (rule 3)."""

from __future__ import annotations

import ast
import re

import pytest

from tests.source.tree import ROOT, imports_of, name_of, python_files, run_time_nodes, tree_of

C_TEXTS = {path.name: re.sub(r"/\*.*?\*/|//[^\n]*", "", path.read_text(), flags=re.S)
           for path in sorted((ROOT / "csrc").glob("*.[ch]"))}  # fmt: skip

C_HOMES = {
    r"\bSYS_RESOLVE_IN_ROOT\b|\bRESOLVE_IN_ROOT\b": {"path.c", "syscalls.h"},
    r"\bsys_openat2\s*\(": {"path.c", "syscalls.h"},
    r"\bSYS_openat2\b": {"syscalls.h", "native.c"},
    r"\bSYS_(sendmsg|sendto)\b|\bsendmsg\s*\(|\bsend\s*\(": {"reply.c"},
    r"\b(v?fork|system|popen|posix_spawnp?)\s*\(": set(),
    r"\bSYS_clone3\b|\bSYS_clone\b": {
        "native_spawn.c",  # the runtime starts pyrunc-init and hooks
        "native.c",  # the holder of a user namespace for id-mapped mounts
        "op_namespace.c",  # stage 1 makes stage 2
        "op_hook.c",  # a hook inside the container
        "syscalls.h",  # its number
    },
    r"\b(malloc|calloc|realloc|strdup|asprintf)\s*\(": {"native_spawn.c", "fuzz_plan.c"},  # neither is pyrunc-init
}


@pytest.mark.parametrize("pattern", C_HOMES)
def test_c(pattern: str) -> None:
    assert {name for name, text in C_TEXTS.items() if re.search(pattern, text)} <= C_HOMES[pattern]


DRIVERS = ("pyrunc.cgroup.cgroupfs", "pyrunc.cgroup.systemd")


def test_one_module_chooses_the_cgroup_driver() -> None:
    users = {
        name_of(path) for path in python_files() if any(name.startswith(DRIVERS) for name in imports_of(path))
    }
    assert {user for user in users if not user.startswith(DRIVERS)} <= {"pyrunc.cgroup.driver"}


TABLE = "pyrunc.state.lifecycle"
REFUSALS = {
    "cannot exec in a": {TABLE},
    "cannot start an already running container": {TABLE},
    "cannot start a container that has stopped": {TABLE},
    "container not running": {TABLE},
    "that is not stopped": {TABLE},
    "container not paused": {TABLE},
}


@pytest.mark.parametrize("text", REFUSALS)
def test_one_table_refuses_by_status(text: str) -> None:
    users = set()
    for path in python_files():
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(tree_of(path))
            if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef))
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                if text in node.value:
                    users.add(name_of(path))
    assert users <= REFUSALS[text]


BEYOND_NATIVE = {
    "pyrunc.execute.runtime_ops": {"posix_spawnp"},  # newuidmap(1): a set-user-id program from PATH
    "pyrunc.snapshot.booted": {"execve"},  # the process becomes the ordinary launcher
}

TO_READ = {
    "pyrunc.operations.ps": {"subprocess"},  # ps(1), whose output is read
    "pyrunc.snapshot.build": {"subprocess"},  # the interpreter that becomes the image
    "pyrunc.snapshot.selftest": {"subprocess"},  # a command run from the image
    "pyrunc.snapshot.status": {"subprocess"},  # the check that the launcher makes too
}

SLEEPS = {
    "pyrunc.cgroup.cgroupfs": "a v1 directory is freed a moment after its last process is listed no more",
    "pyrunc.cgroup.cgroupfs_v1": "the v1 freezer announces nothing",
    "pyrunc.snapshot.build": "files installed just before have to be older than the image's start",
}

STARTERS = {"fork", "forkpty", "system", "popen", "posix_spawn", "posix_spawnp", "execv", "execve", "spawnv"}


def test_python_starts_programs_through_native_only() -> None:
    for path in python_files():
        if name_of(path).startswith("pyrunc.install"):
            continue
        starting = imports_of(path) & {"subprocess", "multiprocessing", "pty"}
        assert starting <= TO_READ.get(name_of(path), set()), path
        for node in run_time_nodes(tree_of(path)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os":
                allowed = BEYOND_NATIVE.get(name_of(path), set())
                assert node.attr not in STARTERS - allowed, f"os.{node.attr} in {path}:{node.lineno}"


def test_nothing_sleeps() -> None:
    for path in python_files():
        for node in run_time_nodes(tree_of(path)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "time":
                assert node.attr != "sleep" or name_of(path) in SLEEPS, f"{path}:{node.lineno}"
