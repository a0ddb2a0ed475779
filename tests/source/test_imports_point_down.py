"""Imports point down only (ARCHITECTURE.md, rule 1)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.source.tree import imports_of, name_of, python_files

PURE_CGROUP = ("path", "limits", "limits_v1", "limits_v2", "device_rules", "limits_systemd", "gvariant")

LAYERS: list[list[str]] = [
    ["pyrunc", "pyrunc.errors", "pyrunc.linux", "pyrunc.cores", "pyrunc.native", "pyrunc._native", "pyrunc._seccomp"],
    ["pyrunc.log", "pyrunc._build_info"],
    ["pyrunc.spec"],
    [f"pyrunc.cgroup.{name}" for name in PURE_CGROUP],
    ["pyrunc.plan"],
    ["pyrunc.host", "pyrunc.state", "pyrunc.cgroup"],
    ["pyrunc.execute"],
    ["pyrunc.snapshot"],
    ["pyrunc.operations"],
    ["pyrunc.cli"],
    ["pyrunc.api", "pyrunc.__main__", "pyrunc.snapshot.warm"],
    ["pyrunc.snapshot.booted"],
    ["pyrunc.install"],
]

LAZY = {"pyrunc": {"pyrunc.api"}}
"""The package's own names are loaded on first use, from the top."""


def place(module: str) -> tuple[int, str]:
    """Layer and package of a module: the longest name in LAYERS that fits."""
    fits = [
        (len(name), layer, name)
        for layer, names in enumerate(LAYERS)
        for name in names
        if module == name or (name != "pyrunc" and module.startswith(name + "."))
    ]
    assert fits, f"{module} has no place in LAYERS"
    _, layer, name = max(fits)
    return layer, name


@pytest.mark.parametrize("path", python_files(), ids=name_of)
def test_imports_point_down(path: Path) -> None:
    module = name_of(path)
    layer, package = place(module)
    for imported in sorted(imports_of(path)):
        if not imported.startswith("pyrunc") or imported in LAZY.get(module, ()):
            continue
        other_layer, other = place(imported)
        within = other == package or {package, other} <= {"pyrunc.cgroup", *LAYERS[3]} or layer == 0 or layer == 3
        assert other_layer < layer or (other_layer == layer and within), f"{module} imports {imported}"


HOMES = {
    "click": ("pyrunc.cli.app", "pyrunc.install.completion"),
    "jsonschema": ("pyrunc.spec.explain", "pyrunc.spec.json_schema"),
    "referencing": ("pyrunc.spec.json_schema",),
    "pyroute2": ("pyrunc.execute.network",),
    "pyrunc._native": ("pyrunc.native",),
    "pyrunc._seccomp": ("pyrunc.execute.seccomp",),
    "cffi": (),
    "_json": ("pyrunc.cores",),
    "_socket": ("pyrunc.cores",),
    "_struct": ("pyrunc.cores",),
}


@pytest.mark.parametrize("library", HOMES)
def test_libraries_live_in_one_place(library: str) -> None:
    users = [
        name_of(path)
        for path in python_files()
        if any(name == library or name.startswith(library + ".") for name in imports_of(path))
    ]
    assert [user for user in users if user not in HOMES[library]] == []
