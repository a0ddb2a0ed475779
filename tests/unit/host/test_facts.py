"""The probe, on trees that look like other hosts, and the form of its results."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pyrunc.host import facts as module
from pyrunc.host.facts import Facts, parse_own_cgroups, probe_facts

PROFILES = sorted(Path(__file__).parents[3].glob("spec-fixtures/facts/*.json"))


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_profiles_are_complete(path: Path) -> None:
    values = json.loads(path.read_text())
    assert set(values) == set(Facts.__slots__)
    assert Facts.from_json(values).to_json() == values


def test_profiles_exist() -> None:
    assert len(PROFILES) >= 5


def test_unknown_fact_is_an_error() -> None:
    with pytest.raises(KeyError, match="colour"):
        Facts.from_json({"colour": "red"})


def test_this_machine() -> None:
    umask = os.umask(0o027)
    try:
        facts = probe_facts(None)
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(umask)
    assert facts.umask == 0o027
    assert facts.euid == os.geteuid()
    assert facts.last_capability >= 37
    assert set(facts.cgroup_mounts) == set(facts.own_cgroups)
    assert set(facts.cgroup_writable) <= set(facts.cgroup_mounts)
    assert all(os.path.isdir(mount) for mount in facts.cgroup_mounts.values())
    json.dumps(facts.to_json())


@pytest.mark.parametrize(("flags", "owner"), [("-Ur", False), ("-Urm", True)])
def test_whose_mounts_they_are(flags: str, owner: bool) -> None:
    script = "from pyrunc.host.facts import probe_facts; print(probe_facts({}, cgroups=False).copies_mounts)"
    command = ["unshare", flags, sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3])
    if "unshare" in done.stderr:
        pytest.skip("needs user namespaces")
    assert done.stdout == f"{owner}\n", done.stderr


def test_only_what_is_needed_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    real = module._read
    monkeypatch.setattr(module, "_read", lambda path: read.append(path) or real(path))
    facts = probe_facts({"linux": {"resources": {"blockIO": {"weight": 0}}}})
    wanted = {"/proc/self/uid_map", "/proc/self/cgroup", "/sys/fs/cgroup/cgroup.controllers"}
    if parse_own_cgroups(real("/proc/self/cgroup")).keys() - {"", *facts.cgroup_mounts}:
        wanted.add("/proc/self/mountinfo")  # a hierarchy without a mount: it was worth a look
    assert set(read) <= wanted
    assert (facts.last_capability, facts.bfq, facts.hugepage_sizes) == (-1, False, [])
    read.clear()
    facts = probe_facts({}, cgroups=False)
    assert read == ["/proc/self/uid_map"] and facts.cgroup_mounts == {}


def test_own_cgroups() -> None:
    text = "9:name=systemd:/a\n3:cpu,cpuacct:/b:c\n1:net_cls:/../x\n0::/d (deleted)\n"
    assert parse_own_cgroups(text) == {
        "name=systemd": "/a", "cpu": "/b:c", "cpuacct": "/b:c", "net_cls": "/", "": "/d",
    }  # fmt: skip


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Facts]:
    """Probe a made-up host: /proc/self files by name, directories below the cgroup root."""

    def probe(files: dict[str, str], directories: tuple[str, ...] = (), mounted: bool = True) -> Facts:
        root = tmp_path / "cgroup"
        for directory in directories:
            (root / directory).mkdir(parents=True, exist_ok=True)
        monkeypatch.setattr(module, "CGROUP_ROOT", str(root))
        monkeypatch.setattr(module, "_read", lambda path: files.get(path, "").replace("@", str(root)))
        if mounted:  # every directory looks like a mount of its own
            monkeypatch.setattr(
                module, "_device", lambda path: 2 if Path(path) != root and Path(path).is_dir() else 0
            )
        facts = Facts()
        module._probe_cgroups(facts)
        return facts

    return probe


def test_v1_with_shared_hierarchies(host: Callable[..., Facts], tmp_path: Path) -> None:
    (tmp_path / "cgroup").mkdir()
    os.symlink("cpu,cpuacct", tmp_path / "cgroup/cpu")
    os.symlink("cpu,cpuacct", tmp_path / "cgroup/cpuacct")
    facts = host(
        {"/proc/self/cgroup": "3:cpu,cpuacct:/s\n2:memory:/s\n1:name=systemd:/\n0::/\n"},
        ("cpu,cpuacct/s", "memory/s", "systemd"),
    )
    assert facts.cgroup_version == 1
    root = str(tmp_path / "cgroup")
    assert facts.cgroup_mounts == {
        "cpu": f"{root}/cpu,cpuacct", "cpuacct": f"{root}/cpu,cpuacct", "memory": f"{root}/memory",
        "name=systemd": f"{root}/systemd",
    }  # fmt: skip
    assert facts.own_cgroups == {"cpu": "/s", "cpuacct": "/s", "memory": "/s", "name=systemd": "/"}


def test_plain_directories_are_no_hierarchies(host: Callable[..., Facts]) -> None:
    facts = host({"/proc/self/cgroup": "2:memory:/\n0::/\n"}, ("memory",), mounted=False)
    assert facts.cgroup_mounts == {}


def test_mounts_elsewhere_are_found(host: Callable[..., Facts]) -> None:
    mountinfo = (
        "33 31 0:30 / /cg/memory rw - cgroup cgroup rw,memory\n34 31 0:31 / /cg/u rw - cgroup2 cgroup2 rw\n"
    )
    facts = host({"/proc/self/cgroup": "2:memory:/a\n0::/b\n", "/proc/self/mountinfo": mountinfo})
    assert facts.cgroup_mounts == {"memory": "/cg/memory", "": "/cg/u"}
    assert facts.own_cgroups == {"memory": "/a", "": "/b"}
    assert facts.cgroup_version == 1


def test_mounts_beside_the_usual_place_are_left_alone(host: Callable[..., Facts]) -> None:
    """As CRIU has them while it works."""
    mountinfo = (
        "33 31 0:30 / /tmp/cgyard/memory rw - cgroup cgroup rw,memory\n"
        "34 31 0:31 / /tmp/cgyard/hugetlb rw - cgroup cgroup rw,hugetlb\n"
        "35 31 0:30 / @/memory rw - cgroup cgroup rw,memory\n"
    )
    files = {"/proc/self/cgroup": "3:hugetlb:/\n2:memory:/a\n0::/\n", "/proc/self/mountinfo": mountinfo}
    facts = host(files, ("memory/a",))
    assert list(facts.cgroup_mounts) == ["memory"]
    assert facts.cgroup_mounts["memory"].endswith("/cgroup/memory")


def test_visible_part_of_a_hierarchy(host: Callable[..., Facts]) -> None:
    mountinfo = "33 31 0:30 /docker/x @/memory rw - cgroup cgroup rw,memory\n"
    files = {"/proc/self/cgroup": "2:memory:/docker/x/y\n", "/proc/self/mountinfo": mountinfo}
    facts = host(files, ("memory",))
    assert facts.own_cgroups == {"memory": "/y"}


def test_v2_elsewhere(host: Callable[..., Facts]) -> None:
    mountinfo = "34 31 0:31 / /cg rw - cgroup2 cgroup2 rw\n"
    facts = host({"/proc/self/cgroup": "0::/b\n", "/proc/self/mountinfo": mountinfo})
    assert (facts.cgroup_version, facts.cgroup_mounts, facts.own_cgroups) == (2, {"": "/cg"}, {"": "/b"})


def test_no_cgroups_at_all(host: Callable[..., Facts]) -> None:
    assert host({"/proc/self/cgroup": "0::/\n"}).cgroup_mounts == {}


def test_hugepage_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        module, "_list", lambda path: ["hugepages-64kB", "hugepages-2048kB", "hugepages-1048576kB"]
    )
    assert module.read_hugepage_sizes() == ["1GB", "2MB", "64KB"]


def test_bfq(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_list", lambda path: ["vda"])
    for text, expected in (("[none] mq-deadline bfq\n", True), ("none [bfq]", True), ("[none]\n", False)):
        monkeypatch.setattr(module, "_read", lambda path, text=text: text)
        assert module._has_bfq() is expected
