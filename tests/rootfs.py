"""The root file systems of the tests: built once, cached, copied cheaply.

Here: compiling the probe, the busybox root, the Debian root.  Running anything
in them is `harness`.  The cache is `$PYRUNC_TEST_CACHE`, by default
`$XDG_CACHE_HOME/pyrunc-tests` or `/var/tmp/pyrunc-tests-<uid>`; deleting it is
always safe.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROBE_SOURCE = Path(__file__).parent / "probe"
APPLETS = (
    "sh ash cat cp ls ln mkdir mknod mount mv umount rm rmdir sleep true false test [ echo printf id tty stty env pwd "
    "touch chmod chown head tail wc tr cut sort seq dd kill ps readlink stat sync uname hostname ip ping which xargs "
    "grep sed awk date df du find mkfifo nice nohup od ping su timeout usleep yes setsid basename dirname"
).split()


class Missing(Exception):
    """Something that the test machine lacks; the text says what."""


def cache_directory() -> Path:
    """The cache directory, made if needed."""
    default = os.environ.get("XDG_CACHE_HOME")
    base = Path(default) / "pyrunc-tests" if default else Path(f"/var/tmp/pyrunc-tests-{os.getuid()}")
    path = Path(os.environ.get("PYRUNC_TEST_CACHE", base))
    path.mkdir(mode=0o755, parents=True, exist_ok=True)
    if path.stat().st_uid != os.getuid():
        raise Missing(f"{path} belongs to another user")
    return path


@contextmanager
def _building(target: Path) -> Iterator[Path | None]:
    """A scratch path that becomes `target` at the end; None if it is there already."""
    lock = os.open(target.with_name(target.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():
            yield None
            return
        scratch = target.with_name(f"{target.name}.new")
        if scratch.is_dir():
            shutil.rmtree(scratch)
        yield scratch
        scratch.rename(target)
    finally:
        os.close(lock)


def probe_program() -> Path:
    """The statically linked probe; musl where there is one, else glibc."""
    compiler = shutil.which("musl-gcc") or shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise Missing("a C compiler (gcc or musl-gcc) to build the probe")
    text = b"".join(path.read_bytes() for path in sorted(PROBE_SOURCE.glob("*.[ch]")))
    digest = hashlib.sha256(text + compiler.encode()).hexdigest()[:16]
    target = cache_directory() / f"probe-{digest}"
    with _building(target) as scratch:
        if scratch is not None:
            command = [compiler, "-static", "-O2", "-std=gnu11", "-Wall", "-Wextra", "-o", str(scratch)]
            done = subprocess.run([*command, str(PROBE_SOURCE / "probe.c")], capture_output=True, text=True)
            if done.returncode:
                raise Missing(f"static linking with {compiler}: {done.stderr.strip()[-300:]}")
    return target


def _busybox() -> Path:
    for candidate in ("/usr/bin/busybox", "/bin/busybox"):
        if os.path.exists(candidate) and b"ld-linux" not in Path(candidate).read_bytes()[:8192]:
            return Path(candidate)
    raise Missing("a static busybox (package busybox-static)")


def busybox_root() -> Path:
    """A small root: busybox with its applets, the probe, /etc/passwd and group, empty mount points."""
    busybox, probe = _busybox(), probe_program()
    digest = hashlib.sha256(f"3 {busybox.stat().st_size} {probe.name} {APPLETS}".encode()).hexdigest()[:12]
    target = cache_directory() / f"root-{digest}"
    with _building(target) as scratch:
        if scratch is not None:
            for name in ("bin", "etc", "proc", "sys", "dev", "tmp", "root", "home/user", "var", "run"):
                (scratch / name).mkdir(parents=True)
            (scratch / "tmp").chmod(0o1777)
            (scratch / "home/user").chmod(0o755)
            os.chown(scratch / "home/user", 1000, 1000)
            shutil.copy(busybox, scratch / "bin/busybox")
            shutil.copy(probe, scratch / "bin/probe")
            for applet in dict.fromkeys(APPLETS):
                (scratch / "bin" / applet).symlink_to("busybox")
            (scratch / "etc/passwd").write_text(
                "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n"
            )
            (scratch / "etc/group").write_text("root:x:0:\ntty:x:5:\nuser:x:1000:\n")
    return target


def copy_root(source: Path, target: Path) -> None:
    """Copy a root; programs are hard-linked when the file system is the same, the rest is copied."""

    def copy(from_path: str, to_path: str) -> str:
        if "/bin/" in from_path:
            try:
                os.link(from_path, to_path)
            except OSError:
                shutil.copy2(from_path, to_path)
        else:
            shutil.copy2(from_path, to_path)
        return to_path

    shutil.copytree(source, target, symlinks=True, copy_function=copy)
    for name in ("home/user",):
        if (target / name).is_dir():
            os.chown(target / name, 1000, 1000)


def debian_root() -> Path:
    """A minimal Debian with python3, made once with mmdebstrap or debootstrap from the host's own sources."""
    target = cache_directory() / "debian-2"
    if target.exists():
        return target
    mm, deb = shutil.which("mmdebstrap"), shutil.which("debootstrap")
    if mm is None and deb is None:
        raise Missing("mmdebstrap or debootstrap")
    with _building(target) as scratch:
        if scratch is not None:
            command = (
                [
                    mm,
                    "--quiet",
                    "--variant=apt",
                    "--include=python3",
                    _suite(),
                    str(scratch),
                    *_sources(),
                ]
                if mm
                else [str(deb), "--variant=minbase", "--include=python3", _suite(), str(scratch)]
            )
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
            if done.returncode:
                shutil.rmtree(scratch, ignore_errors=True)
                raise Missing(f"a package mirror: {command[0]} failed: {done.stderr.strip()[-300:]}")
    return target


def _suite() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.partition("=")[2].strip('"')
    raise Missing("VERSION_CODENAME in /etc/os-release")


def _sources() -> list[str]:
    folder = Path("/etc/apt/sources.list.d")
    found = [*folder.glob("*.sources"), *folder.glob("*.list"), Path("/etc/apt/sources.list")]
    return [str(path) for path in found if path.exists() and _suite() in path.read_text()]
