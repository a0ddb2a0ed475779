"""config.md: version, root, hostname, domainname, annotations, unknown properties; the bundle itself."""

from __future__ import annotations

from tests.harness import Bundle

from . import Case, Lab, both, drop, put


def root_is_a_file(bundle: Bundle, lab: Lab) -> None:
    bundle.config["root"]["path"] = str(lab.file("plain"))


def absolute_root(bundle: Bundle, lab: Lab) -> None:
    bundle.config["root"]["path"] = str(bundle.rootfs)


def inherited_uts(bundle: Bundle, lab: Lab) -> None:
    bundle.without_namespace("uts")
    del bundle.config["hostname"]


def hostname_without_namespace(bundle: Bundle, lab: Lab) -> None:
    bundle.without_namespace("uts")


def nulls(bundle: Bundle, lab: Lab) -> None:
    """Every property that may be absent and is, given as null."""
    config, process, linux = bundle.config, bundle.config["process"], bundle.linux
    for holder, names in (
        (config, ("hooks", "annotations", "domainname")),
        (config["mounts"][-1], ("uidMappings", "gidMappings")),
        (process, ("terminal", "consoleSize", "rlimits", "capabilities", "noNewPrivileges", "oomScoreAdj")),
        (process, ("apparmorProfile", "selinuxLabel")),
        (linux, ("resources", "devices", "sysctl", "seccomp", "maskedPaths", "readonlyPaths", "mountLabel")),
        (linux, ("uidMappings", "rootfsPropagation", "personality", "intelRdt")),
    ):
        holder.update(dict.fromkeys(names))


ONLY_1 = (
    "config.md: the version MUST be that of the specification the bundle complies with; only 1.x is known"
)
CASES = [
    Case(
        "plain",
        lambda bundle, lab: None,
        "tree:/dev",
        "list:/proc/1/ns",
        "create:/tmp",
        "openw:/proc/sysrq-trigger",
    ),
    Case(
        "root-readonly",
        put("/root/readonly", True),
        "create:/tmp",
        "create:/dev/shm",
        "mkdir:/new",
        "rdonly-off:/",
    ),
    Case("root-absolute", absolute_root, "list:/"),
    Case("root-missing", put("/root/path", "nowhere")),
    Case(
        "root-is-a-file",
        root_is_a_file,
        crun={"newer:error": "an error either way; ours is that of the path"},
    ),
    Case("root-object-missing", drop("/root")),
    Case("nulls", nulls),
    Case(
        "null-limits",
        put("/linux/resources", {"memory": None, "pids": {"limit": 5}, "cpu": {"shares": None}}),
    ),
    Case("null-required", put("/process/args", None)),
    Case("hostname", put("/hostname", "a-name.example"), "read:/proc/sys/kernel/hostname"),
    Case("hostname-absent", drop("/hostname")),
    Case("hostname-inherited", inherited_uts),
    Case("hostname-needs-namespace", hostname_without_namespace),
    Case(
        "domainname",
        put("/domainname", "example.org"),
        runc={
            "report/domainname": "runc 1.1 ignores it; config.md#domainname: the container's domain name as seen by processes"
        },
    ),
    Case("annotations", put("/annotations", {"org.example.key": "value", "b": ""})),
    Case("annotation-not-text", put("/annotations", {"org.example.key": 1})),
    Case("version-patch", put("/ociVersion", "1.0.9")),
    Case(
        "version-other-major",
        put("/ociVersion", "9.9.9"),
        runc={"create": ONLY_1},
        crun={"newer:create": ONLY_1},
    ),
    Case(
        "version-absent",
        drop("/ociVersion"),
        runc={"create": "config.md#specification-version: ociVersion (string, REQUIRED); runc does not look"},
    ),
    Case("unknown-property", both(put("/somethingNew", {"a": 1}), put("/linux/somethingNew", [1]))),
    Case(
        "process-absent",
        drop("/process"),
        own_args=True,
        runc={"create": "config.md#process: REQUIRED only when start is called; runc already refuses create"},
        crun={
            "create": "config.md#process: REQUIRED only when start is called; crun 1.8 fails at create",
            "newer:start": "runtime.md#start: this operation MUST generate an error if process was not set; crun 1.27 starts nothing",
        },
    ),
]
