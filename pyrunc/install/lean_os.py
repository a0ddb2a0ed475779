"""A stand-in for the module `os` in hot commands: the functions of `posix` at once, all the rest on demand.

Importing the real one takes as long as ten modules of pyrunc (it defines
classes, tables of what takes descriptors, an environment that writes back).
The installed launcher enters this under the name `os`.  Whatever is asked for
and not here loads the real module, whose contents then replace these in place.
Until then `environ` is a plain dict: to be read, not written.
"""

from __future__ import annotations

import posix
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

_HANDLER = "surrogateescape"


def install() -> None:
    """Enter the stand-in, unless the interpreter has loaded the real module."""
    if "os" in sys.modules:
        return
    module = sys.modules["os"] = type(sys)("os")
    _fill(module)
    import posixpath  # imports os: so it has to be there

    module.path = posixpath  # type: ignore[attr-defined]
    sys.modules["os.path"] = posixpath


def _fill(module: ModuleType) -> None:
    names = module.__dict__
    names.update({name: value for name, value in posix.__dict__.items() if name[:2] != "__"})
    del names["environ"]
    coding = sys.getfilesystemencoding()

    def fsencode(filename: str | bytes) -> bytes:
        filename = posix.fspath(filename)
        return filename.encode(coding, _HANDLER) if isinstance(filename, str) else filename

    def fsdecode(filename: str | bytes) -> str:
        filename = posix.fspath(filename)
        return filename.decode(coding, _HANDLER) if isinstance(filename, bytes) else filename

    def load(name: str) -> object:
        if name == "environ":
            names[name] = {fsdecode(key): fsdecode(value) for key, value in posix.environ.items()}
            return names[name]
        if name in ("__path__", "__file__", "__all__"):  # the import system asks, and can do without
            raise AttributeError(name)
        become_real(module)
        return getattr(module, name)

    names.update(name="posix", sep="/", error=OSError, fsencode=fsencode, fsdecode=fsdecode, __getattr__=load)


def become_real(module: ModuleType) -> None:
    """Load the real module `os`; those who hold the stand-in have the same contents from now on."""
    del sys.modules["os"]
    real = __import__("os")
    module.__dict__.clear()
    module.__dict__.update(real.__dict__)
