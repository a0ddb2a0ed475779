"""Loading the seccomp filter: flags, and the way of the listener to its agent.

Pure.  Spec: config-linux.md#seccomp.  The filter's program is compiled by
`pyrunc.execute.seccomp` and only passed on here.
"""

from __future__ import annotations

from pyrunc.errors import SpecError
from pyrunc.linux import SECCOMP_FILTER_FLAG_SPEC_ALLOW, SECCOMP_FLAGS
from pyrunc.plan import ops
from pyrunc.plan.ops import Op, Slot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.spec.types import Seccomp

POINTER = "/linux/seccomp"
LISTENER = Slot("listener")  # not a slot of pyrunc-init: load_seccomp itself sends the descriptor
NOTIFY = "SCMP_ACT_NOTIFY"
# What pyrunc-init does between the loading and the arrival of the listener at its agent.
UNATTENDED = ("sendmsg", "recvfrom")


def seccomp_flags(seccomp: Seccomp) -> int:
    """The flags as bits; without a list SPEC_ALLOW, as runc and crun have it."""
    names = seccomp.get("flags")
    if names is None:
        return SECCOMP_FILTER_FLAG_SPEC_ALLOW
    bits = 0
    for name in names:
        bits |= SECCOMP_FLAGS[name]
    return bits


def notifies(seccomp: Seccomp) -> bool:
    """Whether the filter asks an agent about any call."""
    rules = seccomp.get("syscalls") or ()
    return seccomp["defaultAction"] == NOTIFY or any(rule["action"] == NOTIFY for rule in rules)


def plan_seccomp(seccomp: Seccomp | None, program: bytes) -> tuple[list[Op], list[Op]]:
    """What pyrunc-init and the runtime do; nothing without the section.

    Raises SpecError where the listener could never be sent.
    """
    if not seccomp:
        return [], []
    listener = notifies(seccomp)
    init = [ops.load_seccomp(program, seccomp_flags(seccomp), int(listener)).at(POINTER)]
    if not listener:
        return init, []
    _check_unattended(seccomp)
    path, metadata = seccomp.get("listenerPath") or "", seccomp.get("listenerMetadata") or ""
    return init, [
        ops.receive_fd(LISTENER).at(POINTER),
        ops.deliver_listener(LISTENER, path, metadata).at(POINTER + "/listenerPath"),
        ops.signal("listener sent").at(POINTER),
    ]


def _check_unattended(seccomp: Seccomp) -> None:
    free = set()
    for index, rule in enumerate(seccomp.get("syscalls") or ()):
        for name in UNATTENDED:
            if name in rule["names"]:
                if rule["action"] == NOTIFY:
                    raise SpecError(
                        f"SCMP_ACT_NOTIFY cannot be used for the {name} syscall, which sends the listener",
                        pointer=f"{POINTER}/syscalls/{index}/names",
                    )
                free.add(name)
    if seccomp["defaultAction"] == NOTIFY and free != set(UNATTENDED):
        raise SpecError(
            "SCMP_ACT_NOTIFY cannot be the default action for the syscalls that send the listener",
            pointer=POINTER + "/defaultAction",
            hint="allow sendmsg and recvfrom",
        )
