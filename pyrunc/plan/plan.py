"""A plan: what pyrunc-init does, what the runtime does, and how the two meet.

Pure.  Here: the value, its slots, and the simulation that proves that neither
actor waits for ever.  Its text and JSON forms are in `pyrunc.plan.render`, its
bytes in `pyrunc.plan.wire`.
"""

from __future__ import annotations

from pyrunc.plan.ops import Slot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.plan.ops import Op

INIT = "init"
RUNTIME = "runtime"


class PlanError(Exception):
    """The planner made a plan that cannot be carried out: a fault of ours, not of the bundle."""


class Plan:
    """Operations by actor, each list in order.

    provided: slots that hold a descriptor from the beginning, given by the
    runtime; user_namespaces: what `uid_map` and `gid_map` say in the user
    namespaces behind some of these; warnings: what the configuration asks for
    in vain, as the spec allows.
    """

    __slots__ = ("init", "provided", "runtime", "user_namespaces", "warnings")

    def __init__(self) -> None:
        self.init: list[Op] = []
        self.runtime: list[Op] = []
        self.provided: list[Slot] = []
        self.user_namespaces: dict[Slot, tuple[str, str]] = {}
        self.warnings: list[str] = []

    def slots(self) -> list[str]:
        """The slots' names; a slot's number is its place here, the order of first use."""
        names: dict[str, None] = dict.fromkeys(self.provided)
        for op in self.init:
            for argument in op.args:
                if type(argument) is Slot:
                    names[argument] = None
        return list(names)


# What an operation says to the other actor beside its work, and what it waits for.
_SAYS = {
    "clone_init": "init",
    "clone_init_into": "init",
    "await_start": "created",
    "exec": "end",
    "send_plan": "plan",
}
LISTENER = "fd:listener"
_ENDS = ("exec", "end")  # the end of pyrunc-init ends a wait for either name


class _Actor:
    """One side of the simulation: its operations, the next one, what was said to it.

    answer: what the operation before waits for after it spoke.
    """

    __slots__ = ("answer", "heard", "name", "next", "ops")

    def __init__(self, name: str, ops: list[Op]) -> None:
        self.name = name
        self.ops = ops
        self.next = 0
        self.heard: list[str] = []
        self.answer = ""

    def hears(self, what: str) -> bool:
        """Take `what` if it is the next thing said."""
        if not self.heard:
            return False
        if self.heard[0] != what and not (what in _ENDS and self.heard[0] in _ENDS):
            raise PlanError(f"{self.name} waits for {what!r} but hears {self.heard[0]!r}")
        del self.heard[0]
        return True


def simulate(plan: Plan) -> list[tuple[str, int]]:
    """The one order in which the operations can happen: (actor, index) pairs.

    The runtime runs ahead where both could.  Raises PlanError if an actor
    waits for what never comes or comes in another order, or if something said
    is never heard.
    """
    init = _Actor(INIT, plan.init)
    runtime = _Actor(RUNTIME, plan.runtime)
    order: list[tuple[str, int]] = []
    if not any(op.name == "send_plan" for op in plan.runtime):
        init.heard.append("plan")
    started = False
    while True:
        moved = _advance(runtime, init, order)
        started = started or (bool(init.heard) and init.hears("plan"))
        if started:
            moved = _advance(init, runtime, order) or moved
        if not moved:
            break
    for actor in (runtime, init):
        if actor.answer:
            raise PlanError(f"{actor.name} waits for ever for {actor.answer!r}")
        if actor.next < len(actor.ops):
            stuck = actor.ops[actor.next].name
            raise PlanError(f"{actor.name} waits for ever in {stuck} (operation {actor.next})")
        if [word for word in actor.heard if word not in _ENDS and word != "plan"]:
            raise PlanError(f"{actor.name} never hears {actor.heard[0]!r}")
    return order


def _advance(actor: _Actor, other: _Actor, order: list[tuple[str, int]]) -> bool:
    """Let `actor` do what it can; whether it did anything."""
    start = actor.next, actor.answer
    while actor.next < len(actor.ops) or actor.answer:
        if actor.answer:
            if not actor.hears(actor.answer):
                break
            actor.answer = ""
            continue
        op = actor.ops[actor.next]
        awaited = _awaits(op)
        if awaited and not actor.hears(awaited):
            break
        said = _says(op)
        if said:
            other.heard.append(said)
        if said == LISTENER:
            actor.answer = "listener sent"
        order.append((actor.name, actor.next))
        actor.next += 1
    return (actor.next, actor.answer) != start


def _awaits(op: Op) -> str:
    if op.name == "wait":
        return str(op.args[0])
    if op.name == "receive_fd":
        return f"fd:{op.args[0]!s}"
    return ""


def _says(op: Op) -> str:
    if op.name == "signal":
        return str(op.args[0])
    if op.name == "send_fd":
        return f"fd:{op.args[0]!s}"
    if op.name == "load_seccomp" and op.args[2]:
        return LISTENER
    return _SAYS.get(op.name, "")
