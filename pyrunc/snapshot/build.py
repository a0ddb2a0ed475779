"""Makes an image: boot an interpreter, dump it, train it, test it, install it.

The interpreter is started by the same script as any pyrunc, up to its last
lines, in an empty environment.  Nothing is replaced before the new image has
passed its tests.  All that a build makes lies beside the image, under names of
its own, so that the next one finds what a killed one has left.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pyrunc.errors import HostError, OperationError, StateError
from pyrunc.snapshot import keys, place, selftest

_ENTRY = "from pyrunc.cli.main import entry"
_ENVIRONMENT = {"GLIBC_TUNABLES": "glibc.pthread.rseq=0"}
_NEW, _SCRATCH, _CRASHED = ".new", ".scratch", ".crashed"  # beside the image; `make uninstall` knows them
_TIMEOUT = 60.0
_CLOCK_TICK = 10_000_000  # ns; the times of files come from a clock that is late by up to a tick
_BOOT = """\
import os  # the whole of it, before a launcher can choose less
import sys
script, image, scratch, started = sys.argv[1:]
sys.dont_write_bytecode = True  # so that no directory changes while its state is noted
with open(script) as file:
    head, entry, _ = file.read().rpartition({entry!r})
if not entry:
    sys.exit("the script does not start pyrunc as expected: " + script)
exec(compile(head, script, "exec"), {{"__name__": "pyrunc_script", "__file__": script}})
from pyrunc.snapshot.booted import start
start(script, image, scratch, int(started))
"""


def build(directory: str) -> str:
    """Make and install the image of this pyrunc; returns its path.  On a PyruncError nothing has changed."""
    script = _check()
    make_directory(directory)
    if reason := place.forbids_execution(directory):
        raise HostError(reason, path=directory)
    image = place.image_path(script, directory)
    new, scratch = image + _NEW, image + _SCRATCH
    with _alone(directory):
        _sweep(script, image)
        os.mkdir(scratch, 0o700)
        try:
            selftest.make_bundles(scratch)
            _dump(script, new, scratch)
            keys.set_prefaults(new, selftest.train(new, scratch))
            selftest.compare(script, new, scratch)
            os.replace(new, image)
            _unlink(image + _CRASHED)
        finally:
            _sweep(script, image)
    return image


def remove(directory: str) -> None:
    """Remove the image of this pyrunc and what belongs to it; no image is no error."""
    if os.geteuid() != 0:
        raise HostError("snapshot needs root")
    script = _script()
    if not os.path.isdir(directory):
        return
    image = place.image_path(script, directory)
    with _alone(directory):
        _sweep(script, image)
        _unlink(image)
        _unlink(image + _CRASHED)


@contextmanager
def _alone(directory: str) -> Iterator[None]:
    """Wait until nobody else builds there, and keep others waiting."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _sweep(script: str, image: str) -> None:
    """Remove what a build makes besides the image: containers, bundles, an image that is not finished."""
    selftest.clean(script, image + _SCRATCH)
    shutil.rmtree(image + _SCRATCH, ignore_errors=True)
    _unlink(image + _NEW)
    _unlink(image + _NEW + _CRASHED)


def make_directory(path: str) -> None:
    """A directory that is root's alone, where nobody else can put another; what is not so is refused."""
    above = os.path.realpath(os.path.dirname(os.path.abspath(path)))
    os.makedirs(above, 0o755, exist_ok=True)
    while above != "/":
        status = os.stat(above)
        shared = status.st_mode & 0o022 and not status.st_mode & 0o1000  # sticky as /tmp, it is not
        if status.st_uid != 0 or shared:
            raise HostError(f"{path} can be replaced by others, who may change {above}", path=above)
        above = os.path.dirname(above)
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    status = os.lstat(path)
    if status.st_uid != 0 or status.st_gid != 0 or status.st_mode != 0o040700:
        raise HostError(f"{path} is not a directory of root's alone (0700)", path=path)


def _check() -> str:
    if os.geteuid() != 0:
        raise HostError("snapshot needs root")
    reason = place.unsupported()
    if reason:
        raise HostError(reason)
    return _script()


def _script() -> str:
    script = place.script()
    if not script:
        raise StateError("this pyrunc was not started by its script, so it cannot be told what to start")
    return script


def _interpreter(script: str) -> list[str]:
    """The interpreter and its flags, from the script's first line."""
    with open(script, "rb") as file:
        first = file.readline().decode()
    words = first[2:].split() if first.startswith("#!") else []
    if not words or "python" not in os.path.basename(words[0]):
        raise OperationError(f"{script} names no Python in its first line", path=script)
    return words


def _dump(script: str, image: str, scratch: str) -> None:
    command = [place.TOOL, "boot", *_interpreter(script), "-c", _BOOT.format(entry=_ENTRY)]
    command += [script, image, scratch, str(time.time_ns() - _CLOCK_TICK)]
    try:
        result = subprocess.run(
            command, env=_ENVIRONMENT, cwd="/", stdin=subprocess.PIPE, capture_output=True,
            timeout=_TIMEOUT, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise OperationError("the interpreter did not become an image in time") from error
    if result.returncode != 0:
        said = (result.stderr + result.stdout).decode(errors="replace").strip()
        said = said or f"status {result.returncode}"
        raise OperationError(f"the interpreter did not become an image: {said.splitlines()[-1]}")


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
