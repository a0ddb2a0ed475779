"""config-linux.md#devices, device rules, default devices; masked and read-only paths."""

from __future__ import annotations

from typing import Any

from tests.harness import Bundle

from . import Case, Lab, both, put

FUSE = {"path": "/dev/thing", "type": "c", "major": 10, "minor": 229, "fileMode": 0o640, "uid": 12, "gid": 34}


def device(**changes: Any):  # type: ignore[no-untyped-def]
    return put("/linux/devices", [{**FUSE, **changes}])


def rules(*entries: tuple[bool, str, int | None, int | None, str]):  # type: ignore[no-untyped-def]
    made = []
    for allow, kind, major, minor, access in entries:
        entry: dict[str, Any] = {
            "allow": allow,
            "access": access,
            "type": kind,
            "major": major,
            "minor": minor,
        }
        made.append({key: value for key, value in entry.items() if value is not None and value != ""})
    return put("/linux/resources/devices", made)


def file_in_the_way(bundle: Bundle, lab: Lab) -> None:
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if not m["destination"].startswith("/dev")]
    (bundle.rootfs / "dev/thing").write_text("in the way")
    bundle.linux["devices"] = [FUSE]


def default_in_the_way(bundle: Bundle, lab: Lab) -> None:
    bundle.config["mounts"] = [m for m in bundle.config["mounts"] if not m["destination"].startswith("/dev")]
    (bundle.rootfs / "dev/urandom").write_text("42")


def outside_of_a_bound_dev(bundle: Bundle, lab: Lab) -> None:
    bundle.mount("/dev", "none", "/dev", "rbind")
    bundle.linux["devices"] = [{**FUSE, "path": "/var/thing"}]


def masked_in_root(bundle: Bundle, lab: Lab) -> None:
    (bundle.rootfs / "var/secret").mkdir()
    (bundle.rootfs / "var/secret/file").write_text("secret")
    (bundle.rootfs / "var/token").write_text("token")
    bundle.linux["maskedPaths"] = ["/var/secret", "/var/token", "/no/such/path"]


def readonly_in_root(bundle: Bundle, lab: Lab) -> None:
    (bundle.rootfs / "var/file").write_text("x")
    bundle.linux["readonlyPaths"] = ["/tmp", "/var/file", "/no/such/path", "/proc/sys"]


DENY = (False, "", None, None, "rwm")
ABSOLUTE = "config-linux.md: the values MUST be absolute paths in the container namespace; runc does not look"
NO_RULES = "config-linux.md#allowed-device-list says nothing of a list that is absent; as runc, the default devices only"
CASES = [
    Case("device", device(), "tree:/dev"),
    Case("device-block", device(type="b", major=7, minor=0, path="/dev/disk"), "stat:/dev/disk"),
    Case(
        "device-fifo",
        put("/linux/devices", [{"path": "/run/pipe", "type": "p", "fileMode": 0o600}]),
        "stat:/run/pipe",
    ),
    Case(
        "device-elsewhere",
        device(path="/var/lib/deep/thing"),
        "stat:/var/lib/deep/thing",
        "stat:/var/lib/deep",
    ),
    Case("device-unbuffered", device(type="u"), "stat:/dev/thing"),
    Case("device-ptmx", device(path="/dev/ptmx", major=5, minor=2), "tree:/dev"),
    Case(
        "device-file-in-the-way",
        file_in_the_way,
        difference={
            "create": "config-linux.md#devices: if a file already exists at path that does not match, the runtime MUST generate an error"
        },
    ),
    Case(
        "device-default-in-the-way",
        default_in_the_way,
        difference={"create": "config-linux.md#default-devices: the runtime MUST also supply /dev/urandom"},
    ),
    Case(
        "device-outside-of-a-bound-dev",
        outside_of_a_bound_dev,
        "stat:/var/thing",
        difference={
            "report/actions/stat:/var/thing": "config-linux.md#devices: lists devices that MUST be available in the container"
        },
    ),
    Case(
        "device-bad-type",
        device(type="x"),
        crun={"create": "config.md#valid-values: invalid or unsupported values MUST generate an error"},
    ),
    Case(
        "device-default-again",
        device(path="/dev/null", major=1, minor=3, fileMode=0o666, uid=0, gid=0),
        "stat:/dev/null",
        runc={
            "create": "runc 1.1 trips over its own deny-all rule when /dev/null is listed and no rule allows it"
        },
    ),
    Case(
        "device-user-namespace",
        both(lambda b, lab: b.user_namespace(), put("/linux/devices", [])),
        "tree:/dev",
        runc={"report/session_keyring": "runc 1.1 misreads the permissions of a keyring of another user id"},
        crun={
            "report/mountinfo//dev/": "config-linux.md#default-devices: they MUST be there; whether a bound one is nosuid and noexec is left open"
        },
    ),
    Case(
        "rules-deny-all",
        rules(DENY),
        "node:c,1,3",
        "node:c,10,229",
        "node:b,7,0",
        "node:c,5,1",
        "node:c,10,200",
        runc={
            "report/actions/node:c,10,200": "the rules deny all; /dev/net/tun is no default device of the specification, runc 1.1 lets it through",
        },
        crun={
            "report/actions/node:c,5,1": "the rules deny all; crun lets /dev/console through, which no terminal asks for",
            "newer:report/actions/node:c,10,200": "the rules deny all; /dev/net/tun is no default device of the specification, crun 1.27 lets it through",
        },
    ),
    Case(
        "rules-absent",
        put("/linux/resources", {}),
        "node:c,10,229",
        "node:b,7,0",
        crun={"report/actions/node:": NO_RULES},
    ),
    Case("rules-one-allowed", rules(DENY, (True, "c", 10, 229, "r")), "node:c,10,229", "node:c,10,228"),
    Case(
        "rules-major-allowed",
        rules(DENY, (True, "b", 7, None, "rwm")),
        "node:b,7,0",
        "node:b,7,1",
        "node:b,8,0",
    ),
    Case(
        "rules-later-deny",
        rules((True, "", None, None, "rwm"), (False, "b", 7, 1, "rw")),
        "node:b,7,0",
        "node:b,7,1",
    ),
    Case(
        "rules-in-order",
        rules(DENY, (True, "b", 7, None, "rwm"), (False, "b", 7, 1, "rw")),
        "node:b,7,0",
        "node:b,7,1",
        runc={
            "v2:create": "config-linux.md#allowed-device-list: the runtime MUST apply entries in the listed order; runc 1.1 refuses on v2 what only v1 could not"
        },
        crun={
            "v1:create": "config-linux.md#allowed-device-list: entries MUST be applied in order; version 1 cannot express these, crun leaves one out"
        },
    ),
    Case(
        "rules-bad-access",
        rules((False, "c", 1, 3, "rwx")),
        runc={
            "create": "config-linux.md#allowed-device-list: access is composed of r, w and m; runc drops the rest"
        },
        crun={
            "v2:create": "config-linux.md#allowed-device-list: access is composed of r, w and m; on v2 crun drops the rest"
        },
    ),
    Case(
        "masked",
        masked_in_root,
        "tree:/var",
        "list:/var/secret",
        "read:/var/token",
        "create:/var/secret",
        runc={
            "report/actions/tree:/var/secret/mode": "any read-only empty folder masks; ours is 0555, runc's a plain tmpfs of 01777",
        },
        crun={
            "report/actions/tree:/var/secret/mode": "any read-only empty folder masks; ours is 0555, that of crun a plain tmpfs of 01777",
            "newer:report/actions/tree:/var/secret/magic": "any read-only empty folder masks; that of crun 1.27 is one of its state",
        },
    ),
    Case("masked-none", put("/linux/maskedPaths", []), "stat:/proc/keys"),
    Case(
        "masked-relative",
        put("/linux/maskedPaths", ["proc/keys"]),
        difference={"create": ABSOLUTE},
    ),
    Case(
        "readonly-paths", readonly_in_root, "create:/tmp", "openw:/var/file", "rdonly-off:/tmp", "create:/var"
    ),
    Case(
        "readonly-relative",
        put("/linux/readonlyPaths", ["tmp"]),
        difference={"create": ABSOLUTE},
    ),
    Case(
        "masked-and-readonly",
        lambda b, lab: b.linux.update(maskedPaths=["/proc/sys"], readonlyPaths=["/proc/sys"]),
        "list:/proc/sys",
        crun={
            "report/mountinfo//proc/sys": "the specification gives no order of maskedPaths and readonlyPaths; as runc, read-only comes last"
        },
        runc={
            "newer:create": "config-linux.md#masked-paths: any path may be masked; runc 1.5 needs /proc/sys for itself afterwards"
        },
    ),
]
