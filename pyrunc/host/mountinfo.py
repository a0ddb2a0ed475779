"""A parser of /proc/PID/mountinfo (proc_pid_mountinfo(5)).

Pure; who reads the file and when is the callers' affair: on conventional hosts
nobody needs it, for it grows with every container.
"""

from __future__ import annotations


class Mount:
    """One line: `root` within the file system, `target`, `fstype`, `options` of the superblock.

    id: the mount's; device: the file system's, as major:minor.
    """

    __slots__ = ("device", "fstype", "id", "options", "root", "source", "target")

    def __init__(
        self, root: str, target: str, fstype: str, source: str, options: list[str],
        id: int = 0, device: str = "",
    ) -> None:  # fmt: skip
        self.id = id
        self.device = device
        self.root = root
        self.target = target
        self.fstype = fstype
        self.source = source
        self.options = options


def parse_mountinfo(text: str) -> list[Mount]:
    """The mounts in the kernel's order; lines that are not understood are left out."""
    mounts = []
    for line in text.split("\n"):
        left, separator, right = line.partition(" - ")
        fields, rest = left.split(" "), right.split(" ")
        if separator and len(fields) >= 6 and len(rest) >= 3:
            root, target, source = map(parse_escapes, (fields[3], fields[4], rest[1]))
            mount = Mount(root, target, rest[0], source, rest[2].split(","), int(fields[0]), fields[2])
            mounts.append(mount)
    return mounts


def parse_escapes(text: str) -> str:
    r"""`text` with the kernel's ``\ooo`` for space, tab, newline and backslash undone."""
    if "\\" not in text:
        return text
    first, *parts = text.split("\\")
    for part in parts:
        number = part[:3]
        octal = len(number) == 3 and all(digit in "01234567" for digit in number)
        first += chr(int(number, 8)) + part[3:] if octal else "\\" + part
    return first
