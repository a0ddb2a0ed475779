"""Why a document is wrong, for people: every violation with its file, line, pointer, and what is allowed.

Imported only when something is wrong.  jsonschema finds the violations of the
schema; where it is not installed, the interpreter does.  Not here: the
verdict (`schema`, `rules`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pyrunc.cores import render_json
from pyrunc.errors import SpecError
from pyrunc.spec import schema_table
from pyrunc.spec.position import find_constant, find_line, find_offset
from pyrunc.spec.rules import ROOTS, check_rules, nest
from pyrunc.spec.schema import escape, is_valid
from pyrunc.spec.schema_document import DOCUMENT, KINDS

LONGEST = 80
Path = tuple[str | int, ...]
Violation = tuple[list[str | int], str, Any, Any]  # path, keyword, required names or the key at fault, value


def explain(value: Any, text: bytes, path: str, kind: str) -> list[SpecError]:
    """Every violation of schema and rules, in the order of the file, each naming file and line.

    kind: config, process or resources.  An empty list if `value` is valid.
    """
    found = schema_violations(value, kind)
    wrong = [error.pointer for error in found]
    prefix = "".join(f"/{name}" for name in ROOTS[kind])
    for error in check_rules(nest(value, kind), ROOTS[kind], tolerant=bool(found)):
        pointer = error.pointer.removeprefix(prefix)
        if not any(pointer.startswith(other) or other.startswith(pointer) for other in wrong):
            found.append(SpecError(error.text, pointer=pointer))
    source = text.decode()
    located = [(find_offset(source, error.pointer), error) for error in found]
    located.sort(key=lambda pair: pair[0])
    return [_located(error, path, source.count("\n", 0, offset) + 1) for offset, error in located]


def _located(error: SpecError, path: str, line: int) -> SpecError:
    pointer = error.pointer
    return SpecError(f"{path}:{line}: {pointer or '(top level)'}: {error.text}", pointer=pointer, path=path)


def summarise(violations: list[SpecError]) -> SpecError:
    """One error for all: the text of the first, the number of the others, all of them in `violations`."""
    first, others = violations[0], len(violations) - 1
    more = f"; and {others} more (see `pyrunc validate`)" if others else ""
    error = SpecError(first.text + more, pointer=first.pointer, path=first.path)
    error.violations = violations
    return error


# --- texts that are no JSON -----------------------------------------------------------


def parse_error(error: ValueError, text: bytes, path: str) -> SpecError:
    """What `parse_json` raised, with file, line and column in front."""
    if isinstance(error, UnicodeDecodeError):
        before = text[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        return SpecError(f"{path}:{line}:{column}: not UTF-8: {error.reason}", path=path)
    reason, _, place = str(error).rpartition(": line ")
    line_text, _, column_text = place.partition(" column ")
    if not reason:  # the parser says where for everything but numbers that are none
        reason = str(error)
        source = text.decode()
        at = find_constant(source)
        line_text, column_text = str(source.count("\n", 0, at) + 1), str(at - source.rfind("\n", 0, at))
    return SpecError(f"{path}:{line_text}:{column_text}: not valid JSON: {reason}", path=path)


def refuse_surrogates(value: Any, text: bytes, path: str, pointer: str = "") -> None:
    """Raise SpecError for a string with half a surrogate pair: it is no text, no file name can hold it."""
    if isinstance(value, str):
        if any("\ud800" <= character <= "\udfff" for character in value):
            line = find_line(text.decode(), pointer)
            found = f"found {show(value)}; allowed: Unicode text (half of a surrogate pair is none)"
            raise SpecError(f"{path}:{line}: {pointer}: {found}", pointer=pointer, path=path)
    elif isinstance(value, dict):
        for name, item in value.items():
            refuse_surrogates(name, text, path, pointer)
            refuse_surrogates(item, text, path, f"{pointer}/{escape(name)}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            refuse_surrogates(item, text, path, f"{pointer}/{index}")


# --- the schema -----------------------------------------------------------------------


def schema_violations(value: Any, kind: str) -> list[SpecError]:
    """Every violation of the schema, without file and line."""
    try:
        from pyrunc.spec.json_schema import iterate_errors
    except ImportError:
        found = _found_by_interpreter(value, getattr(schema_table, kind.upper()))
    else:
        found = iterate_errors(value, kind)
    errors = []
    for path, keyword, argument, at in found:
        pointer = "".join(f"/{escape(str(part))}" for part in path)
        schema, section = _subschema(path, *KINDS[kind])
        errors.append(SpecError(_describe(at, schema, section, keyword, argument), pointer=pointer))
    return errors


def _found_by_interpreter(value: Any, node: schema_table.Node, path: Path = ()) -> Iterator[Violation]:
    """What `json_schema.iterate_errors` gives, where jsonschema is not installed."""
    if node[0] == schema_table.OBJECT and isinstance(value, dict):
        _, properties, required, names, values = node
        if any(name not in value for name in required):
            yield [*path], "required", required, value
        for name, item in value.items():
            if names and not is_valid(name, names):
                yield [*path], "propertyNames", name, value
            child = properties.get(name, values)
            if child:
                yield from _found_by_interpreter(item, child, (*path, name))
    elif node[0] == schema_table.ARRAY and isinstance(value, list):
        if not is_valid([], node) if not value else 0 <= node[3] < len(value):
            yield [*path], "", None, value
        for index, item in enumerate(value):
            yield from _found_by_interpreter(item, node[1], (*path, index))
    elif not is_valid(value, node):
        yield [*path], "", None, value


def _describe(found: Any, schema: dict[str, Any], section: str, keyword: str, argument: Any) -> str:
    """One violation in words: what was found, what is allowed, where the specification says so."""
    place = f" ({section})"
    if keyword == "required":
        missing = [name for name in argument if name not in found]
        return f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing{place}"
    if keyword == "propertyNames":
        return f"found the key {show(argument)}; allowed: {_allowed(schema['propertyNames'])}{place}"
    text = f"found {show(found)}"
    if "x-message" in schema:
        text = schema["x-message"].replace("<found>", show(found))
    return f"{text}; allowed: {_allowed(schema)}{place}"


def _allowed(schema: dict[str, Any]) -> str:
    allowed: str = ", ".join(schema["enum"]) if "enum" in schema else schema["description"]
    return allowed


def show(value: Any) -> str:
    """A value as JSON, cut short if it is long."""
    try:
        text = render_json(value)
    except (TypeError, ValueError):
        text = str(value)
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def _resolve(schema: dict[str, Any], file: str) -> tuple[str, dict[str, Any]]:
    """A subschema with its $ref followed, and the file it stands in."""
    while "$ref" in schema:
        target, _, name = schema["$ref"].partition("#/$defs/")
        file = target or file
        schema = DOCUMENT[file]["$defs"][name]
    return file, schema


def _subschema(path: Sequence[str | int], file: str, name: str) -> tuple[dict[str, Any], str]:
    """The subschema that a path leads to, and the section of the specification for it."""
    schema = DOCUMENT[file]["$defs"][name] if name else DOCUMENT[file]
    section = schema["x-spec"]
    for part in path:
        child = schema.get("items") if schema["type"] == "array" else schema.get("properties", {}).get(part)
        file, schema = _resolve(child or schema["additionalProperties"], file)
        section = schema.get("x-spec", section)
    if "propertyNames" in schema:
        schema = {**schema, "propertyNames": _resolve(schema["propertyNames"], file)[1]}
    return schema, section
