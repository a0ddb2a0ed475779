"""The documents of spec-fixtures, for the tests of the schema and its rules."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).parents[3] / "spec-fixtures"
GOOD = sorted((FIXTURES / "bundles").iterdir())
BAD = sorted((FIXTURES / "invalid").iterdir())
BASE = FIXTURES / "bundles" / "default" / "config.json"


def good_configs() -> dict[str, Any]:
    """Every valid configuration by the name of its case."""
    return {bundle.name: json.loads((bundle / "config.json").read_text()) for bundle in GOOD}


def bad_text(case: Path) -> bytes:
    """The text of an invalid case: its own, or the default configuration with its patch."""
    if (case / "config.json").exists():
        return (case / "config.json").read_bytes()
    patch = json.loads((case / "patch.json").read_text())
    return json.dumps(patched(json.loads(BASE.read_text()), patch), indent=2).encode()


def bad_values() -> dict[str, Any]:
    """The values of the invalid cases that are JSON."""
    return {case.name: json.loads(bad_text(case)) for case in BAD if (case / "patch.json").exists()}


def patched(document: Any, patch: dict[str, Any]) -> Any:
    """`document` without the pointers in `remove` and with those in `set` changed or added (`-` appends)."""
    document = copy.deepcopy(document)
    for pointer in patch.get("remove", ()):
        parent, last = _parent(document, pointer)
        del parent[last]
    for pointer, value in patch.get("set", {}).items():
        parent, last = _parent(document, pointer)
        if last == "-":
            parent.append(value)
        else:
            parent[last] = value
    return document


def _parent(document: Any, pointer: str) -> tuple[Any, Any]:
    *names, last = (part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])
    for name in names:
        document = document[int(name)] if isinstance(document, list) else document.setdefault(name, {})
    return document, int(last) if isinstance(document, list) and last != "-" else last


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every value in a document."""
    yield path
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        yield from places(child, (*path, name))


def replaced(document: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """`document` with another value at `path`."""
    if not path:
        return value
    document = copy.deepcopy(document)
    parent = document
    for name in path[:-1]:
        parent = parent[name]
    parent[path[-1]] = value
    return document
