"""The archive of modules that `make install` puts beside the package.

Form: the interpreter's bytecode magic (4 bytes), the length of the head (4
bytes, little endian), the head, the code objects.  The head is the marshalled
tuple (code of `lean_os`, code of `boot`, {module: (is a package, offset,
length, modules it imports)}, {extension module: file}); offsets count from the
end of the head.  The code is compiled without docstrings, assertions and annotations.
"""

from __future__ import annotations
import __future__

import ast
import importlib.util
import marshal
from importlib.machinery import EXTENSION_SUFFIXES, PathFinder
from pathlib import Path

LEFT_OUT = (
    "pyrunc.api",
    "pyrunc.cli.app",
    "pyrunc.install",
    "pyrunc.spec.explain",
    "pyrunc.spec.json_schema",
    "pyrunc.spec.schema_document",
    "pyrunc.spec.types",
    "pyrunc.spec.types_linux",
)
"""Modules that no hot command imports; they are loaded from their files."""

EXTENSIONS = ("_json", "_cffi_backend", "pyrunc._native", "pyrunc._seccomp")


def build_archive(library: Path, final: str) -> bytes:
    """The archive of the package in `library`, which will be used as the directory `final`."""
    files = _find_modules(library)
    index: dict[str, tuple[bool, int, int, tuple[str, ...]]] = {}
    codes: list[bytes] = []
    offset = 0
    for name, file in files.items():
        tree = _parse(file, f"{final}/{file.relative_to(library)}")
        code = _compile(tree, f"{final}/{file.relative_to(library)}")
        index[name] = (file.name == "__init__.py", offset, len(code), _imports(tree, name, files))
        codes.append(code)
        offset += len(code)
    own = [Path(__file__).with_name(name) for name in ("lean_os.py", "boot.py")]
    starters = (marshal.loads(_compile(_parse(file, file.name), file.name)) for file in own)
    head = marshal.dumps((*starters, index, find_extensions(library, final)))
    magic = importlib.util.MAGIC_NUMBER
    return magic + len(head).to_bytes(4, "little") + head + b"".join(codes)


def _find_modules(library: Path) -> dict[str, Path]:
    """The modules that go into the archive, by name."""
    found = {}
    for file in sorted((library / "pyrunc").rglob("*.py")):
        parts = file.relative_to(library).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if not any(name == left or name.startswith(left + ".") for left in LEFT_OUT):
            found[name] = file
    return found


def _imports(tree: ast.Module, name: str, known: dict[str, Path]) -> tuple[str, ...]:
    """What the module imports at once from the archive, in order, the packages it lies in first."""
    parts = name.split(".")
    wanted = [".".join(parts[:end]) for end in range(1, len(parts))]
    for statement in tree.body:
        if isinstance(statement, ast.Import):
            wanted += [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            wanted.append(statement.module)
            wanted += [f"{statement.module}.{alias.name}" for alias in statement.names]
    return tuple(dict.fromkeys(module for module in wanted if module in known))


def find_extensions(library: Path, final: str) -> dict[str, str]:
    """The files of the extension modules of hot commands; built-in and missing ones are left out."""
    found: dict[str, str] = {}
    for name in EXTENSIONS:
        *packages, last = name.split(".")
        directory = library.joinpath(*packages)
        spec = PathFinder.find_spec(last, [str(directory)])
        if spec is None and not packages:
            spec = PathFinder.find_spec(last)
        if spec is None or spec.origin is None or not spec.origin.endswith(tuple(EXTENSION_SUFFIXES)):
            continue
        origin = Path(spec.origin)
        inside = origin.is_relative_to(library)
        found[name] = f"{final}/{origin.relative_to(library)}" if inside else str(origin)
    return found


def _parse(file: Path, shown: str) -> ast.Module:
    tree: ast.Module = _Strip().visit(ast.parse(file.read_bytes(), shown))
    return ast.fix_missing_locations(tree)


def _compile(tree: ast.Module, shown: str) -> bytes:
    flags = __future__.annotations.compiler_flag
    return marshal.dumps(compile(tree, shown, "exec", flags=flags, dont_inherit=True, optimize=2))


class _Strip(ast.NodeTransformer):
    """Takes away what only readers and type checkers need."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Drop the annotations of a function."""
        self.generic_visit(node)
        node.returns = None
        for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
            argument.annotation = None
        for rest in (node.args.vararg, node.args.kwarg):
            if rest is not None:
                rest.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """Turn `name: kind = value` into `name = value`."""
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        return ast.copy_location(ast.Assign([node.target], node.value), node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST:
        """Drop `from __future__ import …`."""
        return ast.copy_location(ast.Pass(), node) if node.module == "__future__" else node

    def visit_If(self, node: ast.If) -> ast.AST:
        """Drop `if TYPE_CHECKING:`."""
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING" and not node.orelse:
            return ast.copy_location(ast.Pass(), node)
        return self.generic_visit(node)
