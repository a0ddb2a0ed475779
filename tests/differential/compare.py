"""Turn what a runtime did into plain values that two runtimes should share.

Pure: names, numbers and paths of one run become placeholders.  Running is in
`test_differential`, the cases are in `cases`.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from tests import cgroups
from tests.harness import Runtime

RELEASES = {"runc": "1.1.5", "crun": "1.8.1"}  # Debian 12's: listed differences must show with these
STATE = "runtime.md#state: the state MAY include additional properties; ours are runc's"
SLAVE = "config-linux.md#rootfs-mount-propagation names no default; ours, a slave of the host's, is runc's"
EVERYWHERE: dict[str, dict[str, str]] = {  # differences of every case, as in `cases`
    "runc": {},
    "crun": {
        **{
            f"{step}/{name}": STATE
            for step in ("created", "stopped")
            for name in ("rootfs", "owner", "systemd-scope")
        },
        "report/session_keyring": "the specification says nothing of keyrings; name and permissions are runc's",
        "report/links//dev/core": "runtime-linux.md#dev-symbolic-links: four links are asked for, core is none",
        "report/actions/tree:/dev/core": "runtime-linux.md#dev-symbolic-links: four links are asked for",
        "report/propagation/(root)": SLAVE,
        "shared:report/propagation/": SLAVE,
        "v1:report/cgroup/unified": "config-linux.md#cgroups-path: a runtime MAY leave hierarchies out; runc joins this too",
    },
}
CONDITION = re.compile(r"(v1|v2|newer|shared):")
CLASSES = (
    ("exists", r"already exists"),
    ("missing", r"no such file|not found|does not exist|no such device or address|not exist"),
    ("denied", r"permission denied|not permitted|read-only file system"),
    ("not a directory", r"not a directory"),
)


def error_class(message: str) -> str:
    """The kind of error a text speaks of; engines tell no more apart."""
    for name, pattern in CLASSES:
        if re.search(pattern, message, re.IGNORECASE):
            return name
    return "invalid"


def clean(text: str, names: dict[str, str]) -> str:
    """Replace what belongs to one run: id, folders."""
    for old, new in sorted(names.items(), key=lambda item: -len(item[0])):
        text = text.replace(old, new)
    return text


def mounts(lines: list[str], names: dict[str, str]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """mountinfo by mount point (the second on one place gets a `+`), without ids and device numbers; and the propagation.

    Read-only is what counts for the program: the mount or its superblock.
    """
    rows = [(line.split(" - ")[0].split(), line.split(" - ")[1].split()) for line in lines]
    places = {left[0]: clean(left[4], names) for left, _ in rows}
    found: dict[str, str] = {}
    propagation: dict[str, list[str]] = {}
    for left, right in sorted(rows, key=lambda row: row[0][4]):
        kind, source, *rest = right
        data = set(",".join(rest).split(",")) - {"rw"}
        options = set(left[5].split(",")) - {"rw"} | data & {"ro"}
        if kind in ("cgroup", "cgroup2"):
            source = "cgroup"
        if kind in ("ext4", "xfs", "btrfs", "overlay", "devtmpfs"):
            source, data = "DISK", set()
        place = clean(left[4], names) if left[4] != "/" else "(root)"
        while place in found:
            place += "+"
        if hidden := _mask(left[3], kind, source, options, data):
            found[place] = f"on {places.get(left[1], '-')} {hidden}"
            continue
        if tags := sorted(re.sub(r":\d+", "", tag) for tag in left[6:]):
            propagation[place] = tags
        text = f"on {places.get(left[1], '-')} root={clean(left[3], names)} {','.join(sorted(options))} "
        found[place] = text + f"{kind} {source} {','.join(sorted(data - {'ro'}))}"
    return found, propagation


def _mask(root: str, kind: str, source: str, options: set[str], data: set[str]) -> str:
    """What hides a path, in the way of one runtime or another; "" if it is no such mount."""
    if root.endswith("/null"):  # a null device, the host's or one of the container's own
        return "null"
    plain = kind == "tmpfs" and source in ("none", "tmpfs") and "ro" in options
    if root.endswith("/.empty-directory") or (plain and not data & {"size=", "mode=755"}):
        return "empty"
    return ""


def file_kind(target: str) -> str:
    """What a descriptor is, not which one."""
    return re.sub(r":\[\d+\]", "", target) if ":[" in target else target


def namespaces(links: dict[str, str]) -> dict[str, str]:
    """Ours, or another one."""
    return {
        kind: "host" if os.readlink(f"/proc/self/ns/{kind}") == link else "other"
        for kind, link in links.items()
    }


def report(raw: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """A probe report, comparable."""
    made = dict(raw)
    made["mountinfo"], made["propagation"] = mounts(raw["mountinfo"], names)
    made["fds"] = {fd: clean(file_kind(target), names) for fd, target in raw["fds"].items()}
    made["namespaces"] = namespaces(raw["namespaces"])
    paths = [clean(line.split(":", 1)[1], names).split(":", 1) for line in raw["cgroup"]]
    made["cgroup"] = {
        names or "unified": path.removeprefix(cgroups.own(names)).strip(
            "/"
        )  # where we are, they may go on from
        for names, path in paths
        if path != "/"
    }
    made["session_keyring"] = clean(raw["session_keyring"], names).removeprefix("keyring;")
    made["env"] = sorted(clean(entry, names) for entry in raw["env"])
    made["cwd"] = clean(raw["cwd"], names)
    if raw["pid"] != 1:  # shares our pid namespace
        for key in ("pid", "ppid", "sid", "pgid"):
            made[key] = "pid" if raw[key] == raw["pid"] else "other"
        made["status"] = {**raw["status"], "NSpid": len(raw["status"]["NSpid"].split())}
    return made


def state(raw: dict[str, Any], names: dict[str, str], rootfs: str) -> dict[str, Any]:
    """state JSON: values that are fixed by the bundle, kinds of the rest."""
    made = dict(raw)
    made["pid"] = "set" if raw.get("pid") else "unset"
    made["ociVersion"] = bool(re.fullmatch(r"1\.\d+\.\d+(-[\w.-]+)?(\+[\w.-]+)?", raw["ociVersion"]))
    made["created"] = bool(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", raw.get("created", "")))
    made["id"] = clean(raw["id"], names)
    made["bundle"] = clean(raw["bundle"], names)
    made["rootfs"] = clean(raw.get("rootfs", ""), names)
    return made


def collected(text: str, names: dict[str, str]) -> Any:
    """What a hook or a listener was given: JSON, without the values of one run, or plain text."""
    try:
        value = json.loads(text)
    except ValueError:
        return clean(text, names)
    state = value.get(
        "state", value
    )  # a listener is told the state of the process around that of the container
    for each in (value, state):
        each |= {key: "set" for key in ("pid", "created") if each.get(key)}
        each["ociVersion"] = bool(each.get("ociVersion"))
    return json.loads(clean(json.dumps(value), names))


def differences(left: Any, right: Any, place: str = "") -> list[tuple[str, Any, Any]]:
    """Every place where two values differ, as `a/b/c`."""
    if isinstance(left, dict) and isinstance(right, dict):
        for step in ("create", "start"):  # one went on and the other did not: the rest says nothing
            if left.get(step) != right.get(step):
                return [(step, left.get(step), right.get(step))]
        keys = [*left, *[key for key in right if key not in left]]
        return [d for key in keys for d in differences(left.get(key), right.get(key), f"{place}/{key}")]
    return [] if left == right else [(place.strip("/"), left, right)]


def reasons_for(peer: Runtime, listed: dict[str, str]) -> dict[str, str]:
    """place → reason, of what is listed for this version of cgroups and release of the peer."""
    conditions = {
        f"v{cgroups.version()}",
        "newer" if not is_judged(peer) else "",
        "shared" if host_shares() else "",
    }
    parts = {place: CONDITION.match(place) for place in listed}
    return {
        place[match.end() :] if match else place: listed[place]
        for place, match in parts.items()
        if match is None or match[1] in conditions
    }


def host_shares() -> bool:
    """Whether the host shares its mounts, as systemd does."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return any("shared:" in line for line in lines if line.split()[4] == "/")


def is_judged(peer: Runtime) -> bool:
    """Whether this is the release that the differences were listed with: those must show."""
    return peer.version.startswith(RELEASES[peer.name])


def unexplained(differing: list[tuple[str, Any, Any]], reasons: dict[str, str]) -> list[tuple[str, Any, Any]]:
    """The differences that no reason explains."""
    return [each for each in differing if not any(each[0].startswith(place) for place in reasons)]


def stale(differing: list[tuple[str, Any, Any]], reasons: dict[str, str]) -> list[str]:
    """The listed places that do not differ."""
    return [place for place in reasons if not any(found.startswith(place) for found, _, _ in differing)]
