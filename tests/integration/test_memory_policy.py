"""config-linux.md#memory-policy: the process and what it starts have the policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.harness import Box, only_ours

NODES = Path("/sys/devices/system/node/online")
MAPS = Path("/proc/self/numa_maps")


def policies(box: Box, policy: dict[str, Any] | None) -> set[str]:
    """The policies of the memory of a program in the container."""
    if not MAPS.exists() or not NODES.exists():
        pytest.skip("needs a kernel with NUMA")
    bundle = box.bundle("/bin/cat", str(MAPS))
    if policy:
        only_ours(box, "the peers here are older than memoryPolicy")
        bundle.linux["memoryPolicy"] = policy
    return {line.split()[1] for line in box.run(bundle).ok().out.splitlines()}


@pytest.mark.parametrize(
    ("mode", "nodes", "flags", "seen"),
    [
        ("MPOL_BIND", "0", [], "bind:0"),
        ("MPOL_BIND", "0", ["MPOL_F_STATIC_NODES"], "bind=static:0"),
        ("MPOL_PREFERRED", "0", [], "prefer:0"),
        ("MPOL_INTERLEAVE", "0", ["MPOL_F_RELATIVE_NODES"], "interleave=relative:0"),
        ("MPOL_LOCAL", "", [], "local"),
        ("MPOL_DEFAULT", "", [], "default"),
    ],
)
def test_policy(box: Box, mode: str, nodes: str, flags: list[str], seen: str) -> None:
    policy: dict[str, Any] = {"mode": mode}
    if nodes:
        policy["nodes"] = nodes
    if flags:
        policy["flags"] = flags
    assert policies(box, policy) >= {seen}


def test_absent_is_the_default(box: Box) -> None:
    assert policies(box, None) == {"default"}


def test_nodes_that_the_machine_has_not(box: Box) -> None:
    """The message has the kernel's reason."""
    only_ours(box, "the peers here are older than memoryPolicy")
    if not MAPS.exists():
        pytest.skip("needs a kernel with NUMA")
    bundle = box.bundle()
    bundle.linux["memoryPolicy"] = {"mode": "MPOL_BIND", "nodes": "1000"}
    box.try_create(bundle).failed("set memory policy", "invalid argument")
