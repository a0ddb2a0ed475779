"""Our schema through jsonschema: the one module that imports it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator, ValidationError, validators
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from pyrunc.spec.schema_document import DOCUMENT

REFERENCES = {
    "config": "config.json",
    "process": "process.json#/$defs/process",
    "resources": "resources.json#/$defs/resources",
    "state": "state.json",
    "features": "features.json",
}


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


def validator(kind: str) -> Any:
    """A jsonschema validator of one kind of document: a key of REFERENCES."""
    resources = [(name, Resource(contents=schema, specification=DRAFT202012)) for name, schema in DOCUMENT.items()]
    registry: Any = Registry().with_resources(resources)
    return _Validator({"$ref": REFERENCES[kind]}, registry=registry)


def iterate_errors(value: Any, kind: str) -> Iterator[tuple[list[str | int], str, Any, Any]]:
    """Every violation: path, keyword, what the message needs (missing names, the key at fault), value found."""
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
