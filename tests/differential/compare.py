"""Turn what a runtime did into plain values that two runtimes should share.

Pure: names, numbers and paths of one run become placeholders.  Running is in
`test_differential`, the cases are in `cases`.
"""

from __future__ import annotations

import os
import re
from typing import Any

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


def mounts(lines: list[str], names: dict[str, str]) -> dict[str, str]:
    """mountinfo by mount point (the second on one place gets a `+`), without ids and device numbers.

    Read-only is what counts for the program: the mount or its superblock.
    """
    rows = [(line.split(" - ")[0].split(), line.split(" - ")[1].split()) for line in lines]
    places = {left[0]: left[4] for left, _ in rows}
    found: dict[str, str] = {}
    for left, right in sorted(rows, key=lambda row: row[0][4]):
        tags = sorted(re.sub(r":\d+", "", tag) for tag in left[6:])
        kind, source, *rest = right
        data = set(",".join(rest).split(",")) - {"rw"}
        options = set(left[5].split(",")) - {"rw"} | data & {"ro"}
        if kind == "cgroup":
            source = "cgroup"
        if kind in ("ext4", "xfs", "btrfs", "overlay", "devtmpfs"):
            source, data = "DISK", set()
        place = left[4]
        while place in found:
            place += "+"
        if (
            kind == "tmpfs"
            and source in ("none", "tmpfs")
            and "ro" in options
            and not data & {"size=", "mode=755"}
        ):
            options -= {"nosuid", "nodev", "noexec"}  # the empty folder that masks another
            data, source = set(), "empty"
        text = f"on {places.get(left[1], '-')} root={clean(left[3], names)} {','.join(sorted(options))} "
        found[place] = text + f"{' '.join(tags)} {kind} {source} {','.join(sorted(data - {'ro'}))}"
    return found


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
    made["mountinfo"] = mounts(raw["mountinfo"], names)
    made["fds"] = {fd: clean(file_kind(target), names) for fd, target in raw["fds"].items()}
    made["namespaces"] = namespaces(raw["namespaces"])
    made["cgroup"] = sorted(clean(line.split(":", 1)[1], names) for line in raw["cgroup"])
    made["session_keyring"] = clean(raw["session_keyring"], names)
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


def differences(left: Any, right: Any, place: str = "") -> list[tuple[str, Any, Any]]:
    """Every place where two values differ, as `a/b/c`."""
    if isinstance(left, dict) and isinstance(right, dict):
        for step in ("create", "start"):  # one went on and the other did not: the rest says nothing
            if left.get(step) != right.get(step):
                return [(step, left.get(step), right.get(step))]
        keys = [*left, *[key for key in right if key not in left]]
        return [d for key in keys for d in differences(left.get(key), right.get(key), f"{place}/{key}")]
    return [] if left == right else [(place.strip("/"), left, right)]
