"""The verdict of our schema, fast: the interpreter of the tuples in `schema_table`.

Not here: why a value is wrong (`explain`, through jsonschema), and the rules
that a schema cannot say (`rules`).  A property test holds this interpreter and
jsonschema to the same verdict.

A value is what `cores.parse_json` gives.  Booleans are no integers, and 1.0 is
no integer either: Go's parser, which engines and runc use, refuses it too.
"""

from __future__ import annotations

from pyrunc.spec.schema_table import ARRAY, BOOLEAN, ENUM, INTEGER, OBJECT, STRING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyrunc.spec.schema_table import Node


def is_valid(value: object, schema: Node) -> bool:
    """Whether `value` is as `schema` (CONFIG, PROCESS, RESOURCES of schema_table) says."""
    return first_violation(value, schema) is None


def first_violation(value: object, schema: Node) -> str | None:
    """The JSON pointer of the first value that is not as `schema` says, None if all are.

    A missing property and a key that is not allowed give the pointer of their object.
    """
    kind = schema[0]
    if kind == OBJECT:
        return _in_object(value, schema) if type(value) is dict else ""
    if kind == ARRAY:
        return _in_array(value, schema) if type(value) is list else ""
    if kind == STRING:
        return None if type(value) is str and _string_fits(value, schema) else ""
    if kind == INTEGER:
        return None if type(value) is int and schema[1] <= value <= schema[2] else ""
    if kind == ENUM:
        return None if type(value) is str and value in schema[1] else ""
    assert kind == BOOLEAN
    return None if type(value) is bool else ""


def _in_object(value: dict[str, Any], schema: Node) -> str | None:
    _, properties, required, names, values = schema
    for name in required:
        if name not in value:
            return ""
    for name, item in value.items():
        child = properties.get(name)
        if child is None:
            if names is not None and first_violation(name, names) is not None:
                return ""
            if values is None:
                continue
            child = values
        below = first_violation(item, child)
        if below is not None:
            return f"/{escape(name)}{below}"
    return None


def _in_array(value: list[Any], schema: Node) -> str | None:
    _, child, least, most = schema
    if len(value) < least or 0 <= most < len(value):
        return ""
    if child[0] == STRING and child[4] is None and child[2] < 0:  # the long lists: names, options, arguments
        _, shortest, _, no_nul, _, _ = child
        for index, item in enumerate(value):
            if type(item) is not str or len(item) < shortest or (no_nul and "\0" in item):
                return f"/{index}"
        return None
    for index, item in enumerate(value):
        below = first_violation(item, child)
        if below is not None:
            return f"/{index}{below}"
    return None


def _string_fits(value: str, schema: Node) -> bool:
    _, least, most, no_nul, steps, whole = schema
    if len(value) < least or 0 <= most < len(value) or (no_nul and "\0" in value):
        return False
    return steps is None or _matches(value, steps, whole)


def _matches(text: str, steps: tuple[tuple[str, bool, int, int], ...], whole: bool) -> bool:
    """Walk the steps of a pattern: each takes as many of its characters as there are, up to `most`."""
    at = 0
    for characters, negated, least, most in steps:
        if negated:
            end = len(text)
            for character in characters:
                found = text.find(character, at, end)
                if found >= 0:
                    end = found
        else:
            end = len(text) - len(text[at:].lstrip(characters))
        if 0 <= most < end - at:
            end = at + most
        if end - at < least:
            return False
        at = end
    return not whole or at == len(text)


def escape(name: str) -> str:
    """A property name as a part of a JSON pointer (RFC 6901)."""
    if "~" in name or "/" in name:
        return name.replace("~", "~0").replace("/", "~1")
    return name
