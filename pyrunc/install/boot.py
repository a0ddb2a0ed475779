"""The finder that serves modules out of the archive.  Stored in the archive itself and run by the launcher.

Importing the modules of one command file by file costs twice as much: each
needs several stat calls, an open, a validation.  Here one read has them all.
"""

from __future__ import annotations

import marshal
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import ExtensionFileLoader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    Index = dict[str, tuple[bool, int, int]]


class ArchiveFinder:
    """Finds and loads the modules of one archive (see `pyrunc.install.archive` for its form)."""

    def __init__(self, data: bytes, start: int, index: Index, library: str) -> None:
        self._data = memoryview(data)
        self._start = start
        self._index = index
        self._library = library

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """The spec of a module of the archive, None for any other."""
        entry = self._index.get(name)
        if entry is None:
            return None
        place = f"{self._library}/{name.replace('.', '/')}"
        origin = place + ("/__init__.py" if entry[0] else ".py")
        spec = ModuleSpec(name, self, origin=origin, is_package=entry[0])  # type: ignore[arg-type]
        spec.has_location = True
        if entry[0]:
            spec.submodule_search_locations = [place]
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """The default module object will do."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the module's code."""
        _, offset, length = self._index[module.__name__]
        at = self._start + offset
        exec(marshal.loads(self._data[at : at + length]), module.__dict__)


class ExtensionFinder:
    """Finds extension modules whose files are known, without searching sys.path for them."""

    def __init__(self, files: dict[str, str]) -> None:
        self._files = files

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """The spec of a known extension module, None for any other."""
        file = self._files.get(name)
        if file is None:
            return None
        spec = ModuleSpec(name, ExtensionFileLoader(name, file), origin=file)
        spec.has_location = True
        return spec


def install(data: bytes, start: int, index: Index, extensions: dict[str, str], library: str) -> None:
    """Put both finders before all others."""
    sys.meta_path[:0] = [ArchiveFinder(data, start, index, library), ExtensionFinder(extensions)]
