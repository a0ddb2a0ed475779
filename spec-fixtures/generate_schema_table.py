"""Generates pyrunc/spec/schema_table.py and schema_document.py from spec-fixtures/schema.

Here: the translation of the few JSON Schema keywords that our schema uses into
the tuples that `pyrunc.spec.schema` interprets.  A keyword it does not know
stops it, so that the interpreter never says less than the schema.

Run it without arguments to write the two modules, with --check to compare them.
"""

from __future__ import annotations

import json
import pprint
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TARGET = HERE.parent / "pyrunc" / "spec"
DOCUMENT_KINDS = {
    "config": ("config.json", ""),
    "process": ("process.json", "process"),
    "resources": ("resources.json", "resources"),
    "state": ("state.json", ""),
    "features": ("features.json", ""),
}
HOT_KINDS = ("config", "process", "resources")  # those that the interpreter decides on
NODE_KINDS = ("BOOLEAN", "INTEGER", "STRING", "ENUM", "ARRAY", "OBJECT")
# Kinds are literals in the table: Python folds tuples of constants, which makes it load faster.
BOOLEAN, INTEGER, STRING, ENUM, ARRAY, OBJECT = range(6)
ANNOTATIONS = frozenset(("$schema", "$defs", "description", "x-spec", "x-message"))
KEYWORDS = {
    "boolean": frozenset(),
    "integer": frozenset(("minimum", "maximum")),
    "string": frozenset(("minLength", "maxLength", "pattern", "enum")),
    "array": frozenset(("items", "minItems", "maxItems")),
    "object": frozenset(("properties", "required", "propertyNames", "additionalProperties")),
}
NO_NUL = r"^[^\u0000]*$"
Step = tuple[str, bool, int, int]


def read_schemas() -> dict[str, Any]:
    """Every schema file by name."""
    return {path.name: json.loads(path.read_text()) for path in sorted((HERE / "schema").glob("*.json"))}


class Table:
    """The definitions translated so far, in an order in which each uses only earlier ones."""

    def __init__(self, schemas: dict[str, Any]) -> None:
        self.schemas = schemas
        self.roots = {DOCUMENT_KINDS[kind]: kind.upper() for kind in HOT_KINDS}
        self.lines: list[str] = []
        self.names: dict[tuple[str, str], str] = {}

    def define(self, file: str, definition: str) -> str:
        """The Python name of a definition ("" = the whole file), translated once."""
        key = (file, definition)
        if key not in self.names:
            schema = self.schemas[file]["$defs"][definition] if definition else self.schemas[file]
            self.names[key] = self.roots.get(key) or f"{file.removesuffix('.json')}_{definition}".upper()
            text = self.node(schema, file)
            self.lines.append(f"{self.names[key]} = {text}  # type: Node")
        return self.names[key]

    def node(self, schema: dict[str, Any], file: str, kind: str = "") -> str:
        """The tuple of one subschema as Python source; `kind` where the type is implied."""
        if "$ref" in schema:
            if set(schema) != {"$ref"}:
                raise SystemExit(f"{file}: $ref with siblings: {schema}")
            target, _, pointer = schema["$ref"].partition("#/$defs/")
            return self.define(target or file, pointer)
        kind = schema.get("type", kind)
        unknown = set(schema) - ANNOTATIONS - KEYWORDS[kind] - {"type"}
        if unknown or "description" not in schema:
            raise SystemExit(f"{file}: unknown keywords {sorted(unknown)} or no description in {schema}")
        translated: str = getattr(self, f"_{kind}")(schema, file)
        return translated

    def _boolean(self, schema: dict[str, Any], file: str) -> str:
        return f"({BOOLEAN},)"

    def _integer(self, schema: dict[str, Any], file: str) -> str:
        return f"({INTEGER}, {schema['minimum']}, {schema['maximum']})"

    def _string(self, schema: dict[str, Any], file: str) -> str:
        if "enum" in schema:
            return f"({ENUM}, frozenset({tuple(schema['enum'])!r}))"
        pattern = schema.get("pattern", "")
        steps, whole = (None, False) if pattern in ("", NO_NUL) else parse_pattern(pattern)
        least, most = schema.get("minLength", 0), schema.get("maxLength", -1)
        return f"({STRING}, {least}, {most}, {pattern == NO_NUL}, {steps!r}, {whole})"

    def _array(self, schema: dict[str, Any], file: str) -> str:
        item = self.node(schema["items"], file)
        return f"({ARRAY}, {item}, {schema.get('minItems', 0)}, {schema.get('maxItems', -1)})"

    def _object(self, schema: dict[str, Any], file: str) -> str:
        properties = schema.get("properties", {})
        names, values = schema.get("propertyNames"), schema.get("additionalProperties")
        if properties and (names or values):
            raise SystemExit(f"{file}: an object has properties or arbitrary keys, not both: {schema}")
        keys = self.node(names, file, "string") if names else None
        others = self.node(values, file) if values else None
        members = ", ".join(f"{name!r}: {self.node(value, file)}" for name, value in properties.items())
        return f"({OBJECT}, {{{members}}}, {tuple(schema.get('required', ()))!r}, {keys}, {others})"


def parse_pattern(pattern: str) -> tuple[tuple[Step, ...], bool]:
    """Steps (characters, negated, least, most) of a pattern, and whether it ends with `$`.

    Understood: `^`, then characters, `\\.` and classes, each with `*`, `+` or
    nothing behind it.  A repeated step and the one behind it must have no
    character in common: then the greedy walk of the interpreter is exact.
    """
    if pattern[0] != "^":
        raise SystemExit(f"pattern without ^: {pattern}")
    steps: list[Step] = []
    at = 1
    while at < len(pattern) and pattern[at:] != "$":
        characters, negated, at = parse_atom(pattern, at)
        quantifier = pattern[at : at + 1]
        least, most = {"*": (0, -1), "+": (1, -1)}.get(quantifier, (1, 1))
        at += quantifier in ("*", "+")
        if steps and steps[-1][3] < 0 and overlap(steps[-1], (characters, negated)):
            raise SystemExit(f"ambiguous pattern: {pattern}")
        steps.append((characters, negated, least, most))
    return tuple(steps), pattern.endswith("$")


def parse_atom(pattern: str, at: int) -> tuple[str, bool, int]:
    """The characters of one atom, whether they are excluded, and where it ends."""
    if pattern[at] == "\\":
        if pattern[at + 1].isalnum():
            raise SystemExit(f"escape not understood: {pattern}")
        return pattern[at + 1], False, at + 2
    if pattern[at] != "[":
        if pattern[at] in "()|?{}*+.$":
            raise SystemExit(f"pattern not understood: {pattern}")
        return pattern[at], False, at + 1
    end = pattern.index("]", at)
    negated = pattern[at + 1] == "^"
    body = decode_escapes(pattern[at + 1 + negated : end])
    characters, index = "", 0
    while index < len(body):
        if body[index + 1 : index + 2] == "-" and index + 2 < len(body):
            characters += "".join(map(chr, range(ord(body[index]), ord(body[index + 2]) + 1)))
            index += 3
        else:
            characters += body[index]
            index += 1
    return characters, negated, end + 1


def decode_escapes(body: str) -> str:
    """The characters of a class with its escapes resolved, none of which is a dash."""
    plain = body.replace(r"\u0000", "\0").replace(r"\n", "\n").replace(r"\t", "\t")
    if "\\" in plain:
        raise SystemExit(f"escape not understood: {body}")
    return plain


def overlap(step: Step, following: tuple[str, bool]) -> bool:
    """Whether a repeated step could eat what the following one needs."""
    if step[1] and following[1]:
        return True
    if step[1] or following[1]:
        excluded, included = (step[0], following[0]) if step[1] else (following[0], step[0])
        return not set(included) <= set(excluded)
    return bool(set(step[0]) & set(following[0]))


HEADER = '''"""{title}

Generated from spec-fixtures/schema by spec-fixtures/generate_schema_table.py: change those.
"""

# ruff: noqa
from __future__ import annotations

'''
TABLE_START = """TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Node = tuple[Any, ...]

"""


def render_table(schemas: dict[str, Any]) -> str:
    """The source of schema_table.py."""
    table = Table(schemas)
    for file, definition in table.roots:
        table.define(file, definition)
    return (
        HEADER.format(title="Our schema as the tuples that `pyrunc.spec.schema` interprets.")
        + TABLE_START
        + f"{', '.join(NODE_KINDS)} = range(6)\n\n"
        + "\n".join(table.lines)
        + "\n"
    )


def render_document(schemas: dict[str, Any]) -> str:
    """The source of schema_document.py."""
    return (
        HEADER.format(title="Our schema as it is written, for explanations; never imported when all is well.")
        + "from typing import Any\n\n"
        + f"KINDS = {DOCUMENT_KINDS!r}\n\n"
        + "DOCUMENT: dict[str, Any] = "
        + pprint.pformat(schemas, width=118, sort_dicts=False)
        + "\n"
    )


def main() -> int:
    """Write or compare the generated modules."""
    schemas = read_schemas()
    texts = {"schema_table.py": render_table(schemas), "schema_document.py": render_document(schemas)}
    stale = False
    for name, text in texts.items():
        path = TARGET / name
        if "--check" not in sys.argv:
            path.write_text(text)
        elif not path.is_file() or path.read_text() != text:
            print(f"{path.name} does not match the schema: run {Path(__file__).name}", file=sys.stderr)
            stale = True
    return int(stale)


if __name__ == "__main__":
    sys.exit(main())
