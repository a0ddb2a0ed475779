"""Random configurations, drawn from our schema and then cut until the rules agree too."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from pyrunc.spec.rules import check_rules
from pyrunc.spec.schema import first_violation
from pyrunc.spec.schema_document import DOCUMENT
from pyrunc.spec.schema_table import CONFIG
from tests.unit.spec.leaves import leaves

from .likely import LIKELY, MAPPINGS, NAMESPACES

Place = tuple[str | int, ...]

LEAVES = leaves()
MOST = 4  # items of a list, and optional properties of an object beside those that are drawn on purpose


def resolve(schema: dict[str, Any], file: str) -> tuple[dict[str, Any], str]:
    """The schema that a reference stands for, and the file that it is in."""
    while "$ref" in schema:
        target, _, pointer = schema["$ref"].partition("#")
        file = target or file
        schema = DOCUMENT[file]
        for part in pointer.split("/")[1:]:
            schema = schema[part]
    return schema, file


def values(
    schema: dict[str, Any], file: str, path: tuple[str, ...] = (), wanted: tuple[str, ...] = ()
) -> st.SearchStrategy[Any]:
    """Values of a schema at a path of property names (`*` for items); a leaf `wanted` below is there for sure."""
    if path in LIKELY:
        return LIKELY[path]
    schema, file = resolve(schema, file)
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema.get("type", "string")  # names of properties are strings without saying so
    if kind == "object":
        return objects(schema, file, path, wanted)
    if kind == "array":
        items = values(schema.get("items", {"type": "string"}), file, (*path, "*"), wanted)
        least = max(schema.get("minItems", 0), int(wanted[: len(path) + 1] == (*path, "*")))
        return st.lists(items, min_size=least, max_size=schema.get("maxItems", MOST))
    if kind == "integer":
        least, most = schema.get("minimum", -(2**63)), schema.get("maximum", 2**64 - 1)
        near = st.integers(max(least, 0), min(most, 9)) if least <= 9 and most >= 0 else st.nothing()
        return near | st.integers(least, most)
    if kind == "boolean":
        return st.booleans()
    return texts(schema)


def texts(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    """Strings, of a pattern if there is one."""
    least, most = schema.get("minLength", 0), schema.get("maxLength")
    if "pattern" not in schema:
        return st.text(st.characters(codec="utf-8"), min_size=least, max_size=most or 12)
    found = st.from_regex(schema["pattern"].replace("$", r"\Z"))
    return found.filter(lambda text: least <= len(text) <= (most or 40))


def required_properties(
    schema: dict[str, Any], file: str, path: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    """The paths of the properties that their objects must have."""
    schema, file = resolve(schema, file)
    yield from ((*path, name) for name in schema.get("required", ()))
    children = [*schema.get("properties", {}).items()]
    children += [
        ("*", schema[key]) for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict)
    ]
    for name, child in children:
        yield from required_properties(child, file, (*path, name))


@st.composite
def objects(
    draw: st.DrawFn, schema: dict[str, Any], file: str, path: tuple[str, ...], wanted: tuple[str, ...]
) -> dict[str, Any]:
    """What is required or wanted, a few of the others, and entries with free keys."""
    properties = schema.get("properties", {})
    needed = set(schema.get("required", ()))
    next_wanted = wanted[len(path)] if wanted[: len(path)] == path and len(wanted) > len(path) else ""
    if next_wanted in properties:
        needed.add(next_wanted)
    others = sorted(set(properties) - needed)
    most = draw(st.integers(0, min(MOST, len(others))))  # of a set alone it would nearly always be few
    chosen = draw(st.sets(st.sampled_from(others), min_size=most, max_size=most)) if most else set()
    made = {
        name: draw(values(properties[name], file, (*path, name), wanted)) for name in sorted(needed | chosen)
    }
    more = schema.get("additionalProperties")
    if isinstance(more, dict):
        names = values(schema.get("propertyNames", {"minLength": 1}), file)
        for key in draw(st.lists(names, min_size=int(next_wanted == "*"), max_size=2)):
            if key not in properties:
                made[key] = draw(values(more, file, (*path, "*"), wanted))
    return made


REQUIRED = set(required_properties(DOCUMENT["config.json"], "config.json"))


@st.composite
def any_config(draw: st.DrawFn) -> dict[str, Any]:
    """Configurations that the schema allows, with one leaf for sure; whether the rules allow them is open."""
    wanted = draw(st.sampled_from(LEAVES))
    config: dict[str, Any] = draw(values(DOCUMENT["config.json"], "config.json", (), wanted))
    return config


def places(value: Any, place: Place = ()) -> Iterator[Place]:
    """The place of every value below, the value itself left out."""
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, child in children:
        yield (*place, key)
        yield from places(child, (*place, key))


def pointer_of(place: Place) -> str:
    """As a JSON pointer."""
    return "".join("/" + str(key).replace("~", "~0").replace("/", "~1") for key in place)


def at(value: Any, place: Place) -> Any:
    """The value there."""
    for key in place:
        value = value[key]
    return value


def cut(config: Any, pointer: str) -> bool:
    """Remove what is at a pointer, or the nearest that holds it; False if that is everything."""
    found: Place = ()
    value = config
    for part in pointer.split("/")[1:]:
        key: str | int = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and part.isdigit() and int(part) < len(value):
            key = int(part)
        elif not isinstance(value, dict) or key not in value:
            break
        found, value = (*found, key), value[key]
    if not found:
        return False
    del at(config, found[:-1])[found[-1]]
    return True


@st.composite
def valid_configs(draw: st.DrawFn) -> dict[str, Any]:
    """Configurations that the schema and the rules allow."""
    config = copy.deepcopy(draw(any_config()))
    if draw(st.booleans()):  # many properties want namespaces of the container's own
        mappings = draw(st.sampled_from(MAPPINGS))
        new = [{"type": kind} for kind in NAMESPACES]
        config.setdefault("linux", {}).update(namespaces=new, uidMappings=mappings, gidMappings=mappings[:1])
    if draw(st.booleans()):  # much of a plan comes from these
        linux = config.setdefault("linux", {})
        config["mounts"], linux["devices"] = draw(LIKELY["mounts",]), draw(LIKELY["linux", "devices"])
    assume(heal(config))
    return config


def heal(config: dict[str, Any]) -> bool:
    """Cut what the schema or the rules refuse; False if that would be everything."""
    while True:
        wrong = first_violation(config, CONFIG)
        if wrong is None:
            error = next(check_rules(config), None)
            if error is None:
                return True
            wrong = error.pointer
        if not cut(config, wrong):
            return False
