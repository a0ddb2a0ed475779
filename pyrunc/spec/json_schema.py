"""Our schema through jsonschema: the one module that imports it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator, ValidationError, validators

from pyrunc.spec.schema_document import DOCUMENT, KINDS


def _is_integer(checker: object, value: object) -> bool:
    return type(value) is int  # neither true nor 1.0


def _pattern(validator: object, pattern: str, value: object, schema: object) -> Iterator[ValidationError]:
    """`$` is the very end, as JSON Schema has it; Python's would let a line break follow."""
    if isinstance(value, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


_Validator = validators.extend(
    Draft202012Validator,
    validators={"pattern": _pattern},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer),
)


@cache
def validator(kind: str) -> Any:
    """A jsonschema validator of one kind of document: config, process, resources, state or features."""
    file, name = KINDS[kind]
    return _Validator(_inlined(DOCUMENT[file]["$defs"][name] if name else DOCUMENT[file], file))


def _inlined(schema: Any, file: str) -> Any:
    """A schema with every $ref replaced by what it points at: no definition contains itself."""
    if isinstance(schema, list):
        return [_inlined(item, file) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        target, _, name = schema["$ref"].partition("#/$defs/")
        file = target or file
        return _inlined(DOCUMENT[file]["$defs"][name], file)
    return {key: _inlined(value, file) for key, value in schema.items() if key != "$defs"}


def iterate_errors(value: Any, kind: str) -> Iterator[tuple[list[str | int], str, Any, Any]]:
    """Every violation: path, keyword, what a message needs (required names, the key at fault), value."""
    seen = set()
    for error in validator(kind).iter_errors(value):
        path = list(error.absolute_path)
        keyword, argument, found = error.validator, error.validator_value, error.instance
        if "propertyNames" in error.absolute_schema_path:
            keyword, argument = "propertyNames", error.instance
        place = (*path, keyword, argument if keyword == "propertyNames" else "")
        if place not in seen:  # one per place: several missing names are told together
            seen.add(place)
            yield path, keyword, argument, found
