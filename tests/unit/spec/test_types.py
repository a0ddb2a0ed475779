"""The shapes for the type checker (spec/types.py) say what the schema says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NotRequired, get_args, get_origin, get_type_hints, is_typeddict

import pytest

from pyrunc.spec import schema_table, types

SCALARS = {schema_table.BOOLEAN: bool, schema_table.INTEGER: int, schema_table.STRING: str, schema_table.ENUM: str}


def required(shape: Any) -> set[str]:
    """The keys that a shape cannot do without; its own list is wrong where annotations are texts."""
    hints = get_type_hints(shape, include_extras=True)
    return {name for name, hint in hints.items() if shape.__total__ and get_origin(hint) is not NotRequired}


def differences(shape: Any, node: schema_table.Node, path: str = "") -> Iterator[str]:
    """Where a shape and a node of the schema say different things."""
    kind = node[0]
    if kind in SCALARS:
        if shape is not SCALARS[kind]:
            yield path
    elif kind == schema_table.ARRAY:
        if get_origin(shape) is list:
            yield from differences(get_args(shape)[0], node[1], f"{path}/*")
        else:
            yield path
    elif node[4] is not None:  # a map: any key, one kind of value
        if get_origin(shape) is dict:
            yield from differences(get_args(shape)[1], node[4], f"{path}/*")
        else:
            yield path
    elif not is_typeddict(shape):
        yield path
    else:
        hints = get_type_hints(shape)
        yield from (f"{path}/{name}" for name in hints.keys() ^ node[1].keys())
        yield from (f"{path}/{name}: required" for name in required(shape) ^ set(node[2]))
        for name in hints.keys() & node[1].keys():
            yield from differences(hints[name], node[1][name], f"{path}/{name}")


@pytest.mark.parametrize("name", ["Config", "Process", "Resources"])
def test_the_shapes_are_those_of_the_schema(name: str) -> None:
    assert list(differences(getattr(types, name), getattr(schema_table, name.upper()))) == []
