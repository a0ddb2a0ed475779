"""Swaps two paths as fast as it can: `exchanger.py A B` until killed (renameat2 RENAME_EXCHANGE)."""

from __future__ import annotations

import ctypes
import os
import sys

RENAME_EXCHANGE = 2
AT_FDCWD = -100

if __name__ == "__main__":
    first, second = (os.fsencode(path) for path in sys.argv[1:3])
    rename = ctypes.CDLL(None).renameat2
    while True:
        rename(AT_FDCWD, first, AT_FDCWD, second, RENAME_EXCHANGE)
