"""Runs in the interpreter that becomes the image: import, warm up, dump; then, in restored processes, go on.

The environment is empty, the directory is /, the streams are pipes.  What is
warmed up here may keep nothing of this process: no path, no id, no time.
"""

from __future__ import annotations

import gc
import os
import pkgutil
import sys
from importlib import import_module

import pyrunc
import pyrunc.snapshot
from pyrunc.cli import main as cli
from pyrunc.snapshot import _dump, fixup, keys, warm

FORBIDDEN = ("ssl", "_ssl", "hashlib", "_hashlib", "secrets", "multiprocessing", "socket", "asyncio")
# What no working command needs; jsonschema alone would bring ten libraries and the state of `random`.
LEFT_OUT = (
    "pyrunc.__main__", "pyrunc.install", "pyrunc.snapshot.build", "pyrunc.snapshot.selftest",
    "pyrunc.snapshot.status", "pyrunc.spec.explain", "pyrunc.spec.json_schema",
)  # fmt: skip
GARBAGE_THRESHOLD = 50_000  # no command makes that many objects; looking for cycles would copy pages
EXTERNAL = ("click", "click.shell_completion", "traceback", "json")


def start(script: str, image: str, scratch: str, started_ns: int) -> None:
    """Become the image of the pyrunc that `script` starts; plays in `scratch`.  Never returns."""
    try:
        _dump.on_own_stack(lambda: _make(script, image, scratch, started_ns))
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.stderr.flush()
    os._exit(1)


def _make(script: str, image: str, scratch: str, started_ns: int) -> None:
    _import_everything()
    _detach_archive()
    warm.warm_up(scratch)
    paths = keys.own_files(os.path.dirname(os.path.abspath(pyrunc.__file__)))
    paths += [script, sys.executable, *keys.imported_places(), *keys.mapped_files()]
    table, count = keys.file_keys(paths, started_ns)
    _check_state()
    fd = os.open(image, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    pyrunc.snapshot.RESTORED = True
    sys.dont_write_bytecode = False
    sys.path_importer_cache.clear()
    gc.collect()
    _check_descriptors(fd)
    gc.set_threshold(GARBAGE_THRESHOLD)
    gc.freeze()
    life = _dump.dump(fd, table, count)
    if life is None:
        os.fsync(fd)
        os._exit(0)
    _live(script, *life)


def _live(script: str, argv: list[bytes], environment: list[bytes], ignored: int, training: int) -> None:
    try:
        fixup.fix_up(script, argv, environment, ignored)
    except BaseException:  # nothing has been done yet: start normally
        os.execve(script, argv, dict(entry.split(b"=", 1) for entry in environment if b"=" in entry))
    if training:
        from pyrunc.snapshot import training as trained

        trained.report_at_exit()
    cli.entry()


def _import_everything() -> None:
    for name in EXTERNAL:
        import_module(name)
    for module in pkgutil.walk_packages(pyrunc.__path__, "pyrunc."):
        if module.name.startswith(LEFT_OUT):
            continue
        try:
            import_module(module.name)
        except ImportError:
            pass  # what normally needs it will say so


def _detach_archive() -> None:
    """No descriptor outlives the dump; the modules that are left out are loaded from memory if need be."""
    for finder in sys.meta_path:
        if hasattr(finder, "detach"):
            finder.detach()


def _check_state() -> None:
    """Refuse what must not be in an image: secrets, further threads.  Take entropy out of `random`."""
    found = [name for name in FORBIDDEN if name in sys.modules]
    if found:
        raise RuntimeError(f"modules that hold secrets or threads are loaded: {', '.join(found)}")
    if "random" in sys.modules:
        sys.modules["random"].seed(0)  # `fixup` gives every process a seed of its own
    if len(os.listdir("/proc/self/task")) != 1:
        raise RuntimeError("there is more than one thread")


def _check_descriptors(image: int) -> None:
    """Whoever closed a descriptor that only the image's process had would close another's."""
    kept = [
        fd for fd in os.listdir("/proc/self/fd")
        if int(fd) > 2 and int(fd) != image and os.path.exists(f"/proc/self/fd/{fd}")  # not the listing's own
    ]  # fmt: skip
    if kept:
        raise RuntimeError(f"descriptors are open that no restored process will have: {', '.join(kept)}")
