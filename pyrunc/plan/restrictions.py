"""Masked and read-only paths, and kernel parameters of the container's namespaces.

Pure.  Spec: config-linux.md#masked-paths, #readonly-paths, #sysctl.
"""

from __future__ import annotations

from pyrunc.plan import ops
from pyrunc.plan.mounts import clean_target
from pyrunc.plan.ops import Op, Slot
from pyrunc.spec.rules_linux import sysctl_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.spec.types import Config

PROC = Slot("proc")
SYSCTL_POINTER = "/linux/sysctl"


def plan_restrictions(config: Config) -> list[Op]:
    """Read-only paths first: what is masked stays masked below them."""
    linux = config.get("linux", {})
    result = []
    seen: set[str] = set()
    for index, path in enumerate(linux.get("readonlyPaths") or ()):
        target = clean_target(path)
        if target not in seen:
            seen.add(target)
            result.append(ops.readonly_path(target).at(f"/linux/readonlyPaths/{index}"))
    seen = set()
    for index, path in enumerate(linux.get("maskedPaths") or ()):
        target = clean_target(path)
        if target not in seen:
            seen.add(target)
            result.append(ops.mask_path(target).at(f"/linux/maskedPaths/{index}"))
    return result


def plan_sysctl(config: Config) -> list[Op]:
    """The kernel parameters, below a private procfs that the first operation opens."""
    values = config.get("linux", {}).get("sysctl") or {}
    if not values:
        return []
    result = [ops.open_proc(PROC).at(SYSCTL_POINTER)]
    for key, value in values.items():
        pointer = f"{SYSCTL_POINTER}/{key.replace('~', '~0').replace('/', '~1')}"
        result.append(ops.write_proc(PROC, "sys/" + sysctl_path(key), value, 0).at(pointer))
    return result
