"""Which properties of the configuration the cases compare; their bundles are made, but not run, to see it."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from tests.base_config import base_config
from tests.bundle import Bundle
from tests.differential.cases import ALL
from tests.differential.lab import Lab
from tests.unit.spec.leaves import found_in


class DryLab(Lab):
    """Names of what a lab would hold."""

    def namespace(self, kind: str) -> str:
        return f"/namespaces/{kind}"

    def tmpfs(self, name: str, options: str) -> Path:
        return self.folder(name)

    def device(self) -> str:
        return "eth1"

    def listener(self, name: str) -> str:
        return f"/sockets/{name}"


class DryBundle(Bundle):
    """A bundle whose files stay those of the tests' user."""

    def give_root(self, uid: int) -> None:
        pass


def _base() -> dict[str, Any]:
    """What every case begins with."""
    config = base_config()
    config["process"]["args"] = ["/bin/probe"]
    return config


@cache
def configs() -> dict[str, dict[str, Any]]:
    """Name of a case → its configuration."""
    made = {}
    with tempfile.TemporaryDirectory(prefix="pyrunc-") as scratch:
        root = Path(scratch) / "root"
        for folder in ("dev", "etc", "tmp", "var"):
            (root / folder).mkdir(parents=True)
        for name, case in ALL:
            bundle = DryBundle(Path(scratch) / name, _base(), root)
            case.prepare(bundle, DryLab(Path(scratch) / f"{name}.lab"))
            made[name] = bundle.config
    return made


def cases_of(leaf: tuple[str, ...]) -> list[str]:
    """The cases that compare a property: those that have it on purpose come first, then those that have it anyway."""
    plain = found_in(_base(), leaf)
    holding = [name for name, config in configs().items() if found_in(config, leaf)]
    named = [name for name in holding if _differs(configs()[name], leaf)] if plain else holding
    return named or holding


def _values(value: Any, leaf: tuple[str, ...]) -> list[Any]:
    if not leaf:
        return [value]
    if leaf[0] == "*":
        items = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
        return [found for item in items for found in _values(item, leaf[1:])]
    return _values(value[leaf[0]], leaf[1:]) if isinstance(value, dict) and leaf[0] in value else []


def _differs(config: dict[str, Any], leaf: tuple[str, ...]) -> bool:
    """Whether the case sets another value than every case has."""
    return _values(config, leaf) != _values(_base(), leaf)
