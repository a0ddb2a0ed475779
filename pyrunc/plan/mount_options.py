"""Mount options: what each word of `mounts[].options` means to the kernel.

Pure.  Spec: config.md#mounts, "Linux mount options".  Words that are not in the
table belong to the file system (`size=…`).
"""

from __future__ import annotations

from pyrunc.linux import (
    MOUNT_ATTR__ATIME,
    MOUNT_ATTR_NOATIME,
    MOUNT_ATTR_NODEV,
    MOUNT_ATTR_NODIRATIME,
    MOUNT_ATTR_NOEXEC,
    MOUNT_ATTR_NOSUID,
    MOUNT_ATTR_NOSYMFOLLOW,
    MOUNT_ATTR_RDONLY,
    MOUNT_ATTR_RELATIME,
    MOUNT_ATTR_STRICTATIME,
    MS_PRIVATE,
    MS_SHARED,
    MS_SLAVE,
    MS_UNBINDABLE,
)

# Attributes of the mount: bits to set, bits to clear.  The access time is one
# field, which is cleared as a whole; without it the kernel means relatime.
ATTRIBUTES = {
    "ro": (MOUNT_ATTR_RDONLY, 0),
    "rw": (0, MOUNT_ATTR_RDONLY),
    "nosuid": (MOUNT_ATTR_NOSUID, 0),
    "suid": (0, MOUNT_ATTR_NOSUID),
    "nodev": (MOUNT_ATTR_NODEV, 0),
    "dev": (0, MOUNT_ATTR_NODEV),
    "noexec": (MOUNT_ATTR_NOEXEC, 0),
    "exec": (0, MOUNT_ATTR_NOEXEC),
    "nodiratime": (MOUNT_ATTR_NODIRATIME, 0),
    "diratime": (0, MOUNT_ATTR_NODIRATIME),
    "nosymfollow": (MOUNT_ATTR_NOSYMFOLLOW, 0),
    "symfollow": (0, MOUNT_ATTR_NOSYMFOLLOW),
    "relatime": (MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME),
    "norelatime": (0, MOUNT_ATTR__ATIME),
    "noatime": (MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME),
    "atime": (0, MOUNT_ATTR__ATIME),
    "strictatime": (MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME),
    "nostrictatime": (0, MOUNT_ATTR__ATIME),
}
# Flags of the file system itself: its fsconfig(2) key, and the key of the opposite.
SUPERBLOCK = {
    "sync": ("sync", "async"),
    "async": ("async", "sync"),
    "dirsync": ("dirsync", ""),
    "lazytime": ("lazytime", "nolazytime"),
    "nolazytime": ("nolazytime", "lazytime"),
    "mand": ("mand", "nomand"),
    "nomand": ("nomand", "mand"),
}
CLEARING = ("async", "nolazytime", "nomand")  # what a new file system is anyway
PROPAGATION = {
    "shared": MS_SHARED,
    "slave": MS_SLAVE,
    "private": MS_PRIVATE,
    "unbindable": MS_UNBINDABLE,
}
# Nothing to do: the defaults, the loudness of a kernel log that no one reads, and
# i_version, which file systems decide for themselves (the flag has no fsconfig key).
NOTHING = ("defaults", "silent", "loud", "iversion", "noiversion")
SWITCHES = ("bind", "rbind", "remount", "tmpcopyup", "idmap", "ridmap")


class MountOptions:
    """The options of one mount, sorted by what they act on.

    set, clear: MOUNT_ATTR_* of the mount itself; all_set, all_clear: what the
    recursive words give to those below; propagation: (MS_*, recursive) in order; superblock: flags
    of the file system as fsconfig keys; data: (index, word) for the file system;
    switches: words of SWITCHES.
    """

    __slots__ = ("all_clear", "all_set", "clear", "data", "propagation", "set", "superblock", "switches")

    def __init__(self) -> None:
        self.set = 0
        self.clear = 0
        self.all_set = 0
        self.all_clear = 0
        self.propagation: list[tuple[int, int]] = []
        self.superblock: list[str] = []
        self.data: list[tuple[int, str]] = []
        self.switches: set[str] = set()

    @property
    def bind(self) -> bool:
        """Whether the mount shows what is at the source, not a new file system."""
        return "bind" in self.switches or "rbind" in self.switches


def parse_mount_options(words: list[str] | tuple[str, ...]) -> MountOptions:
    """Sort the words of one mount; of contradicting words the last holds."""
    result = MountOptions()
    for index, word in enumerate(words):
        if word in ATTRIBUTES:
            result.set, result.clear = _apply(word, result.set, result.clear)
        elif word in SWITCHES:
            result.switches.add(word)
        elif word in PROPAGATION:
            result.propagation.append((PROPAGATION[word], 0))
        elif word in NOTHING:
            pass
        elif word[:1] == "r" and word[1:] in PROPAGATION:
            result.propagation.append((PROPAGATION[word[1:]], 1))
        elif word[:1] == "r" and word[1:] in ATTRIBUTES:
            result.set, result.clear = _apply(word[1:], result.set, result.clear)
            result.all_set, result.all_clear = _apply(word[1:], result.all_set, result.all_clear)
        elif word in SUPERBLOCK:
            key, opposite = SUPERBLOCK[word]
            result.superblock = [item for item in result.superblock if item not in (key, opposite)] + [key]
        else:
            result.data.append((index, word))
    return result


def _apply(word: str, set: int, clear: int) -> tuple[int, int]:
    more, less = ATTRIBUTES[word]
    return set & ~less | more, clear & ~more | less


def known_options() -> list[str]:
    """Every word that the table knows, sorted (`features`)."""
    names = [*ATTRIBUTES, *SUPERBLOCK, *PROPAGATION, *NOTHING, *SWITCHES]
    names += ["r" + name for name in (*ATTRIBUTES, *PROPAGATION)]
    return sorted(names)
