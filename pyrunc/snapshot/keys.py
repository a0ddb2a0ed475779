"""What an image depends on, as its header has it, and the header's few fields that Python changes.

The layouts are those of csrc/snapshot/image.h.
"""

from __future__ import annotations

import os
import struct
import sys

_KEY = struct.Struct("<QqQQQ")
_ANY_SIZE = 0xFFFF_FFFF_FFFF_FFFF
_MASK = 0xFFFF_FFFF_FFFF_FFFF
_HASH_OFFSET, _HEADER_SIZE_OFFSET, _DATA_OFFSET = 8, 24, 32
_PREFAULT_COUNT_OFFSET = 512
_GROUP = struct.Struct("<16sQQ")
_GROUPS_OFFSET, _GROUP_LIMIT = 520, 12
FIXED_SIZE = _GROUPS_OFFSET + _GROUP_LIMIT * _GROUP.size


class ChangedError(Exception):
    """A file that the image depends on changed while it was made."""


_CODE = (".py", ".so")


def own_files(package: str) -> list[str]:
    """Every file of pyrunc that its code may come from.

    Where an archive serves the modules, it is the source of all that it holds.
    """
    library = os.path.dirname(package)
    archive = os.path.join(library, "pyrunc.modules")
    served = _served() if os.path.exists(archive) else set()
    found = [archive] if served else []
    for directory, names, files in os.walk(package):
        names[:] = [name for name in names if not name.startswith((".", "__pycache__"))]
        found.append(directory)
        for name in files:
            path = os.path.join(directory, name)
            module = os.path.relpath(path, library).removesuffix(".py").replace("/", ".")
            if name.endswith(_CODE) and module.removesuffix(".__init__") not in served:
                found.append(path)
    return found


def _served() -> set[str]:
    """Modules that the archive serves (see `pyrunc.install.boot`)."""
    for finder in sys.meta_path:
        if type(finder).__name__ == "ArchiveFinder":
            return set(finder._index)  # type: ignore[attr-defined]
    return set()


def imported_places() -> list[str]:
    """Files of extension modules, and the directories that other modules came from."""
    found = []
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None) or "" if name != "__main__" else ""
        if path.endswith(".so"):
            found.append(path)
        elif path.startswith("/") and os.path.exists(path):
            found.append(os.path.dirname(path))
    return found


def mapped_files() -> list[str]:
    """Every file that is mapped into this process."""
    found = []
    with open("/proc/self/maps") as maps:
        for line in maps:
            fields = line.rstrip("\n").split(None, 5)
            if len(fields) == 6 and fields[5].startswith("/"):
                found.append(fields[5])
    return found


def file_keys(paths: list[str], before_ns: int) -> tuple[bytes, int]:
    """The table of struct file_key for `paths`, and how many they are.

    Raises ChangedError for what changed at or after `before_ns`: what was read
    may then be older than what is there.
    """
    parts = []
    unique = sorted({os.path.realpath(path) for path in paths})
    for path in unique:
        status = os.stat(path)
        if status.st_mtime_ns >= before_ns:
            raise ChangedError(f"{path} changed while the image was made")
        name = os.fsencode(path) + b"\0"
        name += bytes(-len(name) % 8)
        size = _ANY_SIZE if os.path.isdir(path) else status.st_size
        seconds, nanoseconds = divmod(status.st_mtime_ns, 1_000_000_000)
        parts.append(_KEY.pack(size, seconds, nanoseconds, status.st_ino, len(name)) + name)
    return b"".join(parts), len(unique)


def image_hash(data: bytes) -> int:
    """The hash of csrc/snapshot/image.h."""
    value = 0xCBF29CE484222325
    for (word,) in struct.iter_unpack("<Q", data):
        value = (value ^ word) * 0x100000001B3 & _MASK
    return value


Ranges = list[tuple[int, int]]


def set_prefaults(image: str, groups: dict[str, Ranges]) -> None:
    """Put the ranges (address, length) that commands will write to into the image's header.

    groups: word of the command line → ranges; "" for those of every command.
    """
    with open(image, "r+b") as file:
        fixed = file.read(FIXED_SIZE)
        (size,) = struct.unpack_from("<Q", fixed, _HEADER_SIZE_OFFSET)
        (data,) = struct.unpack_from("<Q", fixed, _DATA_OFFSET)
        file.seek(0)
        header = bytearray(file.read(size))
        total = 0
        for index, (word, ranges) in enumerate(list(groups.items())[:_GROUP_LIMIT]):
            fitting = ranges[: (data - len(header)) // 16]
            header += b"".join(struct.pack("<QQ", *one) for one in fitting)
            _GROUP.pack_into(header, _GROUPS_OFFSET + index * _GROUP.size, word.encode(), total, len(fitting))
            total += len(fitting)
        struct.pack_into("<Q", header, _HEADER_SIZE_OFFSET, len(header))
        struct.pack_into("<Q", header, _PREFAULT_COUNT_OFFSET, total)
        struct.pack_into("<Q", header, _HASH_OFFSET, image_hash(bytes(header[16:])))
        file.seek(0)
        file.write(header)
