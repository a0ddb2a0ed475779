"""The same bundle under the runtime under test and under Debian's runc: same effect.

Compared: the probe's report from inside, cgroup files, the state JSON as
created and as stopped, exit codes and classes of errors.  crun runs along for
information when PYRUNC_TEST_CRUN is set (its differences are printed, not judged).
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import cgroups
from tests.harness import Box, Container, Runtime, descendants

from . import cases, compare
from .cases import Case, Lab

ALL: list[tuple[str, Case]] = [
    (f"{module.name}-{case.name}", case)
    for module in pkgutil.iter_modules(cases.__path__)
    for case in importlib.import_module(f"{cases.__name__}.{module.name}").CASES
]


def outcome(box: Box, case: Case, lab: Lab) -> dict[str, Any]:
    """What happens from create to delete."""
    bundle = box.bundle()
    case.prepare(bundle, lab)
    if not case.own_args:
        bundle.probe(*case.actions)
    box.children_before |= set(descendants(os.getpid()))  # what holds the namespaces to join
    name = box.name()
    names = {
        str(bundle.directory): "BUNDLE",
        str(lab.directory): "LAB",
        str(box.directory): "BOX",
        name: "ID",
    }
    stdio = (box.directory / f"{name}.out", box.directory / f"{name}.err")
    pid_file = box.directory / "pid"
    with stdio[0].open("wb") as out, stdio[1].open("wb") as err:
        flags = ("--pid-file", str(pid_file), *case.flags)
        created = box.try_create(bundle, *flags, name=name, stdout=out, stderr=err)
    if created.rc:
        created.err = stdio[1].read_text()
        return {"create": created.rc, "error": compare.error_class(created.message), "text": created.message}
    container = Container(box, name, bundle, int(pid_file.read_text()), stdio)
    found: dict[str, Any] = {"create": 0}
    found["created"] = compare.state(container.state(), names, str(bundle.rootfs))
    if case.files or case.needs:
        found["files"] = limits(container.pid, case)
    started = container.call("start")
    found["start"] = started.rc
    if started.rc:
        found |= {"error": compare.error_class(started.message), "text": started.message}
        return found
    found["exit"] = container.wait()
    if case.own_args or not container.output:
        found["output"] = compare.clean(container.output, names)
    else:
        raw = json.loads(container.output)
        found["report"] = compare.report(raw, names)
    found["stopped"] = compare.state(container.state(), names, str(bundle.rootfs))
    found["delete"] = container.delete().rc
    return found


def limits(pid: int, case: Case) -> dict[str, str]:
    """The case's cgroup files; on v2, where they have other names, all that hold limits."""
    if cgroups.version() == 2:
        return cgroups.limits(pid)
    return {"/".join(place): limit(pid, *place) for place in case.files}


def limit(pid: int, controller: str, file: str) -> str:
    """One cgroup file, or why there is none."""
    try:
        return cgroups.read(pid, controller, file)
    except OSError as error:
        return type(error).__name__


def missing(needs: str) -> str:
    """What the host lacks of `v1`, `v2` and cgroup controllers."""
    version, have = f"v{cgroups.version()}", cgroups.controllers()
    for need in needs.split():
        if need in ("v1", "v2"):
            if need != version:
                return f"needs cgroup {need}"
        elif need not in have and not (need == "blkio" and "io" in have):
            return f"needs the cgroup controller {need}"
    return ""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    tmp_path.chmod(0o755)
    made = Lab(tmp_path / "lab")
    made.folder("")
    yield made
    made.close()


def run_under(runtime: Runtime, box: Box, case: Case, lab: Lab) -> dict[str, Any]:
    """The outcome under another runtime, in a box of its own."""
    other = Box(runtime, box.directory / runtime.name)
    other.directory.mkdir()
    other.children_before = set(box.children_before)
    try:
        return outcome(other, case, lab)
    finally:
        other.close()


@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in ALL])
def test_same_effect(
    case: Case,
    box: Box,
    lab: Lab,
    reference: Runtime,
    crun: Runtime | None,
    crun_notes: list[tuple[str, str, str]],
) -> None:
    if lacking := missing(case.needs):
        pytest.skip(lacking)
    theirs = run_under(reference, box, case, lab)
    ours = outcome(box, case, lab)
    if crun is not None:
        others = run_under(crun, box, case, lab)
        for place, first, second in compare.differences(theirs, others):
            if place != "text":
                crun_notes.append((case.name, place, f"runc {first!r}, crun {second!r}"))
    judge(case, box.runtime, theirs, ours)


def judge(case: Case, runtime: Runtime, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    """Fail on a difference without a reason, and on a reason without a difference."""
    reasons = case.differences(cgroups.version())
    differing = [each for each in compare.differences(theirs, ours) if each[0] != "text"]
    unexplained = [d for d in differing if not any(d[0].startswith(place) for place in reasons)]
    notes = "\n".join(
        f"{place}:\n  runc: {a!r}"[:400] + f"\n  here: {b!r}"[:400] for place, a, b in unexplained
    )
    assert not unexplained, f"{notes}\n texts: runc {theirs.get('text')!r}, here {ours.get('text')!r}"
    if runtime.is_ours:
        stale = [place for place in reasons if not any(d[0].startswith(place) for d in differing)]
        assert not stale, f"listed as different, but equal: {stale}"


def test_enough_cases() -> None:
    names = [name for name, _ in ALL]
    assert len(names) == len(set(names)), "two cases have one name"
    assert len(names) >= 60


def test_reasons_are_given() -> None:
    for name, case in ALL:
        assert all(len(reason) > 30 for reason in case.difference.values()), name
