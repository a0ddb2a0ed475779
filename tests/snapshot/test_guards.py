"""Each guard, tripped: the process starts normally, does its work, and `status` names the reason."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.snapshot import header
from tests.snapshot.header import files, patch
from tests.snapshot.world import CLEAN, IN_USE, World, assert_normal, run


@pytest.mark.parametrize(
    "variable",
    [
        "PYTHONPATH=/x",
        "PYTHONHASHSEED=1",
        "LD_PRELOAD=",
        "LD_LIBRARY_PATH=/x",
        "GLIBC_TUNABLES=",
        "MALLOC_ARENA_MAX=1",
    ],
)
def test_variables_for_a_start(world: World, variable: str) -> None:
    name, _, value = variable.partition("=")
    assert_normal(world, variable, env=CLEAN | {name: value})


@pytest.mark.parametrize("name", ["LC_ALL", "LC_CTYPE", "LANG"])
def test_another_locale(world: World, name: str) -> None:
    assert_normal(world, f"{name}=de_DE.ISO-8859-1", env={"PATH": CLEAN["PATH"], name: "de_DE.ISO-8859-1"})


@pytest.mark.parametrize("locale", ["", "C", "POSIX", "C.UTF-8", "en_US.UTF-8", "de_DE.utf8"])
def test_locales_that_do_no_harm(world: World, locale: str) -> None:
    assert world.status_line(env={"PATH": CLEAN["PATH"], "LANG": locale}).startswith(IN_USE)


def test_no_image(world: World) -> None:
    world.image.unlink()
    assert_normal(world, "there is no image")


def test_a_link_to_an_image(world: World) -> None:
    elsewhere = world.image.with_name("elsewhere")
    world.image.rename(elsewhere)
    world.image.symlink_to(elsewhere)
    try:
        assert_normal(world, "cannot be opened")
    finally:
        elsewhere.unlink()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o700, 0o4600])
def test_mode_of_the_image(world: World, mode: int) -> None:
    world.image.chmod(mode)
    assert_normal(world, "the image is not root's alone")


@pytest.mark.parametrize("owner", [(1, 0), (0, 1)])
def test_owner_of_the_image(world: World, owner: tuple[int, int]) -> None:
    os.chown(world.image, *owner)
    assert_normal(world, "the image is not root's alone")


def test_second_name_of_the_image(world: World) -> None:
    second = world.image.with_name("second")
    os.link(world.image, second)
    try:
        assert_normal(world, "one name")
    finally:
        second.unlink()


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_mode_of_the_directory(world: World, mode: int) -> None:
    world.directory.chmod(mode)
    try:
        assert_normal(world, "the image's directory is not root's alone")
    finally:
        world.directory.chmod(0o700)


def test_owner_of_the_directory(world: World) -> None:
    os.chown(world.directory, 1, 0)
    try:
        assert_normal(world, "the image's directory is not root's alone")
    finally:
        os.chown(world.directory, 0, 0)


@pytest.mark.parametrize("size", [0, 1, 100, 519, 520, 4096, -4096, -1])
def test_image_that_is_cut_off(world: World, size: int) -> None:
    os.truncate(world.image, size if size >= 0 else world.image.stat().st_size + size)
    assert_normal(world, "the image")


def test_image_that_has_grown(world: World) -> None:
    os.truncate(world.image, world.image.stat().st_size + 4096)
    assert_normal(world, "does not have its size")


@pytest.mark.parametrize("offset", [0, 8, 40, 100, 300, 480, 519, 1000, 4000])
def test_damaged_header(world: World, offset: int) -> None:
    patch(world.image, offset, lambda old: bytes([old[0] ^ 1]), 1, rehash=False)
    assert_normal(world, "the image")


def test_header_of_zeros(world: World) -> None:
    patch(world.image, 0, lambda old: bytes(len(old)), 65536, rehash=False)
    assert_normal(world, "of another version")


@pytest.mark.parametrize(
    ("offset", "reason"),
    [
        (header.RELEASE, "the kernel's release"), (header.VERSION + 3, "the kernel's version"), (header.VDSO_HASH, "vdso"),
        (header.HWCAP, "hwcap"), (header.HWCAP2, "hwcap"), (header.XCR0, "xcr0"), (header.CPUID, "cpuid"), (header.CPUID + 28, "cpuid"),
    ],
)  # fmt: skip
def test_another_machine(world: World, offset: int, reason: str) -> None:
    patch(world.image, offset, lambda old: bytes([old[0] ^ 1]), 1)
    assert_normal(world, reason)


def test_every_file_it_depends_on(world: World) -> None:
    """The interpreter, the libraries, pyrunc's own files: with another time recorded each is noticed."""
    kept = world.image.read_bytes()
    entries = list(files(kept))
    names = [name for name, _ in entries]
    assert any("python3" in name for name in names)
    assert {"libc.so.6", "_native.abi3.so", "pyrunc.modules", "pyrunc.script"} <= {
        Path(name).name for name in names
    }
    for name, offset in entries:
        for field in (8, 24):  # seconds, inode
            world.image.write_bytes(kept)
            patch(world.image, offset + field, lambda old: bytes([old[0] ^ 1]), 1)
            status, out, _ = run([str(world.tool), "check", str(world.image)])
            assert (status, out.decode()) == (1, f"a file has changed: {name}\n")


@pytest.mark.parametrize(
    "name", ["pyrunc.modules", "pyrunc.script", "pyrunc/_native.abi3.so", "pyrunc/cli/app.py"]
)
def test_touched_file(world: World, name: str) -> None:
    file = world.library / name
    before = file.stat()
    os.utime(file)
    try:
        assert_normal(world, f"a file has changed: {file}")
    finally:
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert world.status_line().startswith(IN_USE)


def test_file_of_another_size(world: World) -> None:
    file = world.library / "pyrunc/cli/app.py"
    before = file.stat()
    text = file.read_text()
    file.write_text(text + "\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    try:
        assert_normal(world, f"a file has changed: {file}")
    finally:
        file.write_text(text)
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_marker(world: World) -> None:
    Path(str(world.image) + ".crashed").touch()
    assert_normal(world, "crashed")


def test_crash(world: World) -> None:
    """An image that kills its process does so once."""
    patch(
        world.image,
        1 << 20,
        lambda old: bytes(len(old)),
        world.image.stat().st_size - (1 << 20),
        rehash=False,
    )
    status, _, _ = world.restored("--version")
    assert status < 0
    marker = Path(str(world.image) + ".crashed")
    assert int(marker.read_text()) == -status
    assert_normal(world, "crashed")


def test_signals_from_others_are_no_crash(world: World) -> None:
    process = subprocess.Popen(
        [str(world.launcher), "--log", "/dev/stderr", "update", "--resources", "-", "nobody"],
        stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, env=CLEAN,
    )  # fmt: skip
    process.send_signal(11)
    process.communicate()
    assert not Path(str(world.image) + ".crashed").exists()


def test_ordinary_user(world: World) -> None:
    wrapper = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    assert_normal(world, "only root uses it", *wrapper)


def test_root_of_a_user_namespace(world: World) -> None:
    """The image's owner is nobody there, or its directory is out of reach."""
    wrapper = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "unshare",
        "--user",
        "--map-root-user",
    ]
    if run([*wrapper, "true"])[0] != 0:
        pytest.skip("no user namespaces for ordinary users")
    assert_normal(world, "image", *wrapper)


def test_group_of_another(world: World) -> None:
    launcher = world.launcher.with_name("setgid")
    launcher.write_bytes(world.launcher.read_bytes())
    os.chown(launcher, 0, 1)
    launcher.chmod(0o2755)
    try:
        assert_normal(world, "only root uses it", launcher=str(launcher))
    finally:
        launcher.unlink()


@pytest.mark.parametrize("limit", ["as=20000000", "as=60000000", "data=5000000", "data=20000000"])
def test_no_room_for_the_image(world: World, limit: str) -> None:
    """Where not even Python has room both fail, else both work; nothing crashes."""
    wrapper = ["prlimit", f"--{limit}"]
    normal = run([*wrapper, str(world.script), "--version"])
    restored = run([*wrapper, str(world.launcher), "--version"])
    assert normal[0] == restored[0]
    assert not Path(str(world.image) + ".crashed").exists()
