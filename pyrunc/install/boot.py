"""The finder that serves modules out of the archive.  Stored in the archive itself and run by the launcher.

Importing the modules of one command file by file costs twice as much: each
needs several stat calls, an open, a validation.  Here one pread has a module.
And the import system's own work for a module takes as long as running it, so
that what a module imports is loaded before it, without that work.
"""

from __future__ import annotations

import marshal
import sys
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import ExtensionFileLoader
from posix import close, fstat, pread

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    Index = dict[str, tuple[bool, int, int, tuple[str, ...]]]


class ArchiveFinder:
    """Finds and loads the modules of one archive (see `pyrunc.install.archive` for its form).

    The archive stays open, so that a command that is under way when another version is installed
    goes on with the modules of its own.
    """

    def __init__(self, archive: int, start: int, index: Index, library: str) -> None:
        self._archive = archive
        self._start = start
        self._whole = b""
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
        """Run the module's code, after that of all it imports."""
        name = module.__name__
        for need in self._index[name][3]:
            if need not in sys.modules:
                self._load(need)
        self._run(name, module)

    def _load(self, name: str) -> None:
        """Enter the module `name` and all it imports among the loaded ones."""
        is_package, _, _, needs = self._index[name]
        for need in needs:
            if need not in sys.modules:
                self._load(need)
        module = sys.modules[name] = type(sys)(name)
        place = f"{self._library}/{name.replace('.', '/')}"
        if is_package:
            module.__path__ = [place]
        module.__package__ = name if is_package else name.rpartition(".")[0]
        module.__file__ = place + ("/__init__.py" if is_package else ".py")
        module.__loader__ = self  # type: ignore[assignment]
        try:
            self._run(name, module)
        except BaseException:
            del sys.modules[name]
            raise
        package, _, own = name.rpartition(".")
        if package:
            setattr(sys.modules[package], own, module)

    def _run(self, name: str, module: ModuleType) -> None:
        _, offset, length, _ = self._index[name]
        at = self._start + offset
        code = pread(self._archive, length, at) if self._archive >= 0 else self._whole[at : at + length]
        exec(marshal.loads(code), module.__dict__)

    def detach(self) -> None:
        """Read all that is left and close the archive: for a process that outlives its descriptors."""
        if self._archive >= 0:
            self._whole = pread(self._archive, fstat(self._archive).st_size, 0)
            close(self._archive)
            self._archive = -1


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


def install(archive: int, start: int, index: Index, extensions: dict[str, str], library: str) -> None:
    """Put both finders before all others."""
    sys.meta_path[:0] = [ArchiveFinder(archive, start, index, library), ExtensionFinder(extensions)]
