"""Capability names to bit masks (capabilities(7)).

Pure.  Spec: config.md#linux-process: a name that cannot be granted is a warning.
"""

from __future__ import annotations

from pyrunc.linux import CAPABILITIES
from pyrunc.plan import ops
from pyrunc.plan.ops import Op

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.spec.types import Capabilities

SETS = ("bounding", "effective", "permitted", "inheritable", "ambient")


def capability_masks(capabilities: Capabilities | None, last: int, warnings: list[str]) -> dict[str, int]:
    """Each of SETS as a bit mask; absent means none.

    last: the highest number that the kernel knows, -1 = not known.  Names that
    it does not know are told in `warnings`, once each.
    """
    result = {}
    unknown: list[str] = []
    for kind in SETS:
        mask = 0
        names: list[str] = (capabilities or {}).get(kind) or []  # type: ignore[assignment]
        for name in names:
            number = CAPABILITIES.get(name.upper(), -1)
            if number >= 0 and (number <= last or last < 0):
                mask |= 1 << number
            elif name not in unknown:
                unknown.append(name)
        result[kind] = mask
    if unknown:
        warnings.append(f"capabilities not known here are left out: {', '.join(unknown)}")
    return result


def capability_names(mask: int) -> list[str]:
    """The names of the bits in `mask`."""
    return [name for name, number in CAPABILITIES.items() if mask >> number & 1]


def plan_bounding(masks: dict[str, int], pointer: str) -> list[Op]:
    """What is done with all rights: drop from the bounding set."""
    return [ops.drop_bounding(masks["bounding"]).at(pointer + "/bounding")]


def plan_capabilities(masks: dict[str, int], pointer: str) -> list[Op]:
    """What is done as the program's user."""
    return [
        ops.set_capabilities(masks["effective"], masks["permitted"], masks["inheritable"]).at(pointer),
        ops.set_ambient(masks["ambient"]).at(pointer + "/ambient"),
    ]
