"""plan.py and render.py: the simulation and the text."""

from __future__ import annotations

import pytest

from pyrunc.plan import ops
from pyrunc.plan.ops import Slot
from pyrunc.plan.plan import Plan, PlanError, simulate
from pyrunc.plan.render import render_objects, render_text


def plan_of(init: list[ops.Op], runtime: list[ops.Op]) -> Plan:
    plan = Plan()
    plan.init, plan.runtime = init, runtime
    return plan


def test_order_of_a_rendezvous() -> None:
    plan = plan_of(
        [ops.setsid(), ops.signal("a"), ops.wait("b"), ops.setsid()],
        [ops.start_init(), ops.send_plan(), ops.wait("a"), ops.write_record("x"), ops.signal("b")],
    )
    assert simulate(plan) == [
        ("runtime", 0), ("runtime", 1), ("init", 0), ("init", 1), ("runtime", 2), ("runtime", 3), ("runtime", 4),
        ("init", 2), ("init", 3),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("init", "runtime"),
    [
        ([ops.wait("a")], []),
        ([], [ops.wait("a")]),
        ([ops.wait("a"), ops.signal("b")], [ops.wait("b"), ops.signal("a")]),
        ([ops.signal("a"), ops.signal("b")], [ops.wait("b"), ops.wait("a")]),
        ([ops.signal("a")], []),
        ([], [ops.signal("a")]),
        ([ops.clone_init(0)], []),
        ([], [ops.wait("init")]),
        ([ops.send_fd(Slot("x"))], []),
        ([ops.send_fd(Slot("x"))], [ops.receive_fd(Slot("y"))]),
        ([ops.load_seccomp(b"", 0, 1)], [ops.receive_fd(Slot("listener"))]),
        ([ops.load_seccomp(b"", 0, 1)], [ops.signal("listener sent"), ops.wait("x")]),
        ([ops.await_start(Slot("s"), Slot("r"))], []),
    ],
)
def test_plans_that_cannot_end(init: list[ops.Op], runtime: list[ops.Op]) -> None:
    with pytest.raises(PlanError):
        simulate(plan_of(init, [ops.send_plan(), *runtime]))


def test_nothing_begins_before_the_plan_is_sent() -> None:
    plan = plan_of([ops.signal("a")], [ops.wait("a"), ops.send_plan()])
    with pytest.raises(PlanError):
        simulate(plan)


def test_what_operations_say_by_themselves() -> None:
    init = [
        ops.clone_init(0),
        ops.send_fd(Slot("x")),
        ops.load_seccomp(b"", 0, 1),
        ops.await_start(Slot("s"), Slot("r")),
        ops.exec([], []),
    ]
    runtime = [
        ops.wait("init"),
        ops.receive_fd(Slot("x")),
        ops.receive_fd(Slot("listener")),
        ops.signal("listener sent"),
        ops.wait("created"),
    ]
    assert len(simulate(plan_of(init, runtime))) == 10
    assert len(simulate(plan_of([ops.exec([], [])], [ops.wait("end"), ops.write_pid_file("/x")]))) == 3


def test_a_pointer_is_on_its_line() -> None:
    """Names of the document's own may hold what terminals and programs take for more than a letter."""
    plan = Plan()
    plan.init = [ops.setsid().at("/linux/sysctl/\x1b[2J\x0c\u2028")]
    assert render_text(plan) == "init      0  setsid()   # /linux/sysctl/\\u001b[2J\\f\\u2028\n"


def test_text() -> None:
    plan = plan_of(
        [
            ops.unshare(0x20000 | 0x40000000).at("/linux/namespaces"),
            ops.new_mount(Slot("mount"), "tmpfs", "tmpfs", ["mode=755"], 0x21),
            ops.mount_setattr(Slot("mount"), 0, 0x70, 1 << 18, 1),
            ops.make_node("/dev/null", 0x2000, 1, 3, 0o666, 0, 0, 0),
            ops.set_hostname('a"\u2028\n'),
            ops.load_seccomp(b"12345678", 4, 0),
            ops.set_affinity(bytes(128)),
            ops.set_umask(0o22),
        ],
        [ops.write_record("creating")],
    )
    assert render_text(plan).splitlines() == [
        'runtime   0  write_record("creating")',
        "init      0  unshare(CLONE_NEWNS|CLONE_NEWNET)   # /linux/namespaces",
        'init      1  new_mount(<mount>, "tmpfs", "tmpfs", ["mode=755"], MOUNT_ATTR_RDONLY|MOUNT_ATTR_STRICTATIME)',
        "init      2  mount_setattr(<mount>, 0, MOUNT_ATTR__ATIME, MS_PRIVATE, 1)",
        'init      3  make_node("/dev/null", S_IFCHR, 1, 3, 0o666, 0, 0, 0)',
        'init      4  set_hostname("a\\"\\u2028\\n")',
        'init      5  load_seccomp(hex"3132333435363738", SECCOMP_FILTER_FLAG_SPEC_ALLOW, 0)',
        "init      6  set_affinity(<128 bytes, crc32 c2a8fa9d>)",
        "init      7  set_umask(0o022)",
    ]


def test_json() -> None:
    plan = plan_of([ops.set_affinity(b"\x0f").at("/x"), ops.open_tree(Slot("root"), "/r", 1)], [])
    assert render_objects(plan, simulate(plan)) == [
        {"actor": "init", "number": 0, "op": "set_affinity", "args": {"mask": "0f"}, "pointer": "/x"},
        {
            "actor": "init", "number": 1, "op": "open_tree", "pointer": "",
            "args": {"slot": "root", "source": "/r", "recursive": 1},
        },
    ]  # fmt: skip
