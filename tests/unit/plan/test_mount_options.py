"""mount_options.py: the words of config.md#mounts, one by one."""

from __future__ import annotations

import pytest

from pyrunc import linux
from pyrunc.plan.mount_options import known_options, parse_mount_options

# The lists of the specification: must and should be supported.
MUST = (
    "async atime bind defaults dev diratime dirsync exec iversion lazytime loud noatime nodev nodiratime noexec "
    "noiversion nolazytime norelatime nostrictatime nosuid private ratime rbind rdev rdiratime relatime remount rexec "
    "rnoatime rnodiratime rnoexec rnorelatime rnostrictatime rnosuid rnodev ro rprivate rrelatime rro rrw rshared rslave "
    "rstrictatime rsuid runbindable rw shared silent slave strictatime suid sync unbindable"
).split()
SHOULD = ["idmap", "nosymfollow", "ridmap", "rnosymfollow", "rsymfollow", "symfollow", "mand", "nomand", "tmpcopyup"]


def test_every_word_of_the_specification_is_known() -> None:
    assert set(MUST + SHOULD) <= set(known_options())


@pytest.mark.parametrize("word", sorted(set(MUST + SHOULD)))
def test_known_words_are_never_for_the_file_system(word: str) -> None:
    assert parse_mount_options([word]).data == []


def test_unknown_words_keep_their_place() -> None:
    options = parse_mount_options(["ro", "size=1m", "mode=755"])
    assert options.data == [(1, "size=1m"), (2, "mode=755")]


@pytest.mark.parametrize(
    ("words", "set", "clear"),
    [
        (["ro"], linux.MOUNT_ATTR_RDONLY, 0),
        (["rw"], 0, linux.MOUNT_ATTR_RDONLY),
        (["ro", "rw"], 0, linux.MOUNT_ATTR_RDONLY),
        (["rw", "ro"], linux.MOUNT_ATTR_RDONLY, 0),
        (["nosuid", "nodev", "noexec"], 0xE, 0),
        (["suid", "dev", "exec", "symfollow"], 0, 0xE | linux.MOUNT_ATTR_NOSYMFOLLOW),
        (["noatime"], linux.MOUNT_ATTR_NOATIME, linux.MOUNT_ATTR__ATIME),
        (["noatime", "strictatime"], linux.MOUNT_ATTR_STRICTATIME, linux.MOUNT_ATTR__ATIME),
        (["strictatime", "relatime"], 0, linux.MOUNT_ATTR__ATIME),
        (["noatime", "atime"], 0, linux.MOUNT_ATTR__ATIME),
        (["noatime", "nodiratime", "ro"], 0x91, linux.MOUNT_ATTR__ATIME),
        (["nosymfollow"], linux.MOUNT_ATTR_NOSYMFOLLOW, 0),
        (["defaults", "silent", "iversion"], 0, 0),
    ],
)
def test_attributes(words: list[str], set: int, clear: int) -> None:
    options = parse_mount_options(words)
    assert (options.set, options.clear) == (set, clear)
    recursive = parse_mount_options(["r" + word for word in words if word not in ("defaults", "silent", "iversion")])
    assert (recursive.all_set, recursive.all_clear) == (set, clear)
    assert (recursive.set, recursive.clear) == (set, clear)


@pytest.mark.parametrize(
    ("words", "own", "below"),
    [
        (["rro", "rw"], (0, linux.MOUNT_ATTR_RDONLY), (linux.MOUNT_ATTR_RDONLY, 0)),
        (["rw", "rro"], (linux.MOUNT_ATTR_RDONLY, 0), (linux.MOUNT_ATTR_RDONLY, 0)),
        (
            ["rnoatime", "strictatime"],
            (linux.MOUNT_ATTR_STRICTATIME, linux.MOUNT_ATTR__ATIME),
            (linux.MOUNT_ATTR_NOATIME, linux.MOUNT_ATTR__ATIME),
        ),
    ],
)
def test_the_last_word_holds_for_the_mount_itself(
    words: list[str], own: tuple[int, int], below: tuple[int, int]
) -> None:
    options = parse_mount_options(words)
    assert (options.set, options.clear) == own
    assert (options.all_set, options.all_clear) == below


def test_the_kernel_takes_no_part_of_the_access_time() -> None:
    """mount_setattr(2): to set it, the whole field has to be cleared."""
    for word in known_options():
        options = parse_mount_options([word, "ro", "noexec"])
        assert options.clear & linux.MOUNT_ATTR__ATIME in (0, linux.MOUNT_ATTR__ATIME)
        if options.set & linux.MOUNT_ATTR__ATIME:
            assert options.clear & linux.MOUNT_ATTR__ATIME


def test_superblock() -> None:
    assert parse_mount_options(["sync", "dirsync", "lazytime", "mand"]).superblock == [
        "sync", "dirsync", "lazytime", "mand",
    ]  # fmt: skip
    assert parse_mount_options(["sync", "async"]).superblock == ["async"]
    assert parse_mount_options(["nolazytime", "lazytime"]).superblock == ["lazytime"]


def test_propagation_keeps_its_order() -> None:
    assert parse_mount_options(["slave", "rshared"]).propagation == [(linux.MS_SLAVE, 0), (linux.MS_SHARED, 1)]


def test_bind() -> None:
    assert parse_mount_options(["rbind"]).bind and parse_mount_options(["bind"]).bind
    assert not parse_mount_options(["ro"]).bind
