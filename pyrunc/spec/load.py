"""Reading OCI documents: a bundle's config.json, a process, resources; refused unless they are valid.

Here: files and the order of the checks (JSON, schema, rules).  Why a document
is wrong, and where, is found out by `explain`, which is imported only then.
"""

from __future__ import annotations

import os

from pyrunc.cores import parse_json, render_json
from pyrunc.errors import SpecError, reason_of
from pyrunc.spec.rules import ROOTS, check_rules, nest
from pyrunc.spec.schema import is_valid
from pyrunc.spec.schema_table import CONFIG, PROCESS, RESOURCES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyrunc.spec.schema_table import Node
    from pyrunc.spec.types import Config, Process, Resources

CONFIG_NAME = "config.json"


class LoadedConfig:
    """A valid configuration: `config`, and its `text`, byte by byte unless something was null."""

    __slots__ = ("config", "text")

    def __init__(self, config: Config, text: bytes) -> None:
        self.config = config
        self.text = text


def load_bundle(bundle: str) -> LoadedConfig:
    """The valid configuration of the bundle at `bundle`.

    Raises SpecError, with every violation found, if it is missing, unreadable or not valid.
    """
    path = os.path.join(bundle, CONFIG_NAME)
    text = _read(path)
    return LoadedConfig(*_load(text, path, "config", CONFIG))


def load_process(source: str | bytes) -> Process:
    """The process of `exec --process`, a file's path (str) or a text (bytes).  Raises SpecError."""
    process: Process = _load_source(source, "process", PROCESS)
    return process


def load_resources(source: str | bytes) -> Resources:
    """The resources of `update --resources`, a file's path (str) or a text (bytes).  Raises SpecError."""
    resources: Resources = _load_source(source, "resources", RESOURCES)
    return resources


def validate_bundle(bundle: str) -> list[SpecError]:
    """Everything that is wrong with a bundle's configuration, in the order of the file."""
    path = os.path.join(bundle, CONFIG_NAME)
    try:
        text = _read(path)
        value = _parse(text, path)
    except SpecError as error:
        return [error]
    from pyrunc.spec.explain import explain
    from pyrunc.spec.nulls import without_nulls

    return explain(without_nulls(value, CONFIG), text, path, "config")


def _load_source(source: str | bytes, kind: str, schema: Node) -> Any:
    text, path = (source, kind) if isinstance(source, bytes) else (_read(source), source)
    return _load(text, path, kind, schema)[0]


def _load(text: bytes, path: str, kind: str, schema: Node) -> tuple[Any, bytes]:
    """The valid value of a document of one kind (config, process or resources), and its text."""
    value = _parse(text, path)
    if _is_good(value, kind, schema):
        return value, text
    from pyrunc.spec.nulls import without_nulls

    value = without_nulls(value, schema)
    if _is_good(value, kind, schema):
        return value, render_json(value).encode()
    from pyrunc.spec.explain import explain, summarise

    raise summarise(explain(value, text, path, kind))


def _is_good(value: Any, kind: str, schema: Node) -> bool:
    return is_valid(value, schema) and not any(True for _ in check_rules(nest(value, kind), ROOTS[kind]))


def _read(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY)
        try:
            parts = []
            while part := os.read(descriptor, 1 << 20):
                parts.append(part)
            return b"".join(parts)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        bundle, name = os.path.split(path)
        raise SpecError(f"JSON specification file {name} not found in {bundle or '.'}", path=path) from None
    except (OSError, ValueError) as error:
        why = reason_of(error) if isinstance(error, OSError) else str(error)
        raise SpecError(f"cannot read {path}: {why}", path=path) from error


def _parse(text: bytes, path: str) -> Any:
    try:
        value = parse_json(text)
    except ValueError as error:
        from pyrunc.spec.explain import parse_error

        raise parse_error(error, text, path) from None
    if b"\\ud" in text or b"\\uD" in text:
        from pyrunc.spec.explain import refuse_surrogates

        refuse_surrogates(value, text, path)
    return value
