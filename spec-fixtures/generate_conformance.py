"""Generates spec-fixtures/CONFORMANCE.md: for each duty of the specification who fulfils and who tests it.

Three tables: every property of the schema with the modules that read it
(spec-fixtures/traced.py sees them do it), the fixtures that hold it, the test
files that name it and the differential cases that compare it; the rules of the
lifecycle with their tests, by name (`test_c07_...`); the mandated errors with
theirs (tests/integration/mandated.py).

Run it without arguments to write the file, with --check to compare it.  An
empty cell stops it.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT), str(HERE)]

from traced import readers  # noqa: E402

from tests.differential import coverage  # noqa: E402
from tests.integration import mandated  # noqa: E402
from tests.unit.spec.leaves import found_in, leaf_schemas  # noqa: E402

TARGET = HERE / "CONFORMANCE.md"
SHOWN = 3
UNITS = ("unit/plan", "unit/cgroup", "unit/spec", "unit/execute")
TEST_FOLDERS = ("integration", "differential/cases", "security", *UNITS)

LIFECYCLE = {
    1: ("runtime.md#scope-of-a-container", "The creator of a container can use every operation on it."),
    2: ("runtime.md#state", "The state has its properties, the pid while there is one, the annotations."),
    3: ("runtime.md#create", "An id that is used or invalid is an error and nothing is made."),
    4: ("runtime.md#state", "The status is one of the four, or one of another meaning (paused)."),
    5: ("runtime.md#create", "create needs id and bundle, makes everything, and does not run the program."),
    6: ("runtime.md#create", "process.args is applied by start only."),
    7: ("runtime.md#create", "A property that cannot be applied is an error and there is no container."),
    8: ("runtime.md#lifecycle", "Later edits of config.json have no effect."),
    9: ("runtime.md#lifecycle", "Hooks run in order, at their points."),
    10: ("runtime.md#lifecycle", "A failing hook is an error, stops the container and destroys it."),
    11: ("runtime.md#start", "start needs an id, the status created, and a process."),
    12: ("runtime.md#start", "start runs the program; the poststart hooks run before it returns."),
    13: ("runtime.md#kill", "kill sends exactly the given signal, to created and running containers only."),
    14: ("runtime.md#delete", "delete wants stopped, removes exactly what create made, and frees the id."),
    15: ("runtime.md#lifecycle", "The poststop hooks run before delete returns; failures are warnings."),
    16: ("runtime.md#query-state", "state of an unknown id is an error."),
    17: ("runtime.md#errors", "An error leaves everything as if nothing had been tried."),
    18: ("runtime-linux.md#file-descriptors", "Only the standard streams stay open, but for activation."),
    19: ("runtime-linux.md#dev-symbolic-links", "/dev/fd, stdin, stdout and stderr are links."),
    20: ("runtime.md#operations", "Validation before and during create says the same."),
}


def names_of(path: tuple[str, ...]) -> list[str]:
    """A leaf's own name and the one above it, which together stand in a test that is about it."""
    return [part for part in path if part != "*"][-2:]


def fixtures() -> dict[str, object]:
    """Every document of spec-fixtures/bundles by name, those about little first."""
    files = sorted(HERE.glob("bundles/*/config.json"), key=lambda path: (path.stat().st_size, path))
    return {path.parent.name: json.loads(path.read_text()) for path in files}


def invalid_pointers() -> dict[str, set[tuple[str, ...]]]:
    """Name of an invalid case → the pointers of its errors, numbers as `*`."""
    result = {}
    for path in sorted(HERE.glob("invalid/*/expected.json")):
        pointers = {tuple(entry["pointer"].split("/")[1:]) for entry in json.loads(path.read_text())}
        result[path.parent.name] = {tuple("*" if part.isdigit() else part for part in at) for at in pointers}
    return result


def test_texts() -> dict[str, str]:
    """The test files that may name a property."""
    files = [path for folder in TEST_FOLDERS for path in sorted((ROOT / "tests" / folder).glob("*.py"))]
    return {str(path.relative_to(ROOT)): path.read_text() for path in files if path.name != "__init__.py"}


def naming(path: tuple[str, ...], texts: dict[str, str]) -> list[str]:
    """The test files that hold the name of the leaf and of what it is in, in quotes or as an attribute."""
    wanted = [re.compile(rf"[\"'/.]{re.escape(name)}\b") for name in names_of(path)]
    return [file for file, text in texts.items() if all(pattern.search(text) for pattern in wanted)]


def shown(entries: list[str], separator: str = ", ") -> str:
    """The first of a list; `…` stands for the others."""
    return separator.join(entries[:SHOWN]) + (" …" if len(entries) > SHOWN else "")


def properties() -> list[tuple[str, ...]]:
    """Rows: property, modules, fixtures, test files, differential cases."""
    configs, wrong, texts, read = fixtures(), invalid_pointers(), test_texts(), readers()
    rows = []
    for leaf, schema in leaf_schemas().items():
        modules = [module.removeprefix("pyrunc.") for module in read[leaf]]
        modules = [module for module in modules if not module.startswith("spec.")] or modules
        if schema.get("maxItems") == 0:
            modules = ["spec.schema"]  # which lets pass an empty list only
        cases = [f"bundles/{name}" for name, config in configs.items() if found_in(config, leaf)]
        refused = [f"invalid/{name}" for name, at in wrong.items() if leaf in at or leaf[:-1] in at]
        cases = cases[:2] + refused + cases[2:]
        files = [file.removeprefix("tests/") for file in naming(leaf, texts)]
        compared = coverage.cases_of(leaf)
        rows.append(("/".join(leaf), ", ".join(modules), shown(cases), shown(files), shown(compared)))
    return rows


def lifecycle() -> list[tuple[str, ...]]:
    """Rows: number, section, rule, tests."""
    found: dict[int, list[str]] = {number: [] for number in LIFECYCLE}
    for path in sorted((ROOT / "tests/integration").glob("test_*.py")):
        for name, number in re.findall(r"^def (test_c(\d\d)_\w+)", path.read_text(), re.M):
            found[int(number)].append(f"{path.name}::{name}")
    return [(f"C.{number}", *rule, "<br>".join(found[number])) for number, rule in LIFECYCLE.items()]


def errors() -> list[tuple[str, ...]]:
    """Rows: section, duty, test."""
    rows = []
    for function, cases in (
        ("test_create_refuses", mandated.CREATE),
        ("test_command_refuses", mandated.COMMANDS),
    ):
        for name, case in cases.items():
            rows.append((case.section, case.duty, f"test_mandated_errors.py::{function}[{name}]"))
    for (section, duty), (file, function) in mandated.ELSEWHERE.items():
        if not re.search(rf"def {function}\(", (ROOT / file).read_text()):
            sys.exit(f"{file} has no {function}")
        rows.append((section, duty, f"{file.removeprefix('tests/')}::{function}"))
    return sorted(rows)


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Markdown; every cell must hold something."""
    for row in rows:
        if not all(row):
            sys.exit(f"an empty cell: {row}")
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, tuple("---" for _ in head), *rows)]
    return "\n".join(lines) + "\n"


def document() -> str:
    """The whole file."""
    return f"""# Conformance to runtime-spec 1.3, Linux

Generated by spec-fixtures/generate_conformance.py: do not edit.

## Properties

`*` stands for an item of a list or a key of a map. Modules are those of pyrunc that read the property, as
seen while all fixtures are planned on every kind of host. Fixtures are below spec-fixtures, tests
below tests; the last column has cases of tests/differential, which run under runc and crun too.

{table(("property", "read by", "fixtures", "tests that name it", "compared in"), properties())}
## Lifecycle

{table(("rule", "section", "duty", "tests"), lifecycle())}
## Mandated errors

Each is provoked; afterwards no process, mount, cgroup or record may be left.

{table(("section", "what is refused", "test"), errors())}"""


def main() -> None:
    """Write the file, or compare it."""
    text = document()
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(text)
    elif not TARGET.exists() or TARGET.read_text() != text:
        sys.exit(f"{TARGET.name} is out of date: run {Path(__file__).name}")


if __name__ == "__main__":
    main()
