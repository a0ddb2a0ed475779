"""config.md#mounts and #root: what the program finds mounted, where, and with which effect."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import cgroups
from tests.harness import Box, Bundle, peer_differs


def table(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """mountinfo by mount point: parent, options (set), tags, kind, source, data (set)."""
    found = {}
    places = {line.split()[0]: line.split()[4] for line in report["mountinfo"]}
    for line in report["mountinfo"]:
        left, right = (part.split() for part in line.split(" - "))
        found[left[4]] = {
            "parent": places.get(left[1], ""),
            "options": set(left[5].split(",")),
            "tags": [tag.split(":")[0] for tag in left[6:]],
            "kind": right[0],
            "source": right[1],
            "data": set(right[2].split(",")),
        }
    return found


def mounted(box: Box, bundle: Bundle, *actions: str) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    report = box.report(bundle, *actions)
    return table(report), report["actions"]


@pytest.fixture
def source(box: Box) -> Path:
    path = box.directory / "source"
    path.mkdir()
    (path / "inside").write_text("inside\n")
    path.chmod(0o777)
    return path


@pytest.fixture
def nested(source: Path) -> Iterator[Path]:
    """The same folder, with a file system mounted on its `below`."""
    (source / "below").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", source / "below"], check=True)
    yield source
    subprocess.run(["umount", source / "below"], check=True)


OPTION_EFFECTS = [
    ("ro", {"ro"}, set()),
    ("nosuid", {"nosuid"}, set()),
    ("nodev", {"nodev"}, set()),
    ("noexec", {"noexec"}, set()),
    ("noatime", {"noatime"}, {"relatime"}),
    ("nodiratime", {"nodiratime"}, set()),
    ("relatime", {"relatime"}, set()),
    ("strictatime", set(), {"relatime", "noatime"}),
    ("rw", {"rw"}, {"ro"}),
]


@pytest.mark.parametrize(("option", "present", "absent"), OPTION_EFFECTS)
@pytest.mark.parametrize("kind", ["tmpfs", "bind"])
def test_mount_options(
    box: Box, source: Path, kind: str, option: str, present: set[str], absent: set[str]
) -> None:
    bundle = box.bundle()
    if kind == "tmpfs":
        bundle.mount("/data", "tmpfs", "tmpfs", option)
    else:
        bundle.mount("/data", "bind", str(source), "bind", option)
    options = mounted(box, bundle)[0]["/data"]["options"]
    assert present <= options
    assert not absent & options


PAIRS = [
    ("ro", "rw"),
    ("nosuid", "suid"),
    ("nodev", "dev"),
    ("noexec", "exec"),
    ("nodiratime", "diratime"),
    ("sync", "async"),
]


@pytest.mark.parametrize(("flag", "clear"), PAIRS)
def test_the_later_of_two_options_wins(box: Box, flag: str, clear: str) -> None:
    bundle = (
        box.bundle()
        .mount("/first", "tmpfs", "tmpfs", flag, clear)
        .mount("/last", "tmpfs", "tmpfs", clear, flag)
    )
    rows = mounted(box, bundle)[0]
    everything = {path: row["options"] | row["data"] for path, row in rows.items()}
    assert flag not in everything["/first"]
    assert flag in everything["/last"]


@pytest.mark.parametrize(
    "option", ["dirsync", "sync", "lazytime", "mand", "silent", "loud", "iversion", "noiversion", "nomand"]
)
def test_superblock_options_are_accepted(box: Box, option: str) -> None:
    if option not in ("dirsync", "sync", "mand", "nomand"):
        peer_differs(box, crun="lacks lazytime and others of the list")
    row = mounted(box, box.bundle().mount("/data", "tmpfs", "tmpfs", option))[0]["/data"]
    if option in ("dirsync", "sync", "lazytime"):
        assert option in row["data"] | row["options"]


def test_clearing_options_of_a_bind(box: Box, source: Path) -> None:
    """`dev`, `suid`, `exec`, `rw` really clear what the source mount has."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "nosuid,nodev,noexec,noatime", "tmpfs", source], check=True)
    try:
        bundle = (
            box.bundle()
            .mount("/kept", "bind", str(source), "bind")
            .mount("/cleared", "bind", str(source), "bind", "suid", "dev", "exec", "relatime")
        )
        rows = mounted(box, bundle)[0]
    finally:
        subprocess.run(["umount", source], check=True)
    assert {"nosuid", "nodev", "noexec", "noatime"} <= rows["/kept"]["options"]
    peer_differs(box, runc="1.1 does not clear", crun="does not clear")
    assert not {"nosuid", "nodev", "noexec", "noatime"} & rows["/cleared"]["options"]


def test_filesystem_data(box: Box) -> None:
    row = mounted(
        box, box.bundle().mount("/data", "tmpfs", "name", "size=128k", "mode=0701", "nr_inodes=20")
    )[0]["/data"]
    assert {"size=128k", "mode=701", "nr_inodes=20"} <= row["data"]
    assert row["source"] == "name"


def test_standard_filesystems(box: Box) -> None:
    bundle = box.bundle().mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev")
    rows = mounted(box, bundle)[0]
    kinds = {
        path: rows[path]["kind"] for path in ("/proc", "/sys", "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
    }
    assert kinds == {
        "/proc": "proc",
        "/sys": "sysfs",
        "/dev": "tmpfs",
        "/dev/pts": "devpts",
        "/dev/shm": "tmpfs",
        "/dev/mqueue": "mqueue",
    }
    assert "ro" in rows["/sys"]["options"]
    assert {"gid=5", "mode=620", "ptmxmode=666"} <= rows["/dev/pts"]["data"]


def test_no_mount_of_the_host_is_left(box: Box) -> None:
    rows = mounted(box, box.bundle())[0]
    assert "/" in rows
    expected = {"/", "/proc", "/dev", "/dev/pts", "/dev/shm", "/sys"}
    rest = {
        path for path in rows if path not in expected and not path.startswith(("/proc/", "/sys/firmware"))
    }
    assert rest == set()


def test_bind_needs_no_type(box: Box, source: Path) -> None:
    bundle = box.bundle()
    bundle.config["mounts"].append({"destination": "/data", "source": str(source), "options": ["bind"]})
    assert mounted(box, bundle, "list:/data")[1]["list:/data"] == ["inside"]


def test_bind_source_is_relative_to_the_bundle(box: Box) -> None:
    bundle = box.bundle()
    (bundle.directory / "given").mkdir()
    (bundle.directory / "given/file").touch()
    assert mounted(box, bundle.mount("/data", "bind", "given", "bind"), "list:/data")[1]["list:/data"] == [
        "file"
    ]


def test_bind_takes_submounts_only_with_rbind(box: Box, nested: Path) -> None:
    rows = mounted(
        box,
        box.bundle().mount("/flat", "bind", str(nested), "bind").mount("/deep", "bind", str(nested), "rbind"),
    )[0]
    assert "/deep/below" in rows
    assert "/flat/below" not in rows


@pytest.mark.parametrize(("option", "below"), [("ro", "rw"), ("rro", "ro")])
def test_readonly_plain_and_recursive(box: Box, nested: Path, option: str, below: str) -> None:
    rows = mounted(box, box.bundle().mount("/data", "bind", str(nested), "rbind", option))[0]
    assert "ro" in rows["/data"]["options"]
    assert below in rows["/data/below"]["options"]


RECURSIVE = ["rnosuid", "rnodev", "rnoexec", "rnoatime", "rnodiratime", "rnosymfollow"]


@pytest.mark.parametrize("option", RECURSIVE)
def test_recursive_options(box: Box, nested: Path, option: str) -> None:
    rows = mounted(box, box.bundle().mount("/data", "bind", str(nested), "rbind", option))[0]
    assert option[1:] in rows["/data/below"]["options"]


@pytest.mark.parametrize(
    ("options", "own", "below"),
    [
        (["rro", "rw"], "rw", "ro"),
        (["rrw", "ro"], "ro", "rw"),
        (["noatime", "rstrictatime", "rnodiratime"], "nodiratime", "nodiratime"),
        (["rstrictatime", "noatime"], "noatime", "rw"),
    ],
)
def test_of_contradicting_options_the_last_holds(
    box: Box, nested: Path, options: list[str], own: str, below: str
) -> None:
    bundle = box.bundle()
    for number, kind in enumerate((("tmpfs",), ("bind", "bind"), ("bind", "rbind"))):
        bundle.mount(f"/data/{number}", kind[0], str(nested), *kind[1:], *options)
    peer_differs(box, runc="recursive words win, wherever they stand", crun="recursive words win")
    rows = mounted(box, bundle)[0]
    for number in range(3):
        assert own in rows[f"/data/{number}"]["options"]
    assert below in rows["/data/2/below"]["options"]


def test_nosymfollow(box: Box) -> None:
    bundle = box.bundle().mount("/data", "tmpfs", "tmpfs", "nosymfollow")
    peer_differs(box, runc="1.1 does not know it")
    assert "nosymfollow" in mounted(box, bundle)[0]["/data"]["options"]


@pytest.mark.parametrize(
    ("option", "tag"), [("shared", "shared"), ("private", ""), ("unbindable", "unbindable"), ("slave", "")]
)
def test_propagation(box: Box, source: Path, option: str, tag: str) -> None:
    row = mounted(box, box.bundle().mount("/data", "bind", str(source), "bind", option))[0]["/data"]
    assert row["tags"] == ([tag] if tag else []) + (master(source) if option in ("shared", "slave") else [])


def master(path: Path) -> list[str]:
    """The tag of a slave, if the host's mount that holds the path is shared, as with systemd."""
    command = ["findmnt", "-n", "-o", "PROPAGATION", "-T", path]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return ["master"] if "shared" in done.stdout else []


def test_slave_sees_later_mounts_of_the_host(box: Box, source: Path) -> None:
    subprocess.run(["mount", "--bind", source, source], check=True)
    subprocess.run(["mount", "--make-shared", source], check=True)
    (source / "later").mkdir()
    try:
        for option, seen in (("rslave", True), ("rprivate", False)):
            bundle = box.bundle("/bin/sh", "-c", "echo up; read x; cat /proc/self/mountinfo")
            bundle.mount("/data", "bind", str(source), "rbind", option)
            reader, writer = os.pipe()
            container = box.started(bundle, stdin=reader)
            container.wait_output("up")
            subprocess.run(["mount", "-t", "tmpfs", "tmpfs", source / "later"], check=True)
            os.write(writer, b"\n")
            container.wait()
            os.close(reader)
            os.close(writer)
            subprocess.run(["umount", source / "later"], check=True)
            assert ("/data/later" in container.output) is seen, option
    finally:
        subprocess.run(["umount", "-R", source], check=True)


def test_mounts_happen_in_order(box: Box, source: Path) -> None:
    bundle = (
        box.bundle()
        .mount("/a", "tmpfs", "one")
        .mount("/a/b/c", "bind", str(source), "bind")
        .mount("/a/b/c/d", "tmpfs", "two")
    )
    rows, actions = mounted(box, bundle, "list:/a/b/c")
    assert [rows[path]["parent"] for path in ("/a", "/a/b/c", "/a/b/c/d")] == ["/", "/a", "/a/b/c"]
    assert sorted(actions["list:/a/b/c"]) == ["d", "inside"]


def test_mounts_are_listed_in_order(box: Box, source: Path) -> None:
    """The kernel lists mounts by age; who reads /proc/mounts expects the order of config.json."""
    bundle = box.bundle().mount("/sys", "sysfs", "sysfs").mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro")
    bundle.mount("/data", "bind", str(source), "bind")
    listed = list(mounted(box, bundle)[0])
    wanted = [mount["destination"] for mount in bundle.config["mounts"]]
    assert [place for place in listed if place in wanted] == wanted
    below = [listed.index(place) for place in listed if place.startswith("/sys/fs/cgroup/")]
    assert all(listed.index("/sys/fs/cgroup") < place < listed.index("/data") for place in below)


def test_mount_points_are_made(box: Box, source: Path) -> None:
    bundle = box.bundle()
    bundle.mount("/new/folder", "bind", str(source), "bind").mount(
        "/new/file", "bind", str(source / "inside"), "bind"
    )
    box.report(bundle)
    made = bundle.rootfs / "new"
    assert (made / "folder").is_dir()
    assert (made / "file").is_file()
    assert made.stat().st_mode & 0o777 == 0o755


def test_symlinks_resolve_inside_the_root(box: Box, source: Path) -> None:
    bundle = box.bundle()
    (bundle.rootfs / "link").symlink_to("/real")
    (bundle.rootfs / "climb").symlink_to("../../../..")
    bundle.mount("/link/x", "bind", str(source), "bind").mount("/climb/y", "tmpfs", "tmpfs")
    (bundle.rootfs / "real").mkdir()
    rows = mounted(box, bundle)[0]
    assert "/real/x" in rows
    assert "/y" in rows


def test_missing_bind_source_is_named(box: Box) -> None:
    box.try_create(box.bundle().mount("/data", "bind", "/no/such/source", "bind")).failed(
        "no such file or directory", "/no/such/source"
    )


def test_root_readonly(box: Box) -> None:
    bundle = box.bundle()
    bundle.config["root"]["readonly"] = True
    rows, actions = mounted(box, bundle, "create:/", "create:/dev/shm")
    assert "ro" in rows["/"]["options"]
    assert actions["create:/"] == "EROFS"
    assert isinstance(actions["create:/dev/shm"], dict)


@pytest.mark.parametrize(
    ("propagation", "tags"),
    [("", []), ("private", []), ("slave", []), ("shared", ["shared"]), ("unbindable", ["unbindable"])],
)
def test_root_propagation(box: Box, propagation: str, tags: list[str]) -> None:
    bundle = box.bundle()
    if propagation:
        bundle.linux["rootfsPropagation"] = propagation
    if propagation in ("shared", "unbindable"):
        peer_differs(box, runc="1.1 fails to, fixed in 1.4")
    slave = master(bundle.rootfs) if propagation in ("", "slave", "shared") else []
    assert mounted(box, bundle)[0]["/"]["tags"] == tags + slave


def test_host_mounts_do_not_propagate_out(box: Box) -> None:
    box.report(box.bundle().mount("/data", "tmpfs", "tmpfs", "shared"))
    assert box.mounts() == []


def test_tmpcopyup(box: Box) -> None:
    bundle = box.bundle().mount("/var", "tmpfs", "tmpfs", "tmpcopyup")
    (bundle.rootfs / "var/sub").mkdir()
    (bundle.rootfs / "var/sub/file").write_text("text")
    (bundle.rootfs / "var/sub/file").chmod(0o640)
    (bundle.rootfs / "var/link").symlink_to("sub/file")
    os.chown(bundle.rootfs / "var/sub/file", 1000, 7)
    rows, actions = mounted(box, bundle, "stat:/var/sub/file", "stat:/var/link", "create:/var")
    assert rows["/var"]["kind"] == "tmpfs"
    copied = actions["stat:/var/sub/file"]
    assert (copied["mode"], copied["uid"], copied["gid"]) == (0o640, 1000, 7)
    assert actions["stat:/var/link"]["type"] == "link"
    assert sorted(os.listdir(bundle.rootfs / "var")) == ["link", "sub"]


def test_idmapped_bind(box: Box, source: Path) -> None:
    bundle = box.bundle()
    mapping = [{"containerID": 0, "hostID": 5000, "size": 1000}]
    bundle.mount("/data", "bind", str(source), "bind", "idmap", uidMappings=mapping, gidMappings=mapping)
    peer_differs(box, runc="1.1 has none", crun="1.8 maps differently")
    found = mounted(box, bundle, "stat:/data/inside", "create:/data")[1]
    assert found["stat:/data/inside"]["uid"] == 5000
    assert (source / "inside").stat().st_uid == 0


def test_one_sided_mapping_is_refused(box: Box, source: Path) -> None:
    bundle = box.bundle()
    bundle.mount(
        "/data", "bind", str(source), "bind", uidMappings=[{"containerID": 0, "hostID": 5000, "size": 10}]
    )
    peer_differs(box, runc="1.1 ignores it", crun="accepts it")
    box.try_create(bundle).failed()


def test_data_options_on_a_bind_do_not_reach_the_host(box: Box, source: Path) -> None:
    """They belong to the superblock, which is the host's."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", source], check=True)
    try:
        box.run(box.bundle().mount("/data", "bind", str(source), "bind", "size=128k"))
        line = next(
            line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f" {source} " in line
        )
        assert "size=64k" in line
    finally:
        subprocess.run(["umount", source], check=True)


@pytest.mark.skipif(cgroups.version() == 2, reason="needs cgroup v1")
@pytest.mark.parametrize("own", [False, True])
def test_cgroup_mount_v1(box: Box, own: bool) -> None:
    bundle = box.bundle().mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro", "nosuid", "noexec", "nodev")
    if own:
        bundle.namespace("cgroup")
    rows, actions = mounted(
        box,
        bundle,
        "list:/sys/fs/cgroup",
        "read:/sys/fs/cgroup/pids/cgroup.procs",
        "openw:/sys/fs/cgroup/pids/cgroup.procs",
    )
    wanted = {"pids", "memory", "devices", "freezer"} & cgroups.controllers()
    assert wanted <= set(actions["list:/sys/fs/cgroup"])
    assert actions["read:/sys/fs/cgroup/pids/cgroup.procs"].split() == ["1"]
    assert actions["openw:/sys/fs/cgroup/pids/cgroup.procs"] == "EROFS"
    for name in wanted:
        assert "ro" in rows[f"/sys/fs/cgroup/{name}"]["options"]


@pytest.mark.skipif(cgroups.version() == 1, reason="needs cgroup v2")
def test_cgroup_mount_v2(box: Box) -> None:
    bundle = (
        box.bundle()
        .mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro", "nosuid", "noexec", "nodev")
        .namespace("cgroup")
    )
    rows, actions = mounted(
        box, bundle, "read:/sys/fs/cgroup/cgroup.procs", "openw:/sys/fs/cgroup/cgroup.procs"
    )
    assert rows["/sys/fs/cgroup"]["kind"] == "cgroup2"
    assert actions["read:/sys/fs/cgroup/cgroup.procs"].split() == ["1"]
    assert actions["openw:/sys/fs/cgroup/cgroup.procs"] == "EROFS"


def test_masked_paths(box: Box) -> None:
    bundle = box.bundle()
    (bundle.rootfs / "var/folder").mkdir()
    (bundle.rootfs / "var/folder/secret").touch()
    (bundle.rootfs / "var/file").write_text("secret")
    bundle.linux["maskedPaths"] = ["/var/folder", "/var/file", "/not/there", "/proc/keys"]
    actions = mounted(
        box, bundle, "list:/var/folder", "read:/var/file", "create:/var/folder", "read:/proc/keys"
    )[1]
    assert actions["list:/var/folder"] == []
    assert actions["read:/var/file"] == ""
    assert actions["create:/var/folder"] == "EROFS"
    assert actions["read:/proc/keys"] == ""


def test_readonly_paths(box: Box) -> None:
    bundle = box.bundle()
    bundle.linux["readonlyPaths"] = ["/tmp", "/not/there", "/proc/sys", "/dev/shm"]
    rows, actions = mounted(box, bundle, "create:/tmp", "openw:/proc/sys/kernel/shmmni", "create:/var")
    assert actions["create:/tmp"] == "EROFS"
    assert actions["openw:/proc/sys/kernel/shmmni"] == "EROFS"
    assert isinstance(actions["create:/var"], dict)
    assert {"ro", "nosuid", "nodev", "noexec"} <= rows["/dev/shm"]["options"]


def test_no_pivot(box: Box) -> None:
    bundle = box.bundle().probe("list:/")
    report = box.run(bundle, "--no-pivot").ok().json()
    assert "bin" in report["actions"]["list:/"]


def test_bundle_on_a_shared_mount(box: Box) -> None:
    """The usual case under systemd, where / is shared."""
    place = box.directory / "shared"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], check=True)
    subprocess.run(["mount", "--make-shared", place], check=True)
    before = box.mounts()
    try:
        inner = Box(box.runtime, place)
        inner.children_before |= box.children_before
        inner.report(inner.bundle().mount("/data", "tmpfs", "tmpfs"))
        assert box.mounts() == before
        assert [left for left in inner.close() if not left.startswith("mount")] == []
    finally:
        if str(place) in Path("/proc/self/mountinfo").read_text():
            subprocess.run(["umount", "-R", place], check=True)


@pytest.mark.parametrize("order", ["fresh", "bound", "elsewhere"])
def test_procfs_over_procfs(box: Box, order: str) -> None:
    """Engines and users bind the host's /proc, some of them below a bind of the host's root."""
    bundle = box.bundle()
    bound = {"destination": "/proc", "type": "bind", "source": "/proc", "options": ["rbind"]}
    fresh = {"destination": "/proc", "type": "proc", "source": "proc"}
    others = [mount for mount in bundle.config["mounts"] if mount["destination"] != "/proc"]
    host = {"destination": "/host", "type": "bind", "source": "/", "options": ["rbind", "ro"]}
    bundle.config["mounts"] = {
        "fresh": [bound, fresh, *others],
        "bound": [fresh, bound, *others],
        "elsewhere": [fresh, *others, host, {**bound, "destination": "/host/proc"}],
    }[order]
    place = "/host/proc" if order == "elsewhere" else "/proc"
    _, actions = mounted(box, bundle, f"read:{place}/1/comm")
    ours = actions[f"read:{place}/1/comm"] == Path("/proc/1/comm").read_text()
    assert ours == (order != "fresh")
