"""What holds for every plan of every valid configuration, on every host."""

from __future__ import annotations

import inspect
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pyrunc.errors import PyruncError
from pyrunc.host.facts import Facts
from pyrunc.linux import CAPABILITIES, RLIMITS
from pyrunc.plan import ops
from pyrunc.plan.create import plan_create
from pyrunc.plan.exec import ExecOptions, plan_exec
from pyrunc.plan.mount_options import known_options
from pyrunc.plan.namespaces import FLAGS
from pyrunc.plan.ops import Slot
from pyrunc.plan.options import CreateOptions
from pyrunc.plan.plan import Plan, simulate
from pyrunc.plan.render import render_text
from pyrunc.plan.wire import encode_plan
from pyrunc.spec.rules import check_rules
from pyrunc.state.record import Record
from tests.golden.plans import PROFILES, load_facts
from tests.unit.plan.decode import decode

some = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))

text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=12)
path = st.lists(st.sampled_from(["a", "dev", "proc", "..", "sys", "x y", "é"]), max_size=3).map(lambda parts: "/" + "/".join(parts))
ids = st.integers(0, 2**32 - 2)
maps = st.just([{"containerID": 0, "hostID": 1000, "size": 1}]) | st.just([{"containerID": 5, "hostID": 9, "size": 3}])


def maybe(**entries: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=entries)


@st.composite
def namespaces(draw: st.DrawFn) -> list[dict[str, str]]:
    kinds = draw(st.lists(st.sampled_from(sorted(FLAGS)), unique=True))
    entries = [{"type": kind} | ({"path": "/ns/" + kind} if draw(st.booleans()) else {}) for kind in kinds]
    return entries if "mount" in kinds or draw(st.booleans()) else [*entries, {"type": "mount"}]


mount = st.fixed_dictionaries(
    {"destination": path.map(lambda where: "/m" + where)},
    optional={
        "source": path,
        "type": st.sampled_from(["bind", "tmpfs", "proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2", "ext4"]),
        "options": st.lists(st.sampled_from(known_options()) | st.sampled_from(["size=1m", "gid=5"]), max_size=5),
    },
)
device = st.fixed_dictionaries(
    {"path": path.map(lambda where: "/dev" + where), "type": st.sampled_from("cubp"), "major": st.integers(0, 99),
     "minor": st.integers(0, 99)},
    optional={"fileMode": st.integers(0, 0o7777), "uid": ids, "gid": ids},
)  # fmt: skip
hook = st.fixed_dictionaries({"path": path}, optional={"args": st.lists(text), "env": st.lists(text), "timeout": st.integers(1, 99)})
process = st.fixed_dictionaries(
    {"cwd": path, "args": st.lists(text, min_size=1, max_size=3)},
    optional={
        "terminal": st.booleans(),
        "consoleSize": st.just({"height": 1, "width": 2}),
        "env": st.lists(text, max_size=4),
        "user": st.fixed_dictionaries({"uid": ids, "gid": ids}, optional={"additionalGids": st.lists(ids, max_size=3), "umask": st.integers(0, 0o777)}),
        "rlimits": st.lists(st.sampled_from(sorted(RLIMITS)), unique=True, max_size=3).map(lambda kinds: [{"type": kind, "soft": 0, "hard": 1} for kind in kinds]),
        "capabilities": st.dictionaries(st.sampled_from(["bounding", "effective", "permitted", "inheritable", "ambient"]), st.lists(st.sampled_from(sorted(CAPABILITIES)), max_size=4)),
        "noNewPrivileges": st.booleans(),
        "apparmorProfile": text,
        "oomScoreAdj": st.integers(-1000, 1000),
        "execCPUAffinity": maybe(initial=st.just("0-1"), final=st.just("1")),
        "ioPriority": st.just({"class": "IOPRIO_CLASS_BE", "priority": 1}),
        "scheduler": st.just({"policy": "SCHED_OTHER", "nice": 3}),
    },
)  # fmt: skip
notify = {"defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/l", "syscalls": [{"names": ["mknod"], "action": "SCMP_ACT_NOTIFY"}]}


@st.composite
def configs(draw: st.DrawFn) -> dict[str, Any]:
    linux: dict[str, Any] = {"namespaces": draw(namespaces())}
    kinds = {entry["type"]: entry for entry in linux["namespaces"]}
    if "user" in kinds and "path" not in kinds["user"]:
        linux["uidMappings"], linux["gidMappings"] = draw(maps), draw(maps)
    if "time" in kinds and "path" not in kinds["time"]:
        linux["timeOffsets"] = {"monotonic": {"secs": 1}}
    linux |= draw(
        maybe(
            devices=st.lists(device, max_size=3, unique_by=lambda entry: entry["path"]),
            maskedPaths=st.lists(path, max_size=3),
            readonlyPaths=st.lists(path, max_size=3),
            rootfsPropagation=st.sampled_from(["shared", "rslave", "private", "runbindable"]),
            seccomp=st.sampled_from([{"defaultAction": "SCMP_ACT_ALLOW"}, notify]),
            personality=st.just({"domain": "LINUX32"}),
            memoryPolicy=st.just({"mode": "MPOL_BIND", "nodes": "0"}),
            resources=maybe(pids=st.just({"limit": 9}), memory=st.just({"limit": 1 << 30})),
        )
    )
    if "ipc" in kinds and draw(st.booleans()):
        linux["sysctl"] = {"kernel.sem": "1"}
    document = {
        "ociVersion": "1.3.0", "linux": linux,
        "root": draw(st.fixed_dictionaries({"path": st.sampled_from(["rootfs", "/r"])}, optional={"readonly": st.booleans()})),
    }  # fmt: skip
    optional: dict[str, Any] = {
        "process": process,
        "mounts": st.lists(mount, max_size=5),
        "hooks": maybe(**{kind: st.lists(hook, max_size=2) for kind in ("prestart", "createRuntime", "createContainer", "startContainer", "poststop")}),
    }
    if "uts" in kinds:
        optional["hostname"] = text
    return document | draw(maybe(**optional))


@st.composite
def facts(draw: st.DrawFn) -> Facts:
    return load_facts(draw(st.sampled_from(sorted(PROFILES))))


@st.composite
def creates(draw: st.DrawFn) -> Plan | None:
    """A plan, or None where the configuration is not valid or this host cannot do it."""
    document = draw(configs())
    if list(check_rules(document)):
        return None
    options = CreateOptions("example", "/bundle", "/run/example")
    for name in ("no_pivot", "no_new_keyring"):
        setattr(options, name, draw(st.booleans()))
    options.notify_socket, options.pid_file = draw(st.sampled_from(["", "/n"])), draw(st.sampled_from(["", "/p"]))
    options.preserve_fds, options.listen_fds = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    try:
        return plan_create(document, draw(facts()), options)  # type: ignore[arg-type]
    except PyruncError as error:
        assert error.pointer
        return None


@st.composite
def execs(draw: st.DrawFn) -> Plan | None:
    linux = draw(configs())["linux"]
    record = Record("example", "/bundle")
    record.cgroup = draw(st.sampled_from([{}, {"version": 1, "paths": {"a": "/b"}}, {"version": 2, "paths": {"": "/b"}}]))
    try:
        return plan_exec(draw(process), record, draw(facts()), ExecOptions(linux))  # type: ignore[arg-type]
    except PyruncError as error:
        assert error.pointer
        return None


plans = creates() | execs()


@some
@given(plans)
def test_nobody_waits_for_ever(plan: Plan | None) -> None:
    if plan is not None:
        order = simulate(plan)
        assert sorted(order) == sorted(
            [("init", index) for index in range(len(plan.init))] + [("runtime", index) for index in range(len(plan.runtime))]
        )
        assert len(render_text(plan).splitlines()) == len(order)


@some
@given(plans)
def test_what_is_read_is_what_was_written(plan: Plan | None) -> None:
    if plan is None:
        return
    slots = plan.slots()
    descriptors, decoded, _ = decode(encode_plan(plan, dict.fromkeys(plan.provided, 9)))
    assert descriptors == [9 if name in plan.provided else -1 for name in slots]
    for op, copy in zip(plan.init, decoded, strict=True):
        restored = [Slot(slots[int(value)]) if isinstance(value, Slot) else value for value in copy.args]
        assert (op.name, list(op.args)) == (copy.name, restored)


SIGNATURES = {
    name: [str(parameter.annotation) for parameter in inspect.signature(function).parameters.values()]
    for name, function in vars(ops).items()
    if inspect.isfunction(function)
}
FILLS = {
    "open_namespace": (0,), "open_tree": (0,), "open_source": (0,), "open_device": (0,), "new_mount": (0,), "open_proc": (0,), "open_pty": (0, 1),
}  # fmt: skip
EMPTIES = ("send_fd", "use_terminal")


@some
@given(plans)
def test_arguments_are_what_the_signatures_say(plan: Plan | None) -> None:
    for op in [*plan.init, *plan.runtime] if plan else ():
        for value, annotation in zip(op.args, SIGNATURES[op.name], strict=True):
            assert type(value).__name__ == annotation.partition("[")[0], op.name
            if isinstance(value, int):
                assert -(2**63) <= value < 2**64


@some
@given(plans)
def test_slots_are_filled_before_they_are_used(plan: Plan | None) -> None:
    filled = set(plan.provided) if plan else set()
    for op in plan.init if plan else ():
        for index, value in enumerate(op.args):
            if isinstance(value, Slot) and index not in FILLS.get(op.name, ()):
                assert value in filled, f"{op.name}({value})"
        filled |= {Slot(op.args[index]) for index in FILLS.get(op.name, ())}
        if op.name in EMPTIES:
            filled.discard(op.args[0])


BELOW_ROOT = {
    "move_mount", "remount", "copy_up", "copy_mode", "make_directory", "make_symlink", "make_node", "open_pty", "bind_console",
    "mask_path", "readonly_path",
}  # fmt: skip
ON_HOST = {"open_tree", "open_source", "open_device", "open_namespace"}


@some
@given(creates())
def test_order_of_a_create(plan: Plan | None) -> None:
    if plan is None:
        return
    names = [op.name for op in plan.init]
    (attach,) = [index for index, name in enumerate(names) if name in ("attach_root", "attach_root_at")]
    (swap,) = [index for index, name in enumerate(names) if name in ("pivot_root", "move_root", "change_root")]
    assert attach < swap and (names[attach] == "attach_root_at") is (names[swap] == "change_root")
    assert names[0] == "set_dumpable" and plan.init[0].args == (0,)
    for index, name in enumerate(names):
        assert name not in BELOW_ROOT or index > attach
        assert name not in ON_HOST or index < attach
    ends = [index for index, name in enumerate(names) if name in ("unshare", "clone_init", "clone_init_into")]
    assert max(ends, default=0) < attach
    if names[attach] == "attach_root":
        assert max(ends, default=0) < names.index("set_propagation") < attach
    assert [name for name in names if name == "await_start"] == ["await_start"]


@some
@given(creates())
def test_copies_of_host_mounts_are_cut_off_before_they_are_attached(plan: Plan | None) -> None:
    """Unless the configuration wants the root's mounts shared."""
    if plan is None or any(op.name == "root_propagation" for op in plan.init):
        return
    for op in plan.init:
        if op.name in ("open_tree", "clone_mount"):
            changes = [other for other in plan.init if other.name == "mount_setattr" and other.args[0] == op.args[0]]
            assert str(op.args[0]).startswith("device/") or (changes and changes[0].args[3]), op.args


@some
@given(creates())
def test_every_operation_that_can_fail_for_the_configuration_says_where_it_is_from(plan: Plan | None) -> None:
    for op in plan.init if plan else ():
        assert op.pointer or op.name not in BELOW_ROOT | ON_HOST or "notify" in op.args or "/run/notify" in op.args
