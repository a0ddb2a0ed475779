"""Masked and read-only paths, and kernel parameters of the container's namespaces.

Pure.  Spec: config-linux.md#masked-paths, #readonly-paths, #sysctl.
"""

from __future__ import annotations

from pyrunc.errors import SpecError
from pyrunc.plan import ops
from pyrunc.plan.mounts import clean_target
from pyrunc.plan.ops import Op, Slot
from pyrunc.spec.rules_linux import sysctl_namespace, sysctl_path
from pyrunc.spec.schema import escape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyrunc.host.facts import Facts
    from pyrunc.spec.types import Config

PROC = Slot("proc")
SYSCTL_POINTER = "/linux/sysctl"


def plan_restrictions(config: Config) -> list[Op]:
    """Read-only paths first: what is masked stays masked below them."""
    linux = config.get("linux", {})
    readonly = _first_pointers(linux.get("readonlyPaths") or (), "/linux/readonlyPaths")
    masked = _first_pointers(linux.get("maskedPaths") or (), "/linux/maskedPaths")
    return [
        *(ops.readonly_path(target).at(pointer) for target, pointer in readonly.items()),
        *(ops.mask_path(target).at(pointer) for target, pointer in masked.items()),
    ]


def _first_pointers(paths: Sequence[str], pointer: str) -> dict[str, str]:
    """Each target once, with the pointer to where it is named first."""
    found: dict[str, str] = {}
    for index, path in enumerate(paths):
        found.setdefault(clean_target(path), f"{pointer}/{index}")
    return found


def plan_sysctl(config: Config, facts: Facts) -> list[Op]:
    """The kernel parameters, below a private procfs that the first operation opens.

    Raises SpecError for one of a namespace that is the runtime's own.
    """
    values = config.get("linux", {}).get("sysctl") or {}
    if not values:
        return []
    result = [ops.open_proc(PROC).at(SYSCTL_POINTER)]
    for key, value in values.items():
        pointer = f"{SYSCTL_POINTER}/{escape(key)}"
        path = sysctl_path(key)
        kind = sysctl_namespace(path.split("/"))
        if kind in facts.joins_own:
            raise SpecError(f'sysctl "{key}" not allowed in host {kind} namespace', pointer=pointer)
        result.append(ops.write_proc(PROC, "sys/" + path, value, 0).at(pointer))
    return result
