"""Who is measured: pyrunc as `make install` puts it there, without and with the startup snapshot, and the peers.

Each has a directory of its own for its records.  All commands run in the same small
environment.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
INTERPRETER = Path("/usr/bin/python3").resolve()
TIMEOUT = 30
PLAIN, SNAPSHOT = "pyrunc", "snapshot"


class CannotRun(Exception):
    """A runtime could not do what a case asks for; the text is its own."""


class Runtime:
    """A runtime under measurement: `key` is unique, `title` is what tables say."""

    def __init__(
        self,
        key: str,
        title: str,
        program: Path,
        scratch: Path,
        caches: Sequence[str] = (),
        file_list: str = "",
    ) -> None:
        self.key = key
        self.title = title
        self.scratch = scratch
        self.root = scratch / "state" / key
        self.program = [str(program), "--root", str(self.root)]
        self.caches = list(caches) or [str(self.root / ".cache")]
        self.file_list = file_list
        self.ours = key in (PLAIN, SNAPSHOT)

    def identifier(self, number: int = 0) -> str:
        """The id of the container that is measured, or of one of many."""
        return f"bench-{self.key}-{os.getpid()}-{number}"

    def call(self, *arguments: str, timeout: float = TIMEOUT) -> str:
        """One command; its output.  Raises CannotRun with the last line that it said, or after `timeout` seconds."""
        return output([*self.program, *arguments], timeout)

    def clean(self) -> None:
        """Delete every container that is left."""
        for entry in self.root.iterdir() if self.root.exists() else ():
            if not entry.name.startswith("."):
                _try([*self.program, "delete", "--force", entry.name])


def output(command: Sequence[str | Path], timeout: float = TIMEOUT) -> str:
    """What one command prints, errors included.  Raises CannotRun when it fails or takes more than `timeout` s."""
    # a file, not a pipe: containers that are left running would keep a pipe open
    with open(os.memfd_create("output"), "w+") as file:
        try:
            done = subprocess.run(
                command,
                env=ENVIRONMENT,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                timeout=timeout,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise CannotRun(f"takes more than {timeout} s") from None
        file.seek(0)
        text = file.read()
    if done.returncode != 0:
        raise CannotRun((text.strip().splitlines() or [f"exit code {done.returncode}"])[-1])
    return text


def _try(command: Sequence[str | Path]) -> None:
    try:
        output(command)
    except CannotRun:
        pass


def _install(prefix: Path) -> Path:
    """A copy as `make install` makes it; the path of its program."""
    foreign = ("PYTHONHOME", "MAKEFLAGS", "MAKELEVEL")
    environment = {name: value for name, value in os.environ.items() if name not in foreign}
    command = ["make", "--silent", "install", f"PREFIX={prefix}"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=sys.stderr)
    return prefix / "bin/pyrunc"


@contextmanager
def installed(scratch: Path) -> Iterator[list[Runtime]]:
    """Both kinds of pyrunc; the image is made for the second copy alone, and removed afterwards."""
    caches = ["/run/pyrunc.cache"]
    plain, fast = (_install(scratch / name) for name in (PLAIN, SNAPSHOT))
    files = _list_files(scratch, PLAIN, plain)
    found = [Runtime(PLAIN, "pyrunc", plain, scratch, caches, files)]
    try:
        try:
            image = output([fast, "snapshot", "build"], timeout=300).split()[-1]
        except CannotRun as error:
            print(f"no startup snapshot: {error}", file=sys.stderr)
        else:
            files = _list_files(scratch, SNAPSHOT, fast, [Path(image)])
            found.append(Runtime(SNAPSHOT, "pyrunc, snapshot", fast, scratch, caches, files))
        yield found
    finally:
        _try([fast, "snapshot", "remove"])


def peers(scratch: Path) -> list[Runtime]:
    """runc and crun as the system has them, then those that the variables RUNC and CRUN name."""
    found: list[Runtime] = []
    for name in ("runc", "crun"):
        system = shutil.which(name, path=ENVIRONMENT["PATH"])
        for key, program in ((name, system), (f"{name}-given", os.environ.get(name.upper()))):
            path = Path(program or "").resolve()
            if program and path not in (Path(runtime.program[0]) for runtime in found):
                files = _list_files(scratch, key, path)
                found.append(Runtime(key, _title(name, path), path, scratch, file_list=files))
    return sorted(found, key=lambda runtime: runtime.key.endswith("-given"))


def missing_peers(found: Sequence[Runtime]) -> list[str]:
    """What this system lacks of the two."""
    keys = {runtime.key for runtime in found}
    return [name for name in ("runc", "crun") if name not in keys]


def _title(name: str, program: Path) -> str:
    """Name and version."""
    try:
        version = re.search(r"version (\S+)", output([program, "--version"]))
    except CannotRun:
        version = None
    return f"{name} {version[1].partition('+')[0]}" if version else name


def _list_files(scratch: Path, key: str, program: Path, more: Sequence[Path] = ()) -> str:
    """A file that lists what of the disk belongs to this runtime: program, libraries, interpreter, image."""
    files = {program, *more}
    library = program.parents[1] / "lib/pyrunc"
    if library.is_dir():
        files.update(path for path in library.rglob("*") if path.is_file())
        files.add(INTERPRETER)
    compiled = [path for path in files if path.suffix == ".so" or path in (program, INTERPRETER)]
    for path in compiled:
        files.update(_libraries(path))
    if library.is_dir():
        files.update(Path(f"/usr/lib/{INTERPRETER.name}/lib-dynload").glob("*.so"))
    target = scratch / f"files-{key}"
    target.write_text("".join(f"{path}\n" for path in sorted(files)))
    return str(target)


def _libraries(program: Path) -> list[Path]:
    """The shared libraries that the loader maps for it."""
    done = subprocess.run(["ldd", program], env=ENVIRONMENT, capture_output=True, text=True, check=False)
    return [Path(path).resolve() for path in re.findall(r"(/\S+) \(0x", done.stdout)]
