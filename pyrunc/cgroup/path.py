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


def parse_cgroups_path(path: str) -> list[str]:
    """The components of a cgroupsPath, "" and "." left out; SpecError for what is no path below."""
    if "\0" in path or "\n" in path:
        raise SpecError("cgroupsPath contains a NUL or a newline", pointer=POINTER)
    if "/" not in path and path.count(":") == 2:
        raise SpecError(
            f"cgroupsPath {path!r} has the form slice:prefix:name, which is for the systemd cgroup driver",
            pointer=POINTER,
            hint="give --systemd-cgroup, or a path",
        )
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise SpecError(f"cgroupsPath {path!r} contains `..`", pointer=POINTER)
    return parts
