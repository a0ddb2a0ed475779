"""Loading the seccomp filter: flags, and the way of the listener to its agent.

Pure.  Spec: config-linux.md#seccomp.  The filter's program is compiled by
`pyrunc.execute.seccomp`, which refuses filters that would keep the listener from
being sent, and only passed on here.
"""

from __future__ import annotations

from pyrunc.linux import (
    SECCOMP_FILTER_FLAG_SPEC_ALLOW,
    SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
    SECCOMP_FLAGS,
)
from pyrunc.plan import ops
from pyrunc.plan.ops import Op, Slot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.spec.types import Seccomp

POINTER = "/linux/seccomp"
LISTENER = Slot("listener")  # not a slot of pyrunc-init: load_seccomp itself sends the descriptor
NOTIFY = "SCMP_ACT_NOTIFY"


def seccomp_flags(seccomp: Seccomp) -> int:
    """The flags as bits; without a list SPEC_ALLOW, as runc and crun have it.

    WAIT_KILLABLE_RECV is about waiting for an agent: without one the kernel refuses it.
    """
    names = seccomp.get("flags")
    if names is None:
        return SECCOMP_FILTER_FLAG_SPEC_ALLOW
    bits = 0
    for name in names:
        bits |= SECCOMP_FLAGS[name]
    return bits if notifies(seccomp) else bits & ~SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV


def notifies(seccomp: Seccomp) -> bool:
    """Whether the filter asks an agent about any call."""
    rules = seccomp.get("syscalls") or ()
    return seccomp["defaultAction"] == NOTIFY or any(rule["action"] == NOTIFY for rule in rules)


def plan_seccomp(seccomp: Seccomp | None, program: bytes) -> tuple[list[Op], list[Op]]:
    """What pyrunc-init and the runtime do; nothing without the section."""
    if not seccomp:
        return [], []
    listener = notifies(seccomp)
    init = [ops.load_seccomp(program, seccomp_flags(seccomp), int(listener)).at(POINTER)]
    if not listener:
        return init, []
    path, metadata = seccomp.get("listenerPath") or "", seccomp.get("listenerMetadata") or ""
    return init, [
        ops.receive_fd(LISTENER).at(POINTER),
        ops.deliver_listener(LISTENER, path, metadata).at(POINTER + "/listenerPath"),
        ops.signal("listener sent").at(POINTER),
    ]
