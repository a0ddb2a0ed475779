"""A private installation with a launcher and an image of its own, and ways to start it normally and restored."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

subprocess._USE_POSIX_SPAWN = False  # type: ignore[attr-defined]  # it takes no empty argv[0] and no nameless variable
REPOSITORY = Path(__file__).parents[2]
PACKAGES = (
    "click",
    "pyroute2",
    "jsonschema",
    "jsonschema_specifications",
    "attr",
    "attrs",
    "referencing",
    "rpds",
)
CLEAN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
IN_USE = "in use: yes"
NOT_IN_USE = "in use: no: "

Outcome = tuple[int, bytes, bytes]


def compile_parts() -> None:
    """Compile the parts in the checkout if they are not there yet."""
    subprocess.run(["make", "-s", "-C", str(REPOSITORY / "csrc/snapshot")], check=True)


class World:
    """One installation: `script` starts normally, `launcher` restores."""

    def __init__(self, top: Path) -> None:
        self.library = top / "lib"
        self.directory = top / "images"
        self.script = self.library / "pyrunc.script"
        self.launcher = top / "bin" / "pyrunc"
        self.tool = self.library / "pyrunc/snapshot/tool"
        self.library.mkdir(parents=True)
        self.launcher.parent.mkdir()
        self._install()
        from pyrunc.snapshot.place import image_path

        self.image = Path(image_path(str(self.script), str(self.directory)))
        self._write_launcher()
        self.bundle = top / "bundle"

    def _install(self) -> None:
        ignore = shutil.ignore_patterns("__pycache__", ".*")
        shutil.copytree(REPOSITORY / "pyrunc", self.library / "pyrunc", ignore=ignore)
        places = Path(sysconfig.get_paths()["purelib"])
        for name in PACKAGES:
            shutil.copytree(places / name, self.library / name, ignore=ignore)
        for name in ("typing_extensions", "_cffi_backend"):
            spec = importlib.util.find_spec(name)
            if spec is not None and spec.origin is not None:
                shutil.copy(spec.origin, self.library)
        self._python("compileall", "-q", str(self.library))
        self._python(
            "pyrunc.install.launcher", "library", str(self.script), str(self.library), str(self.library)
        )

    def _write_launcher(self) -> None:
        self._python("pyrunc.snapshot.launcher", str(self.launcher), str(self.script), str(self.image))

    def _python(self, module: str, *arguments: str) -> None:
        subprocess.run(
            [sys.executable, "-B", "-m", module, *arguments],
            cwd=self.library,
            check=True,
            env=os.environ | {"PYTHONPATH": ""},
        )

    def build(self) -> None:
        """Build the image, normally started."""
        status, out, err = self.normal("snapshot", "build", "--directory", str(self.directory))
        assert status == 0, (out, err)

    def normal(self, *words: str, **options: object) -> Outcome:
        return run([str(self.script), *words], **options)

    def restored(self, *words: str, **options: object) -> Outcome:
        return run([str(self.launcher), *words], **options)

    def status_line(self, *before: str, env: dict[str, str] | None = None, launcher: str = "") -> str:
        """Whether the image is in use, as a process that was started so says.  before: words of a wrapper."""
        program = launcher or str(self.launcher)
        command = [*before, program, "snapshot", "status", "--directory", str(self.directory)]
        status, out, err = run(command, env=env)
        assert status == 0, (out, err)
        return out.decode().splitlines()[1]


def run(
    command: list[str],
    env: dict[str, str] | None = None,
    stdin: object = subprocess.DEVNULL,
    **options: object,
) -> Outcome:
    result = subprocess.run(  # type: ignore[call-overload]
        command, env=CLEAN if env is None else env, stdin=stdin, capture_output=True, timeout=60, **options
    )
    return result.returncode, result.stdout, result.stderr


def assert_normal(
    world: World, reason: str, *before: str, env: dict[str, str] | None = None, launcher: str = ""
) -> None:
    """Not in use for that reason, and yet the same answer as ever."""
    line = world.status_line(*before, env=env, launcher=launcher)
    assert line.startswith(NOT_IN_USE), line
    assert reason in line
    outcome = run([*before, launcher or str(world.launcher), "--version"], env=env)
    assert outcome == world.normal("--version")


def compare(world: World, do: Callable[[str], object]) -> None:
    """`do` gets the program that starts normally, then the one that is restored; the same must come out."""
    normal = do(str(world.script))
    assert world.status_line().startswith(IN_USE)
    assert do(str(world.launcher)) == normal


def runs(program: str, top: Path, *before: str, **options: Any) -> Outcome:
    """A run of top/bundle, with the words of a wrapper before it."""
    command = [*before, program, "--root", str(top / "root"), "run", "-b", str(top / "bundle"), "c"]
    return timeless(run(command, **options))


TOOLS = 'for p in cat env ls grep sort cut wc id md5sum; do alias $p="busybox $p"; done\n'


def shell(bundle: Path, text: str, **process: object) -> Path:
    """A bundle whose program is this script."""
    return make_bundle(bundle, ["/bin/busybox", "sh", "-c", TOOLS + text], **process)


def make_bundle(bundle: Path, args: list[str], **process: object) -> Path:
    """A bundle with busybox for a root file system."""
    from pyrunc.spec.defaults import default_config

    busybox = shutil.which("busybox")
    assert busybox
    for name in ("bin", "dev", "proc", "sys", "tmp"):
        (bundle / "rootfs" / name).mkdir(parents=True, exist_ok=True)
    shutil.copy(busybox, bundle / "rootfs/bin/busybox")
    config = json.loads(json.dumps(default_config(False)))
    config["root"]["readonly"] = False
    config["process"].update(args=args, terminal=False, cwd="/", **process)
    (bundle / "config.json").write_text(json.dumps(config))
    return bundle


_MOMENTS = re.compile(rb"\d{4}-\d\d-\d\dT[0-9:.]+Z")
_PIDS = re.compile(rb'("pid": ?|\bpid[ =:]+)\d+')


def timeless(outcome: Outcome) -> Outcome:
    """Without moments and pids."""

    def plain(text: bytes) -> bytes:
        return _PIDS.sub(rb"\1N", _MOMENTS.sub(b"MOMENT", text))

    return outcome[0], plain(outcome[1]), plain(outcome[2])
