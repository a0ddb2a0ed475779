"""Why a document is wrong, for people: every violation with its file, line, pointer, and what is allowed.

Imported only when something is wrong.  jsonschema finds the violations of the
schema; without it the interpreter's first one is explained.  Not here: the
verdict (`schema`, `rules`).
"""

from __future__ import annotations

import re
from typing import Any

from pyrunc.cores import render_json
from pyrunc.errors import SpecError
from pyrunc.spec import schema_table
from pyrunc.spec.position import find_constant, find_line, find_offset, split
from pyrunc.spec.rules import ROOTS, check_rules, nest
from pyrunc.spec.schema import escape, first_violation
from pyrunc.spec.schema_document import DOCUMENT, KINDS

LONGEST = 80


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
        pointer = first_violation(value, getattr(schema_table, kind.upper()))
        if pointer is None:
            return []
        at, schema, section = _subschema(pointer, *KINDS[kind])
        return [SpecError(_describe(_at(value, pointer), schema, section), pointer=pointer)]
    errors = []
    for path, keyword, argument, at in iterate_errors(value, kind):
        pointer = "".join(f"/{escape(str(part))}" for part in path)
        _, schema, section = _subschema(pointer, *KINDS[kind])
        errors.append(SpecError(_describe(at, schema, section, keyword, argument), pointer=pointer))
    return errors


def _describe(
    found: Any, schema: dict[str, Any], section: str, keyword: str = "", argument: Any = None
) -> str:
    """One violation in words: what was found, what is allowed, where the specification says so."""
    place = f" ({section})" if section else ""
    if keyword == "required" or (not keyword and isinstance(found, dict)):
        missing = [name for name in argument or schema.get("required", ()) if name not in found]
        if missing:
            return f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing{place}"
    if keyword == "propertyNames" or (not keyword and isinstance(found, dict) and "propertyNames" in schema):
        key = argument if keyword else _bad_key(found, schema["propertyNames"])
        return f"found the key {show(key)}; allowed: {_allowed(schema['propertyNames'])}{place}"
    text = f"found {show(found)}; allowed: {_allowed(schema)}"
    if "x-message" in schema:
        text = f"{schema['x-message'].replace('<found>', show(found))}; allowed: {_allowed(schema)}"
    return text + place


def _bad_key(found: dict[str, Any], names: dict[str, Any]) -> str:
    """The first key that is not as `propertyNames` says."""
    for key in found:
        if (
            key not in names.get("enum", (key,))
            or len(key) < names.get("minLength", 0)
            or not re.search(names.get("pattern", ""), key)
        ):
            return key
    return ""


def _allowed(schema: dict[str, Any]) -> str:
    schema = _resolve(schema, "common.json")[1] if "$ref" in schema else schema
    if "enum" in schema:
        return ", ".join(schema["enum"])
    description: str = schema["description"]
    return description


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


def _subschema(pointer: str, file: str, name: str) -> tuple[str, dict[str, Any], str]:
    """The file and subschema that a pointer leads to, and the section of the specification for it."""
    schema = DOCUMENT[file]["$defs"][name] if name else DOCUMENT[file]
    section = schema.get("x-spec", "")
    for part in split(pointer):
        child = schema.get("items") if schema["type"] == "array" else schema.get("properties", {}).get(part)
        file, schema = _resolve(child or schema["additionalProperties"], file)
        section = schema.get("x-spec", section)
    return file, schema, section


def _at(value: Any, pointer: str) -> Any:
    for part in split(pointer):
        value = value[int(part)] if isinstance(value, list) else value[part]
    return value
