"""The same bundle under the runtime under test and under a peer: same effect.

Compared: the probe's report from inside, cgroup files, the state JSON as
created and as stopped, exit codes and classes of errors.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any, BinaryIO

import pytest

from tests import cgroups
from tests.harness import Box, Container, Runtime, descendants
from tests.unit.spec.leaves import leaf_schemas

from . import compare, coverage
from .cases import ALL, Case, Lab


def outcome(box: Box, case: Case) -> dict[str, Any]:
    """What happens from create to delete."""
    lab = Lab(box.directory / "lab")
    try:
        return _outcome(box, case, lab)
    finally:
        lab.close()


def _outcome(box: Box, case: Case, lab: Lab) -> dict[str, Any]:
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
    with stdio[0].open("wb") as out, stdio[1].open("wb") as err, empty_input(box) as stdin:
        flags = ("--pid-file", str(pid_file), *case.flags)
        created = box.try_create(bundle, *flags, name=name, stdin=stdin, stdout=out, stderr=err)
    if created.rc:
        created.err = stdio[1].read_text()
        return {"create": 1, "error": compare.error_class(created.message), "text": created.message}
    container = Container(box, name, bundle, int(pid_file.read_text()), stdio)
    found: dict[str, Any] = {"create": 0}
    found["created"] = compare.state(container.state(), names, str(bundle.rootfs))
    if case.files or case.needs:
        found["files"] = limits(container.pid, case)
    if case.exec:
        done = container.exec(*case.exec)
        found["exec"] = {"status": done.rc, "output": compare.clean(done.out, names)}
    started = container.call("start")
    found["start"] = int(started.rc != 0)
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
    found["collected"] = {name: compare.collected(lab.collect(name), names) for name in case.collect}
    return found


def empty_input(box: Box) -> BinaryIO:
    """A standard input of our own: peers give it to the container's user, and /dev/null is the host's."""
    path = box.directory / "stdin"
    path.touch()
    return path.open("rb")


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


@pytest.fixture(autouse=True)
def host_unharmed() -> Iterator[None]:
    """Peers have given away the host's own devices; undone at once, such a case is to be left out."""
    before = {path: os.stat(path) for path in ("/dev/null", "/dev/zero", "/dev/tty")}
    yield
    changed = []
    for path, old in before.items():
        now = os.stat(path)
        if (now.st_uid, now.st_gid, now.st_mode) != (old.st_uid, old.st_gid, old.st_mode):
            os.chown(path, old.st_uid, old.st_gid)
            os.chmod(path, old.st_mode & 0o7777)
            changed.append(path)
    assert not changed


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


def run_under(runtime: Runtime, box: Box, case: Case) -> dict[str, Any]:
    """The outcome under another runtime, in a box of its own."""
    other = Box(runtime, box.directory / runtime.name)
    other.directory.mkdir()
    other.children_before = set(box.children_before)
    try:
        return outcome(other, case)
    finally:
        other.close()


@pytest.mark.parametrize("peer", ["runc", "crun"], indirect=True)  # in a row for each case
@pytest.mark.parametrize(("name", "case"), ALL, ids=[name for name, _ in ALL])
def test_same_effect(
    name: str, case: Case, peer: Runtime, box: Box, known: dict[str, dict[str, Any]]
) -> None:
    if lacking := missing(case.needs):
        pytest.skip(lacking)
    if peer.name in case.without:
        return
    theirs = run_under(peer, box, case)
    if name not in known:
        known[name] = outcome(box, case)
    ours = known[name]
    own = compare.reasons_for(peer, case.reasons[peer.name])
    everywhere = compare.reasons_for(peer, compare.EVERYWHERE[peer.name])
    differing = [each for each in compare.differences(theirs, ours) if each[0] != "text"]
    unexplained = compare.unexplained(differing, {**everywhere, **own})
    notes = "\n".join(
        f"{place}:\n  {peer.name}: {a!r}"[:400] + f"\n  here: {b!r}"[:400] for place, a, b in unexplained
    )
    assert not unexplained, f"{notes}\n texts: {peer.name} {theirs.get('text')!r}, here {ours.get('text')!r}"
    if box.runtime.is_ours and compare.is_judged(peer):
        stale = compare.stale(differing, own)
        assert not stale, f"listed as different, but equal: {stale}"


def test_every_property_is_compared() -> None:
    left_out = ["/".join(leaf) for leaf in leaf_schemas() if not coverage.cases_of(leaf)]
    assert not left_out


def test_names_are_unique() -> None:
    names = [name for name, _ in ALL]
    assert len(names) == len(set(names)), "two cases have one name"


def test_reasons_are_given() -> None:
    for name, case in ALL:
        given = [*case.reasons["runc"].values(), *case.reasons["crun"].values(), *case.without.values()]
        assert all(len(reason) > 30 for reason in given), name
