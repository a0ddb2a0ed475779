"""Where a container's cgroup is, in each hierarchy.

Pure.  An absolute cgroupsPath lies below the hierarchy's mount, as the spec
says.  A relative one, and the container's id where there is none, lies below
the runtime's own cgroup; on v2 beside it, for a v2 cgroup with processes
cannot give controllers to cgroups below.
Spec: config-linux.md, "Cgroups Path".
"""

from __future__ import annotations

from pyrunc.errors import SpecError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pyrunc.host.facts import Facts

POINTER = "/linux/cgroupsPath"


def cgroup_paths(config: Mapping[str, Any], facts: Facts, id: str) -> dict[str, str]:
    """Controller → absolute directory on the host; v2: {"": directory}.

    Raises SpecError for a path that would leave the hierarchy or be its root.
    """
    asked = (config.get("linux") or {}).get("cgroupsPath") or ""
    parts = parse_cgroups_path(asked)
    if asked and not parts and asked.startswith("/"):
        raise SpecError("cgroupsPath names the root of the cgroup hierarchy", pointer=POINTER)
    inner = "/".join(parts or [id])
    paths = {}
    for controller, mount in facts.cgroup_mounts.items():
        base = ""
        if not asked.startswith("/"):
            base = facts.own_cgroups.get(controller, "/").rstrip("/")
            if facts.cgroup_version == 2:
                base = base.rpartition("/")[0]
        paths[controller] = f"{mount}{base}/{inner}"
    return paths


def is_unit_path(path: str) -> bool:
    """Whether a cgroupsPath has the form of the systemd driver."""
    return "/" not in path and path.count(":") == 2


class UnitPlace:
    """The transient unit of a container: its names, and where below the hierarchies' mounts it will be."""

    __slots__ = ("below", "name", "slice", "user")

    def __init__(self, name: str, slice: str, user: bool, below: str) -> None:
        self.name = name
        self.slice = slice
        self.user = user
        self.below = below


def unit_place(config: Mapping[str, Any], facts: Facts, id: str) -> UnitPlace:
    """The unit that `slice:prefix:name` names; without a cgroupsPath one named after the container.

    Raises SpecError for another form, and for names that units cannot have.
    """
    asked = (config.get("linux") or {}).get("cgroupsPath") or f":pyrunc:{id}"
    if not is_unit_path(asked):
        raise SpecError(
            'expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, '
            f'got "{asked}" instead',
            pointer=POINTER,
        )
    slice, prefix, name = (_escape(part) for part in asked.split(":"))
    user = facts.euid != 0 or facts.user_namespace
    slice = slice or ("user.slice" if user else "system.slice")
    unit = f"{prefix}-{name}.scope" if prefix else f"{name}.scope"
    below = f"{_user_root(facts) if user else ''}{_slice_path(slice)}/{unit}"
    return UnitPlace(unit, slice, user, below)


def _escape(text: str) -> str:
    """The text with what unit names cannot hold as systemd writes it; what is escaped already stays."""
    good = "\\-_.@0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return "".join(chr(byte) if chr(byte) in good else f"\\x{byte:02x}" for byte in text.encode())


def _slice_path(slice: str) -> str:
    """Where a slice is: a-b.slice is in a.slice."""
    stem = slice.removesuffix(".slice")
    if stem == "-" and stem != slice:
        return ""
    if stem == slice or not all(stem.split("-")):
        raise SpecError(f"invalid slice name: {slice}", pointer=POINTER)
    parts = stem.split("-")
    return "".join(f"/{'-'.join(parts[: count + 1])}.slice" for count in range(len(parts)))


def _user_root(facts: Facts) -> str:
    """The cgroup of the user's systemd, as far as can be told from here; the driver asks the kernel later."""
    own = next(iter(facts.own_cgroups.values()), "/")
    parts = own.split("/")
    for index, part in enumerate(parts):
        if part.startswith("user@") and part.endswith(".service"):
            return "/".join(parts[: index + 1])
    return f"/user.slice/user-{facts.euid}.slice/user@{facts.euid}.service"


def parse_cgroups_path(path: str) -> list[str]:
    """The components of a cgroupsPath, "" and "." left out; SpecError for what is no path below."""
    if "\0" in path or "\n" in path:
        raise SpecError("cgroupsPath contains a NUL or a newline", pointer=POINTER)
    if is_unit_path(path):
        raise SpecError(
            f"cgroupsPath {path!r} has the form slice:prefix:name, which is for the systemd cgroup driver",
            pointer=POINTER,
            hint="give --systemd-cgroup, or a path",
        )
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise SpecError(f"cgroupsPath {path!r} contains `..`", pointer=POINTER)
    return parts
