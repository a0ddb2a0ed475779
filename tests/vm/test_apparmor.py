"""AppArmor: a profile that denies something is in force inside, from the first instruction on."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import Box

pytestmark = [pytest.mark.root, pytest.mark.needs("apparmor_parser")]

PROFILE = """
profile pyrunc-test flags=(attach_disconnected, mediate_deleted) {
  file,
  capability,
  network,
  signal,
  ptrace,
  unix,
  deny /etc/group r,
}
"""


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    file = tmp_path_factory.mktemp("apparmor") / "profile"
    file.write_text(PROFILE)
    subprocess.run(["apparmor_parser", "--replace", "--skip-cache", str(file)], check=True)
    yield "pyrunc-test"
    subprocess.run(["apparmor_parser", "--remove", str(file)], check=True)


SCRIPT = "cat /proc/self/attr/current; head -n 1 /etc/passwd; cat /etc/group"


def test_create(box: Box, profile: str) -> None:
    bundle = box.bundle().shell(SCRIPT)
    bundle.process["apparmorProfile"] = profile
    result = box.run(bundle)
    assert result.out.splitlines()[0] == "pyrunc-test (enforce)"
    assert result.out.splitlines()[1].startswith("root:")
    assert "Permission denied" in result.err


def test_in_a_user_namespace_with_a_masked_proc(box: Box, profile: str) -> None:
    bundle = box.bundle().shell(SCRIPT).user_namespace()
    bundle.process["apparmorProfile"] = profile
    bundle.linux["maskedPaths"].append("/proc/self/attr")
    assert "Permission denied" in box.run(bundle).err


def test_exec(box: Box, profile: str) -> None:
    container = box.started(box.bundle("/bin/sleep", "1000"))
    assert container.exec("cat", "/proc/self/attr/current").out.strip() == "unconfined"
    result = container.exec("cat", "/etc/group", flags=("--apparmor", profile))
    assert "Permission denied" in result.err


def test_exec_inherits_the_profile(box: Box, profile: str) -> None:
    bundle = box.bundle("/bin/sleep", "1000")
    bundle.process["apparmorProfile"] = profile
    container = box.started(bundle)
    assert Path(f"/proc/{container.pid}/attr/current").read_text() == "pyrunc-test (enforce)\n"
    assert "Permission denied" in container.exec("cat", "/etc/group").err


def test_a_profile_that_is_not_loaded(box: Box) -> None:
    bundle = box.bundle()
    bundle.process["apparmorProfile"] = "no-such-profile"
    box.try_create(bundle).failed("no-such-profile")
