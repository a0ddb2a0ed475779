"""Where in a JSON text a value stands, for error messages."""

from __future__ import annotations

import re
from json.decoder import JSONDecoder, scanstring  # type: ignore[attr-defined]

_SPACE = re.compile(r"[ \t\n\r]*")
_CONSTANT = re.compile(r'"(?:[^"\\]|\\.)*"|(NaN|-?Infinity|[0-9]{4301,})')
_decode = JSONDecoder(strict=False).raw_decode


def find_line(text: str, pointer: str) -> int:
    """The line, from 1, of `find_offset`."""
    return text.count("\n", 0, find_offset(text, pointer)) + 1


def find_offset(text: str, pointer: str) -> int:
    """Where the value that a JSON pointer leads to begins, or its innermost parent that exists.

    For a property of an object that is its name.  `text` is valid JSON.
    """
    at = offset = _skip(text, 0)
    for name in split(pointer):
        found = _in_object(text, at, name) if text[at] == "{" else _in_array(text, at, name)
        if found is None:
            break
        offset, at = found
    return offset


def find_constant(text: str) -> int:
    """Where the first of NaN, Infinity and endless integers stands outside of strings, or 0."""
    return next((match.start() for match in _CONSTANT.finditer(text) if match[1]), 0)


def split(pointer: str) -> list[str]:
    """The parts of a JSON pointer, unescaped (RFC 6901)."""
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    assert match
    return match.end()


def _in_object(text: str, at: int, name: str) -> tuple[int, int] | None:
    """Where the last member called `name` and its value begin (the last one is the one that counts)."""
    found = None
    at = _skip(text, at + 1)
    while text[at] != "}":
        key_at = at
        key, at = scanstring(text, at + 1)
        at = _skip(text, _skip(text, at) + 1)
        if key == name:
            found = (key_at, at)
        _, at = _decode(text, at)
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return found


def _in_array(text: str, at: int, name: str) -> tuple[int, int] | None:
    """Where the item number `name` begins."""
    if text[at] != "[" or not name.isdecimal():
        return None
    at = _skip(text, at + 1)
    for _ in range(int(name)):
        if text[at] == "]":
            return None
        _, at = _decode(text, at)
        at = _skip(text, at)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return (at, at)
