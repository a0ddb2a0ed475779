"""GVariant's text form."""

from __future__ import annotations

from typing import Any

import pytest

from pyrunc.cgroup.gvariant import parse, split_signature

GOOD: list[tuple[str, str, Any]] = [
    ("true", "b", True),
    ("5", "i", 5),
    ("-5", "i", -5),
    ("uint64 18446744073709551615", "t", 2**64 - 1),
    ("byte 0x1f", "y", 31),
    ("1.5", "d", 1.5),
    ("double 2", "d", 2.0),
    ("'a b'", "s", "a b"),
    (r"'it\'s \\ \n \u00e4'", "s", "it's \\ \n ä"),
    ('"x"', "s", "x"),
    ("objectpath '/a'", "o", "/a"),
    ("[1, 2]", "ai", [1, 2]),
    ("[byte 1, 2]", "ay", [1, 2]),
    ("@as []", "as", []),
    ("[('/dev/null', 'rw')]", "a(ss)", [("/dev/null", "rw")]),
    ("@a(st) [('/dev/x', 5)]", "a(st)", [("/dev/x", 5)]),
    ("<uint32 5>", "v", ("u", 5)),
    ("@ay [0x03]", "ay", [3]),
    ("('a', uint32 1, [true])", "(suab)", ("a", 1, [True])),
]


@pytest.mark.parametrize(("text", "signature", "value"), GOOD, ids=[case[0] for case in GOOD])
def test_values(text: str, signature: str, value: object) -> None:
    assert parse(text) == (signature, value)


BAD = [
    "",
    "[]",
    "[1, 'a']",
    "'open",
    "5 6",
    "byte 256",
    "uint64 -1",
    "word",
    "@i 'a'",
    "(1, 2",
    "@a",
    "@z 1",
    "<5",
    "int32 1.5",
]


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_value(text: str) -> None:
    with pytest.raises(ValueError):
        parse(text)


def test_split_signature() -> None:
    assert split_signature("ssa(sv)a{s(ii)}aav") == ["s", "s", "a(sv)", "a{s(ii)}", "aav"]
    for bad in ("a", "(", "z", "(i"):
        with pytest.raises(ValueError):
            split_signature(bad)
