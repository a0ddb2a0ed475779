"""The image's header (csrc/snapshot/image.h): where its fields are, and how to change them."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

RELEASE, VERSION, VDSO_HASH, HWCAP, HWCAP2, XCR0, CPUID = 40, 112, 184, 192, 200, 208, 216
VDSO, PIECES, SEGMENT_COUNT = 296, 320, 480


def patch(
    image: Path, offset: int, change: Callable[[bytes], bytes], length: int, rehash: bool = True
) -> None:
    """Change bytes in place; with a right hash afterwards, unless the hash is what is tested."""
    from pyrunc.snapshot.keys import image_hash

    with open(image, "r+b") as file:
        file.seek(offset)
        old = file.read(length)
        file.seek(offset)
        file.write(change(old))
        if not rehash:
            return
        file.seek(24)
        (size,) = struct.unpack("<Q", file.read(8))
        file.seek(16)
        value = image_hash(file.read(size - 16))
        file.seek(8)
        file.write(struct.pack("<Q", value))


def files(image: bytes) -> list[tuple[str, int]]:
    """The files of the header's table, each with its entry's offset."""
    from pyrunc.snapshot.keys import FIXED_SIZE

    segments, canaries, count = struct.unpack_from("<QQQ", image, 480)
    offset = FIXED_SIZE + 32 * segments + 8 * canaries
    found = []
    for _ in range(count):
        (length,) = struct.unpack_from("<Q", image, offset + 32)
        name = image[offset + 40 : offset + 40 + length].rstrip(b"\0").decode()
        found.append((name, offset))
        offset += 40 + length
    return found
