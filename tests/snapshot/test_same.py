"""Whatever command: restored it does what it does normally started."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.processes import wait_until
from tests.snapshot.world import CLEAN, Outcome, World, make_bundle, run, timeless

Start = Callable[..., Outcome]
SHELL = ["/bin/busybox", "sh", "-c"]


def both(world: World, do: Callable[[Start], object]) -> None:
    """Do it normally, then restored; the same must come out."""
    assert world.status_line().startswith("in use: yes")
    normal = do(world.normal)
    restored = do(world.restored)
    assert restored == normal


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return tmp_path


@pytest.mark.parametrize(
    "line",
    [
        "", "--version", "-v", "--help", "run --help", "exec -h", "snapshot --help", "nonsense", "--nonsense", "state",
        "state a b", "kill", "run", "create x -b /nowhere", "--log-format json state nobody", "--root / list",
        "--log-format yaml list", "--debug state nobody", "--root=ROOT list -f json", "--root ROOT list", "features",
        "--root ROOT state nobody", "--root ROOT start nobody", "--root ROOT kill nobody KILL", "--root ROOT delete nobody",
        "--root ROOT delete --force nobody", "--root ROOT exec nobody true", "--root ROOT pause nobody",
        "--root ROOT resume nobody", "--root ROOT ps nobody", "--root ROOT events --stats nobody",
        "--root ROOT update --memory 5m nobody", "--root ROOT run -b BUNDLE ../x", "--root ROOT state ../../etc",
        "plan -b BUNDLE x", "plan -b BUNDLE --format json", "validate -b BUNDLE", "validate -b BAD", "validate -b WORSE",
        "plan -b BAD", "--root ROOT run -b BAD x", "--log-format json --root ROOT create -b BAD x",
    ],
)  # fmt: skip
def test_command_line(made: World, top: Path, line: str) -> None:
    bundle = make_bundle(top / "bundle", ["/bin/busybox", "true"])
    config = json.loads((bundle / "config.json").read_text())
    for name, change in (("bad", {"mounts": [{"destination": 3}], "process": {"cwd": 5}}), ("worse", {})):
        (top / name).mkdir()
        (top / name / "config.json").write_text(json.dumps(config | change) + ("" if name == "bad" else "}"))
    (top / "root").mkdir()
    places = {"ROOT": top / "root", "BUNDLE": bundle, "BAD": top / "bad", "WORSE": top / "worse"}
    for name, place in places.items():
        line = line.replace(name, str(place)) if name == "ROOT" else line.replace(f" {name}", f" {place}")
    both(made, lambda start: timeless(start(*line.split())))


def test_life_of_a_container(made: World, top: Path) -> None:
    bundle = make_bundle(top / "bundle", [*SHELL, "echo begun; exec sleep 100"])
    shutil.copy(bundle / "rootfs/bin/busybox", bundle / "rootfs/bin/sleep")
    (bundle / "rootfs/bin/ps").symlink_to("busybox")

    def live(start: Start) -> object:
        root = ["--root", str(top / "root")]
        seen: list[object] = []

        def do(*words: str) -> None:
            seen.append((words, timeless(start(*root, *words))))

        # the program's output would keep a pipe open: `create` gets files
        with open(top / "out", "wb") as out:
            command = [
                str(made.script if start == made.normal else made.launcher),
                *root,
                "create",
                "-b",
                str(bundle),
                "c",
            ]
            seen.append(
                subprocess.run(
                    command, env=CLEAN, stdin=subprocess.DEVNULL, stdout=out, stderr=out
                ).returncode
            )
        do("state", "c")
        do("create", "-b", str(bundle), "c")
        do("delete", "c")
        do("exec", "c", "/bin/busybox", "id")
        do("start", "c")
        do("start", "c")
        do("list", "--format", "json")
        do("list", "-q")
        do("exec", "c", "/bin/busybox", "id")
        do("exec", "c", *SHELL, "exit 7")
        do("exec", "c", "/no/such/program")
        do(
            "exec",
            "--env",
            "A=B",
            "--cwd",
            "/tmp",
            "c",
            *SHELL,
            "pwd; echo $A; ls -l /proc/self/fd | wc -l; cat /proc/1/comm",
        )
        seen.append(start(*root, "ps", "c")[0])
        seen.append(start(*root, "ps", "--format", "json", "c")[0])
        do("pause", "c")
        do("state", "c")
        do("resume", "c")
        do("kill", "c", "KILL")
        wait_until(lambda: b'"stopped"' in start(*root, "state", "c")[1], what="its end")
        do("state", "c")
        do("kill", "c", "KILL")
        do("delete", "c")
        do("state", "c")
        do("list")
        seen.append(sorted(path.name for path in (top / "root").iterdir()))
        seen.append((top / "out").read_bytes())
        return seen

    both(made, live)


@pytest.mark.parametrize(
    "script",
    [
        "exit 0", "exit 3", "kill -TERM $$", "echo out; echo err >&2", "cat", "env | sort", "cat /proc/self/status | grep -v "
        "-e Pid -e SigQ -e ctxt -e PPid -e Vm -e Rss -e Tgid -e NS -e Speculation", "ls -l /proc/self/fd | sed 's/.*[0-9] //;s/\\[.*//'",
        "cat /proc/self/limits", "umask; pwd; id", "cat /proc/self/mountinfo | cut -d' ' -f4-9 | sort", "cat /proc/self/maps /proc/1/maps | "
        "grep -c -e snapshot -e image; cat /proc/1/cmdline | tr '\\0' ' '", "trap", "cat /proc/self/oom_score_adj",
        "sed s/-.*// /proc/self/cgroup | cut -d: -f1,2", "readlink /proc/1/exe; cd /proc/1/fd; echo *",
    ],
)  # fmt: skip
def test_what_a_program_sees(made: World, top: Path, script: str) -> None:
    bundle = make_bundle(top / "bundle", [*SHELL, f"PATH=/bin; for p in cat env ls grep sed sort cut wc tr id readlink; do "
                                                  f"alias $p=\"busybox $p\"; done\n{script}"])  # fmt: skip
    both(made, lambda start: timeless(start("--root", str(top / "root"), "run", "-b", str(bundle), "c")))


def test_what_hooks_see(made: World, top: Path) -> None:
    bundle = make_bundle(top / "bundle", ["/bin/busybox", "true"])
    hook = top / "hook"
    hook.write_text("#!/bin/sh\nexec >>@/seen\necho hook; env | sort; ls -l /proc/self/fd | sed 's/.*[0-9] //;s/:.*//;s/[0-9].*//'; umask; "
                    "grep -e SigIgn -e SigBlk /proc/self/status; sed 's/\"pid\":[0-9]*//' | tr , '\\n'\n".replace("@", str(top)))  # fmt: skip
    hook.chmod(0o755)
    config = json.loads((bundle / "config.json").read_text())
    kinds = ("prestart", "createRuntime", "poststart", "poststop")
    config["hooks"] = {
        kind: [{"path": str(hook), "args": ["hook"], "env": ["A=B"]}, {"path": str(hook)}] for kind in kinds
    }
    (bundle / "config.json").write_text(json.dumps(config))

    def seen(start: Start) -> object:
        outcome = timeless(start("--root", str(top / "root"), "run", "-b", str(bundle), "c"))
        assert (top / "seen").exists(), outcome
        text = (top / "seen").read_bytes()
        (top / "seen").unlink()
        assert text.count(b"hook\n") == 8, (outcome, text)
        return outcome, text

    both(made, seen)


def test_spec_is_the_same(made: World, top: Path) -> None:
    def written(start: Start) -> object:
        outcome = start("spec", cwd=top)
        text = (top / "config.json").read_bytes()
        (top / "config.json").unlink()
        return outcome, text

    both(made, written)


def test_not_what_the_image_was_made_with(made: World, top: Path) -> None:
    """Directory, umask, environment and ids are those of the process, not of the image's."""
    (top / "deep").mkdir()

    def seen(start: Start) -> object:
        bundle = make_bundle(top / "deep", ["/bin/busybox", "true"])
        return start("plan", cwd=bundle, env=CLEAN | {"XDG_RUNTIME_DIR": str(top)}, umask=0o077)

    both(made, seen)
    assert run(["true"])[0] == 0
