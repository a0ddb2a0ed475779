"""config.md#mounts: kinds, options, targets."""

from __future__ import annotations

from tests.harness import Bundle

from . import Case, Lab, bind, both, mount, put


def relative_source(bundle: Bundle, lab: Lab) -> None:
    (bundle.directory / "data").mkdir()
    (bundle.directory / "data/inside").write_text("x")
    bundle.mount("/data", "bind", "data", "bind")


def through_symlink(bundle: Bundle, lab: Lab) -> None:
    (bundle.rootfs / "real").mkdir()
    (bundle.rootfs / "link").symlink_to("/real")
    bundle.mount("/link/deep", "bind", str(lab.folder("source")), "bind")


def link_out_of_root(bundle: Bundle, lab: Lab) -> None:
    (bundle.rootfs / "link").symlink_to("../../../../../../tmp")
    bundle.mount("/link/pyrunc-inside", "tmpfs", "tmpfs")


def flags_of_source(bundle: Bundle, lab: Lab) -> None:
    bundle.mount("/data", "bind", str(lab.tmpfs("source", "nosuid,nodev,noexec")), "bind", "ro")


def in_order(bundle: Bundle, lab: Lab) -> None:
    bundle.mount("/a", "tmpfs", "first")
    bundle.mount("/a/b", "bind", str(lab.folder("source")), "bind")
    bundle.mount("/a/b/c", "tmpfs", "second")


def hidden_by_later(bundle: Bundle, lab: Lab) -> None:
    bundle.mount("/a/b", "tmpfs", "first")
    bundle.mount("/a", "tmpfs", "second", "mode=700")


def submounts(*options: str):  # type: ignore[no-untyped-def]
    """Bind the host's /dev: there are mounts below."""

    def prepare(bundle: Bundle, lab: Lab) -> None:
        bundle.mount("/tree", "bind", "/dev", *options)

    return prepare


def copied_up(bundle: Bundle, lab: Lab) -> None:
    (bundle.rootfs / "var/kept").mkdir(mode=0o750)
    (bundle.rootfs / "var/kept/file").write_text("kept")
    (bundle.rootfs / "var/link").symlink_to("kept/file")
    bundle.mount("/var", "tmpfs", "tmpfs", "tmpcopyup", "mode=755")


def no_dev(bundle: Bundle, lab: Lab) -> None:
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if not m["destination"].startswith("/dev")]


def only_proc(bundle: Bundle, lab: Lab) -> None:
    bundle.config["mounts"] = [{"destination": "/proc", "type": "proc", "source": "proc"}]
    bundle.linux.update(maskedPaths=[], readonlyPaths=[])


CGROUP_TMPFS = "the mount asks for ro; runc leaves the tmpfs that holds the hierarchies writable"
CGROUP_TMPFS_1 = "the mount asks for ro; crun leaves the tmpfs that holds the hierarchies writable"
CGROUP_NAMES = "crun makes folders for controllers that this host has not mounted, and mounts nothing there"
CGROUP_TREE = "without a cgroup namespace ours is the container's own cgroup, as on v1; runc and crun show (and with rw open) the host's whole tree"
CGROUP = {"v1:report/mountinfo//sys/fs/cgroup": CGROUP_TMPFS}
LOST_ON_BINDS = "config.md#linux-mount-options: shared and unbindable set the propagation of the mount; crun 1.8 loses it on binds"
CASES = [
    Case(
        "tmpfs",
        mount("/data", "tmpfs", "tmpfs", "nosuid", "nodev", "noexec", "size=64k", "mode=1750"),
        "stat:/data",
    ),
    Case("tmpfs-readonly", mount("/data", "tmpfs", "tmpfs", "ro"), "create:/data", "rdonly-off:/data"),
    Case("tmpfs-inodes", mount("/data", "tmpfs", "tmpfs", "nr_inodes=10")),
    Case("tmpfs-plain", mount("/data", "tmpfs", "tmpfs"), "stat:/data", "create:/data"),
    Case("tmpfs-bad-option", mount("/data", "tmpfs", "tmpfs", "nonsense=1")),
    Case("noatime", mount("/data", "tmpfs", "tmpfs", "noatime")),
    Case("nodiratime", mount("/data", "tmpfs", "tmpfs", "nodiratime")),
    Case("strictatime", mount("/data", "tmpfs", "tmpfs", "strictatime")),
    Case("relatime", mount("/data", "tmpfs", "tmpfs", "relatime")),
    Case("sync-dirsync", mount("/data", "tmpfs", "tmpfs", "sync", "dirsync")),
    Case(
        "negations",
        mount("/data", "tmpfs", "tmpfs", "ro", "rw", "nosuid", "suid", "nodev", "dev", "noexec", "exec"),
        crun={
            "report/mountinfo//data": "config.md#linux-mount-options: rw is the contrary of ro; the last one counts, as in mount(8)"
        },
    ),
    Case(
        "defaults",
        mount("/data", "tmpfs", "tmpfs", "defaults", "async", "atime", "diratime"),
        runc={
            "create": "config.md#linux-mount-options: runtimes MUST implement `defaults`; runc 1.1 hands it to tmpfs"
        },
    ),
    Case("unknown-filesystem", mount("/data", "nosuchfs", "none")),
    Case("mqueue", mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev"), "stat:/dev/mqueue"),
    Case("sysfs-writable", mount("/sys", "sysfs", "sysfs", "nosuid", "noexec", "nodev"), "stat:/sys"),
    Case(
        "proc-options",
        mount("/proc", "proc", "proc", "nosuid", "noexec", "nodev", "hidepid=2"),
        "list:/proc/self/task",
        crun={
            "report/mountinfo//proc/": "the mount asks for nosuid, nodev and noexec; crun drops them from the paths that it makes read-only"
        },
    ),
    Case(
        "devpts-options",
        mount("/dev/pts", "devpts", "devpts", "newinstance", "ptmxmode=0600", "mode=0600"),
        "tree:/dev/pts",
    ),
    Case(
        "cgroup",
        mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro", "nosuid", "noexec", "nodev"),
        "list:/sys/fs/cgroup",
        difference={
            "v2:report/mountinfo//sys/fs/cgroup": CGROUP_TREE,
            "v2:report/actions/list:/sys/fs/cgroup": CGROUP_TREE,
        },
        runc=CGROUP,
        crun={
            "v1:report/mountinfo//sys/fs/cgroup": CGROUP_TMPFS_1,
            "v1:report/actions/list:/sys/fs/cgroup": CGROUP_NAMES,
        },
    ),
    Case(
        "cgroup-in-namespace",
        both(
            lambda b, lab: b.namespace("cgroup"),
            mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro", "nosuid", "noexec", "nodev"),
        ),
        "list:/sys/fs/cgroup",
        "openw:/sys/fs/cgroup/pids/cgroup.procs",
        runc=CGROUP,
        crun={
            "v1:report/mountinfo//sys/fs/cgroup": CGROUP_TMPFS_1,
            "v1:report/actions/list:/sys/fs/cgroup": CGROUP_NAMES,
        },
    ),
    Case("bind-folder", bind("/data"), "list:/data", "create:/data"),
    Case("bind-readonly", bind("/data", "bind", "ro"), "list:/data", "create:/data", "rdonly-off:/data"),
    Case("bind-flags", bind("/data", "bind", "nosuid", "nodev", "noexec", "noatime"), "list:/data"),
    Case(
        "bind-flags-of-source",
        flags_of_source,
        difference={
            "report/mountinfo//data": "config.md#linux-mount-options: each option does what it says; ro takes nosuid, nodev and noexec of the source away from no mount here"
        },
    ),
    Case("bind-rbind-private", bind("/data", "rbind", "rprivate"), "list:/data"),
    Case("bind-file", bind("/etc/hosts", "bind", "ro", file=True), "read:/etc/hosts", "openw:/etc/hosts"),
    Case("bind-file-deep", bind("/new/deep/file", "bind", file=True), "read:/new/deep/file", "tree:/new"),
    Case("bind-relative", relative_source, "list:/data"),
    Case("bind-missing-source", mount("/data", "bind", "/no/such/folder", "bind")),
    Case("bind-folder-on-file", bind("/etc/passwd")),
    Case("bind-file-on-folder", bind("/etc", "bind", file=True)),
    Case(
        "bind-type-none",
        lambda b, lab: b.mount("/data", "none", str(lab.folder("source")), "bind"),
        "stat:/data",
    ),
    Case("bind-tree", submounts("rbind", "ro")),
    Case("bind-top-only", submounts("bind", "ro")),
    Case("bind-tree-slave", submounts("rbind", "rslave")),
    Case(
        "propagation-shared",
        bind("/data", "bind", "shared"),
        crun={"report/propagation//data": LOST_ON_BINDS},
    ),
    Case("propagation-slave", bind("/data", "bind", "slave")),
    Case(
        "propagation-unbindable",
        bind("/data", "bind", "unbindable"),
        crun={"report/propagation//data": LOST_ON_BINDS},
    ),
    Case("through-symlink", through_symlink, "list:/real"),
    Case("symlink-stays-inside", link_out_of_root, "list:/tmp"),
    Case("in-order", in_order),
    Case(
        "hidden-by-later",
        hidden_by_later,
        "stat:/a",
        runc={
            "report/actions/stat:/a/mode": "the mount asks for mode=700; runc puts the covered folder's mode back over it"
        },
    ),
    Case("tmpcopyup", copied_up, "tree:/var", "read:/var/kept/file", "stat:/var"),
    Case("destination-relative", mount("data", "tmpfs", "tmpfs")),
    Case("without-dev", no_dev, "tree:/dev"),
    Case("only-proc", only_proc, "list:/"),
    Case("recursive-readonly", bind("/data", "rbind", "rro"), "create:/data"),
    Case(
        "nosymfollow",
        mount("/data", "tmpfs", "tmpfs", "nosymfollow"),
        crun={
            "create": "config.md#linux-mount-options: runtimes SHOULD implement nosymfollow; crun 1.8 does not know it"
        },
    ),
    Case("lazytime", mount("/data", "tmpfs", "tmpfs", "lazytime")),
    Case(
        "mounts-absent",
        lambda b, lab: b.config.pop("mounts") and b.linux.update(maskedPaths=[], readonlyPaths=[]),
        own_args=True,
        runc={"create": "config.md#mounts: OPTIONAL; runc 1.1 needs a /proc in the container for itself"},
        crun={"create": "config.md#mounts: mounts is OPTIONAL; crun 1.8 wants it"},
    ),
    Case(
        "root-propagation-shared",
        put("/linux/rootfsPropagation", "shared"),
        runc={
            "report/propagation": "config-linux.md#rootfs-mount-propagation: sets the rootfs's propagation; runc fixed shared in 1.4"
        },
    ),
    Case("root-propagation-slave", put("/linux/rootfsPropagation", "slave")),
    Case("root-propagation-private", put("/linux/rootfsPropagation", "private")),
    Case(
        "root-propagation-unbindable",
        put("/linux/rootfsPropagation", "unbindable"),
        runc={
            "create": "config-linux.md#rootfs-mount-propagation: one of the four values; runc fixed unbindable in 1.4",
            "newer:report/propagation": "config-linux.md#rootfs-mount-propagation: one of the four values; runc leaves the root private",
        },
    ),
    Case(
        "mount-label-absent-lsm",
        put("/linux/mountLabel", "system_u:object_r:container_file_t:s0:c1,c2"),
        runc={
            "create": "the host has no such LSM: a warning, as OCI's validation programs expect; runc refuses"
        },
    ),
    Case(
        "root-propagation-unknown",
        put("/linux/rootfsPropagation", "sideways"),
        crun={"create": "config.md#valid-values: invalid or unsupported values MUST generate an error"},
    ),
]
