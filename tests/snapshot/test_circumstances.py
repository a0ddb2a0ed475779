"""Under whatever circumstances: a restored run does, and its program sees, what a normal one does and sees."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.snapshot.world import CLEAN, World, compare, run, runs, shell, timeless

OBSERVE = (
    "umask; pwd; id; env | sort; cat /proc/self/limits /proc/self/oom_score_adj; ls -l /proc/self/fd | wc -l; "
    "grep -e Sig -e Shd -e Cap -e NoNew -e Seccomp -e Cpus -e Groups /proc/self/status | grep -v SigQ; "
    "cut -d' ' -f18,19,40,41 /proc/self/stat; for fd in 0 1 2; do [ -t $fd ] && echo $fd is a terminal; done; cat"
)


# --- what is inherited --------------------------------------------------------------------


@pytest.mark.parametrize(
    "before",
    [
        ["sh", "-c", 'umask 0; exec "$@"', "-"], ["sh", "-c", 'umask 077; exec "$@"', "-"],
        ["prlimit", "--nofile=64:128", "--core=0", "--stack=1048576", "--cpu=100"], ["prlimit", "--stack=unlimited"],
        ["prlimit", "--fsize=1000000", "--memlock=65536", "--nproc=5000", "--msgqueue=1"], ["prlimit", "--as=2000000000"],
        ["taskset", "1"], ["nice", "-n", "7"], ["chrt", "--batch", "0"], ["choom", "-n", "321", "--"], ["setsid", "-w"],
        ["setpriv", "--no-new-privs"], ["setpriv", "--groups=5,6,7"], ["setpriv", "--pdeathsig=TERM"],
        ["setpriv", "--bounding-set=-sys_time", "--inh-caps=-all"],
        ["sh", "-c", 'exec 5</etc/passwd 9>/dev/null; exec "$@"', "-"], ["sh", "-c", 'trap "" INT TERM HUP PIPE; exec "$@"', "-"],
        ["env", "-i"], ["setarch", "-R"], ["unshare", "--mount", "--uts", "--ipc", "--net"], ["sh", "-c", 'sleep 0 & exec "$@"', "-"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_inherited(made: World, tmp_path: Path, before: list[str]) -> None:
    shell(tmp_path / "bundle", OBSERVE)
    compare(made, lambda program: runs(program, tmp_path, *before))


def test_umask_of_what_is_written(made: World, tmp_path: Path) -> None:
    """Records, the pid file, the log and a new config.json have the same modes."""
    bundle = shell(tmp_path / "bundle", "true")

    def modes(program: str) -> object:
        found = []
        for umask in (0, 0o77):
            place = tmp_path / f"made-{umask}"
            place.mkdir()
            flags = ["--root", str(place / "root"), "--log", str(place / "log"), "--debug"]
            options: Any = {"umask": umask, "env": CLEAN}
            create = [program, *flags, "create", "--pid-file", str(place / "pid"), "-b", str(bundle), "c"]
            # the program holds its streams until it is deleted
            subprocess.run(create, stdin=-3, stdout=-3, stderr=-3, check=True, timeout=60, **options)
            found += [
                (str(path.relative_to(place)), oct(path.lstat().st_mode)) for path in sorted(place.rglob("*"))
            ]
            run([program, *flags, "delete", "--force", "c"], **options)
            run([program, "spec", "-b", str(place)], **options)
            found.append(oct((place / "config.json").stat().st_mode))
            subprocess.run(["rm", "-r", str(place)], check=True)
        return found

    compare(made, modes)


# --- environment and directory ------------------------------------------------------------


@pytest.mark.parametrize(
    "variables",
    [
        {}, {"LANG": "C"}, {"LANG": "en_US.UTF-8"}, {"LC_ALL": "POSIX"}, {"LC_CTYPE": "C"}, {"LANGUAGE": "de"}, {"HOME": "/nowhere"}, {"TZ": "Asia/Tokyo"},
        {"TZ": ":/no/such"}, {"XDG_RUNTIME_DIR": "/tmp"}, {"NOTIFY_SOCKET": "/no/such"}, {"LISTEN_FDS": "2"}, {"COLUMNS": "40"},
        {"TERM": "dumb", "NO_COLOR": "1"}, {"USER": "root"}, {"TMPDIR": "/no/such"}, {"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/no"},
        {"PATH": ""}, {"PATH": "/no/such"}, {"A": "\udcff", "B": "é"}, {"": "no name"}, {f"V{n}": "v" * 50 for n in range(2000)},
    ],
    ids=lambda variables: " ".join(list(variables)[:2]) or "none",
)  # fmt: skip
def test_environment(made: World, tmp_path: Path, variables: dict[str, str]) -> None:
    """Of the program, of a hook without one of its own, of ps(1), and in messages and help."""
    bundle = shell(tmp_path / "bundle", OBSERVE)
    config = json.loads((bundle / "config.json").read_text())
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/busybox sh\nbusybox env | busybox sort >{tmp_path}/seen\n")
    hook.chmod(0o755)
    config["hooks"] = {"createRuntime": [{"path": str(hook)}]}
    del config["process"]["env"]
    (bundle / "config.json").write_text(json.dumps(config))
    env = {"PATH": CLEAN["PATH"]} | variables

    def all_of_them(program: str) -> object:
        found = [runs(program, tmp_path, env=env), (tmp_path / "seen").read_bytes()]
        for words in (
            ["--help"],
            ["exec", "--help"],
            ["state", "\udcff-é"],
            ["validate", "-b", "/no/é"],
            ["plan", "-b", str(bundle)],
        ):
            found.append(timeless(run([program, "--root", str(tmp_path / "root"), *words], env=env)))
        return found

    compare(made, all_of_them)


def test_ps_of_a_foreign_name(made: World, tmp_path: Path) -> None:
    """ps(1) prints by the locale that it inherits."""
    bundle = shell(tmp_path / "bundle", "sleep 100; : größer")
    root = ["--root", str(tmp_path / "root")]
    streams: Any = {"stdin": -3, "stdout": -3, "stderr": -3, "check": True, "timeout": 60}
    subprocess.run([str(made.script), *root, "run", "-d", "-b", str(bundle), "c"], env=CLEAN, **streams)
    try:
        for variables in ({}, {"LC_ALL": "C"}, {"LANG": "C.UTF-8"}, {"TZ": "Asia/Tokyo"}):
            env = {"PATH": CLEAN["PATH"]} | variables
            compare(
                made,
                lambda program, env=env: run([program, *root, "ps", "c", "-o", "pid,lstart,args"], env=env),
            )
    finally:
        made.normal(*root, "delete", "--force", "c")


def test_directory(made: World, tmp_path: Path) -> None:
    """Relative paths; a directory that is gone; one that may not be entered."""
    bundle = shell(tmp_path / "bundle", "pwd")
    gone = 'cd $0 && mkdir gone && cd gone && rmdir ../gone && exec "$@"'
    compare(made, lambda program: run([program, "--root", "root", "run", "c"], cwd=bundle))
    compare(
        made, lambda program: run([program, "--root", "../root", "run", "-b", "bundle", "c"], cwd=tmp_path)
    )
    for words in (["run", "c"], ["state", "c"], ["run", "-b", str(bundle), "c"], ["spec"]):
        words = ["--root", str(tmp_path / "root"), *words]
        compare(
            made,
            lambda program, words=words: timeless(run(["sh", "-c", gone, str(tmp_path), program, *words])),
        )
