"""Every leaf of our schema, for tests that ask whether each property has an effect.

A leaf is a path of property names to a value that is no object: `*` stands for
any index of a list or any key of a map, e.g. ("linux", "devices", "*", "major").
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyrunc.spec.schema_document import DOCUMENT, KINDS

Path = tuple[str, ...]


def leaves(kind: str = "config") -> list[Path]:
    """The leaves of one kind of document: config, process, resources, state or features."""
    file, name = KINDS[kind]
    return [path for path, _ in walk(DOCUMENT, DOCUMENT[file]["$defs"][name] if name else DOCUMENT[file], file)]


def leaf_schemas(kind: str = "config") -> dict[Path, dict[str, Any]]:
    """The subschema of each leaf."""
    file, name = KINDS[kind]
    return dict(walk(DOCUMENT, DOCUMENT[file]["$defs"][name] if name else DOCUMENT[file], file))


def walk(
    files: dict[str, Any], schema: dict[str, Any], file: str, path: Path = ()
) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The leaves below `schema`, which stands in `file` of `files`; understands the official schema too."""
    if "$ref" in schema:
        target, _, pointer = schema["$ref"].partition("#")
        file = target or file
        schema = files.get(file, {})
        for part in pointer.split("/")[1:]:
            schema = schema.get(part, {})
        yield from walk(files, schema, file, path)
        return
    parts = [schema, *schema.get("allOf", ()), *schema.get("anyOf", ())]
    children: list[tuple[str, Any]] = []
    for part in parts[1:]:
        yield from walk(files, part, file, path)
    if schema.get("maxItems") == 0:  # a list that is always empty has no items
        yield path, schema
        return
    children += schema.get("properties", {}).items()
    children += [("*", schema[key]) for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict)]
    children += [("*", child) for child in schema.get("patternProperties", {}).values()]
    for name, child in children:
        yield from walk(files, child, file, (*path, name))
    if not children and len(parts) == 1:
        yield path, schema


def found_in(value: Any, path: Path) -> bool:
    """Whether a document has a value at a leaf."""
    if not path:
        return True
    if path[0] == "*":
        items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return any(found_in(item, path[1:]) for item in items)
    return isinstance(value, dict) and path[0] in value and found_in(value[path[0]], path[1:])
