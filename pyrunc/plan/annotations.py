"""What annotations ask of a plan: the harmless ones of those that crun gave a meaning.

Pure; imported only for containers that have one of them.  A value takes effect
as crun takes it: "1" is yes.  Those that are no part of a plan: the hooks'
output (`execute.hooks`), CRIU's configuration (`execute.criu`), properties of
systemd units (`cgroup.limits_systemd`).
"""

from __future__ import annotations

from pyrunc.errors import SpecError
from pyrunc.plan import ops

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyrunc.plan.plan import Plan

KEEP_GROUPS = "run.oci.keep_original_groups"
PIDFD = "run.oci.pidfd_receiver"


def apply_annotations(plan: Plan, annotations: Mapping[str, str]) -> None:
    """Change the plan as the annotations say.  SpecError: a value that is none for its annotation."""
    if annotations.get(KEEP_GROUPS) == "1":
        keep_groups(plan)
    receiver = annotations.get(PIDFD)
    if receiver and not any(op.name == "deliver_pidfd" for op in plan.runtime):
        if not receiver.startswith("/"):
            raise SpecError(f"{PIDFD} wants an absolute path", pointer=f"/annotations/{PIDFD}")
        plan.runtime.append(ops.deliver_pidfd(receiver).at(f"/annotations/{PIDFD}"))


def keep_groups(plan: Plan) -> None:
    """The program has the supplementary groups of the runtime's caller, not those of the configuration."""
    pointer = f"/annotations/{KEEP_GROUPS}"
    kept = [op for op in plan.init if op.name != "set_groups"]
    plan.init[:] = [
        ops.become_root_with_groups().at(pointer) if op.name == "become_root" else op for op in kept
    ]
