"""Makes a restored process a new one: its own arguments, environment, streams and signals.

Everything here runs in every restored process, before anything else.
"""

from __future__ import annotations

import os
import sys
from _signal import SIG_IGN, signal  # type: ignore[import-not-found]

# SIGPIPE and SIGXFSZ are ignored by any interpreter, 32 and 33 are libc's own
_NOT_OURS = 1 << 12 | 1 << 24 | 1 << 31 | 1 << 32
_NAMES = ("stdin", "stdout", "stderr")


def fix_up(script: str, argv: list[bytes], environment: list[bytes], ignored: int) -> None:
    """Give this process what belongs to it.  ignored: bit N-1 is set if signal N was ignored at its start."""
    sys.argv[:] = [script, *[os.fsdecode(word) for word in argv[1:]]]
    _set_environment(environment)
    _set_streams()
    ignored &= ~_NOT_OURS
    for number in range(1, ignored.bit_length() + 1):
        if ignored >> number - 1 & 1:
            signal(number, SIG_IGN)
    _renew_modules()


def _set_environment(environment: list[bytes]) -> None:
    data = os.environ._data  # type: ignore[attr-defined]
    data.clear()
    for entry in environment:
        name, equals, value = entry.partition(b"=")
        if equals:
            data.setdefault(name, value)


def _set_streams() -> None:
    """None for what is closed, line by line for a terminal; all else is alike."""
    for fd, name in enumerate(_NAMES):
        try:
            os.fstat(fd)
        except OSError:
            setattr(sys, name, None)
            setattr(sys, f"__{name}__", None)
    if sys.stdout is not None and os.isatty(1):
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def _renew_modules() -> None:
    """State that modules took from the process they were imported in."""
    modules = sys.modules
    if "TZ" in os.environ:
        modules["time"].tzset()
    if "random" in modules:
        modules["random"].seed()
    if "tempfile" in modules:
        modules["tempfile"].tempdir = None  # type: ignore[attr-defined]
        modules["tempfile"]._name_sequence = None  # type: ignore[attr-defined]
    if "logging" in modules:
        modules["logging"]._startTime = modules["time"].time()  # type: ignore[attr-defined]
    if "threading" in modules:
        modules["threading"].main_thread()._set_native_id()
