"""wire.py: every kind of argument, at every length that changes the padding."""

from __future__ import annotations

import pytest

from pyrunc.errors import SpecError
from pyrunc.plan import ops
from pyrunc.plan.ops import Slot
from pyrunc.plan.plan import Plan
from pyrunc.plan.wire import encode_plan
from tests.unit.plan.decode import decode


def plan_of(*init: ops.Op, provided: tuple[str, ...] = ()) -> Plan:
    plan = Plan()
    plan.provided = [Slot(name) for name in provided]
    plan.init = list(init)
    return plan


def round_trip(op: ops.Op) -> ops.Op:
    _, decoded, _ = decode(encode_plan(plan_of(op), {}))
    assert len(decoded) == 1
    return decoded[0]


def test_empty_plan() -> None:
    assert decode(encode_plan(Plan(), {})) == ([], [], 0)


def test_trace_flag() -> None:
    assert decode(encode_plan(Plan(), {}, True))[2] == 1


@pytest.mark.parametrize("length", range(20))
def test_strings_bytes_and_lists(length: int) -> None:
    text = "x" * length
    assert round_trip(ops.set_hostname(text)).args == (text,)
    assert round_trip(ops.set_affinity(text.encode())).args == (text.encode(),)
    assert round_trip(ops.exec([text, "", "é" + text], [])).args == ([text, "", "é" + text], [])


@pytest.mark.parametrize("number", [0, 1, -1, 2**31, 2**63 - 1, -(2**63)])
def test_numbers(number: int) -> None:
    assert round_trip(ops.drop_bounding(number)).args == (number,)


def test_bytes_of_file_names_survive() -> None:
    assert round_trip(ops.set_hostname("a\udcff")).args == ("a\udcff",)


def test_slots_are_numbered_in_order_of_first_use() -> None:
    plan = plan_of(
        ops.open_tree(Slot("b"), "/", 0),
        ops.open_tree(Slot("a"), "/", 0),
        ops.idmap_mount(Slot("b"), Slot("given"), 0),
        provided=("given",),
    )
    assert plan.slots() == ["given", "b", "a"]
    descriptors, decoded, _ = decode(encode_plan(plan, {"given": 7}))
    assert descriptors == [7, -1, -1]
    assert [op.args[0] for op in decoded] == ["1", "2", "1"]
    assert decoded[2].args[1] == "0"


@pytest.mark.parametrize("text", ["a\0b", "\0", "\ud800"])
def test_strings_that_no_call_can_take(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        encode_plan(plan_of(ops.set_hostname(text).at("/hostname")), {})
    assert caught.value.pointer == "/hostname"
    with pytest.raises(SpecError):
        encode_plan(plan_of(ops.exec([text], [])), {})


def test_only_what_the_init_does_is_encoded() -> None:
    plan = plan_of(ops.setsid())
    plan.runtime = [ops.start_init()]
    assert [op.name for op in decode(encode_plan(plan, {}))[1]] == ["setsid"]
