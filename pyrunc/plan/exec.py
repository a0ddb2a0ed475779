"""The plan of an exec: another process in a running container.

Pure.  Everything about the container comes from what was kept at its creation;
where its namespaces are, from its init's pidfd.
"""

from __future__ import annotations

from pyrunc.linux import SIGKILL
from pyrunc.plan import ops
from pyrunc.plan.cgroup_entry import plan_entry
from pyrunc.plan.namespaces import FLAGS, POINTER
from pyrunc.plan.ops import Op, Slot
from pyrunc.plan.plan import Plan
from pyrunc.plan.process import (
    CONSOLE,
    bit_mask,
    exec_program,
    plan_domains,
    plan_end,
    plan_keyring,
    plan_limits,
    plan_process,
    plan_terminal,
)
from pyrunc.plan.seccomp import plan_seccomp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.host.facts import Facts
    from pyrunc.plan.process import ProcessPlan
    from pyrunc.spec.types import Linux, Process
    from pyrunc.state.record import Record

PIDFD = Slot("pidfd")
ROOT = Slot("root")


class ExecOptions:
    """What the caller of exec decides, and what the container's frozen configuration says.

    linux: its `linux` section; seccomp_program: the compiled filter; listen_fds: as
    in LISTEN_FDS, passed on from 3 on before `preserve_fds` more; cgroup: cgroups
    below the container's own to use instead, as on the command line.
    """

    __slots__ = (
        "cgroup", "console_socket", "detach", "linux", "listen_fds", "pid_file", "pidfd_socket",
        "preserve_fds", "seccomp_program",
    )  # fmt: skip

    def __init__(self, linux: Linux) -> None:
        self.linux = linux
        self.seccomp_program = b""
        self.preserve_fds = 0
        self.listen_fds = 0
        self.console_socket = ""
        self.pidfd_socket = ""
        self.pid_file = ""
        self.detach = False
        self.cgroup: list[str] = []


def plan_exec(process: Process, record: Record, facts: Facts, options: ExecOptions) -> Plan:
    """The plan that runs `process` in the container of `record`.

    It ends with the execve(2), which the runtime sees as the end of the socket
    (`wait("end")`).  start_init starts pyrunc-init in the container's cgroup
    unless the plan holds a join_cgroup.
    """
    plan = Plan()
    plan.provided = [PIDFD]
    namespaces = {entry["type"] for entry in options.linux.get("namespaces") or ()}
    keep = options.listen_fds + options.preserve_fds
    program = plan_process(process, facts, keep, plan.warnings, False)
    _launch(plan, process, record, facts)
    if record.root_mount:
        plan.provided.append(ROOT)
    plan.init += _enter(namespaces, bool(record.root_mount))
    if "pid" in namespaces:
        plan.runtime.append(ops.wait("init"))
    if not record.no_new_keyring:
        plan.init += plan_keyring(process, facts, record.id)
    init, runtime = plan_terminal(process, False)
    plan.init += init
    plan.runtime += runtime
    _settle(plan, process, program, options)
    if record.annotations.get("run.oci.keep_original_groups") == "1":
        from pyrunc.plan.annotations import keep_groups

        keep_groups(plan)
    return plan


def _launch(plan: Plan, process: Process, record: Record, facts: Facts) -> None:
    """Until pyrunc-init has its plan and is in the cgroup.

    An initial affinity has to be in force before it gets there.
    """
    affinity = process.get("execCPUAffinity") or {}
    initial, final = affinity.get("initial") or "", affinity.get("final") or ""
    pointer = "/process/execCPUAffinity"
    plan.init += [
        ops.set_dumpable(0),
        ops.set_parent_death_signal(SIGKILL),
        ops.set_umask(0),
        ops.reset_signals(),
    ]
    saved = record.cgroup
    entry = plan_entry(saved["version"], saved["paths"], facts) if saved.get("paths") else []
    plan.provided += [Slot(str(op.args[0])) for op in entry]
    joins = bool(saved.get("paths")) and not entry
    plan.runtime.append(ops.start_init())
    if joins and saved["version"] == 1 and not initial:
        plan.runtime.append(ops.join_cgroup())
    adjustment = process.get("oomScoreAdj")
    if adjustment is not None:
        plan.runtime.append(ops.write_oom_score_adj(adjustment).at("/process/oomScoreAdj"))
    plan.runtime.append(ops.send_plan())
    if initial:
        plan.init.append(ops.set_affinity(bit_mask(initial)).at(pointer + "/initial"))
    plan.init += entry
    if initial and joins:
        plan.init += [ops.signal("affinity"), ops.wait("cgroup")]
        plan.runtime += [ops.wait("affinity"), ops.join_cgroup(), ops.signal("cgroup")]
    if final:
        plan.init.append(ops.set_affinity(bit_mask(final)).at(pointer + "/final"))
    if not affinity:
        plan.init.append(ops.reset_affinity())


def _enter(namespaces: set[str], changes_root: bool) -> list[Op]:
    """All namespaces of the container at once; the pid namespace needs a child.

    changes_root: there is no mount namespace to come with a root.
    """
    flags = 0
    for kind in namespaces:
        flags |= FLAGS[kind]
    result = []
    if flags:
        result.append(ops.setns(PIDFD, flags).at(POINTER))
    if "user" in namespaces:
        result += [ops.become_root(), ops.set_dumpable(0), ops.set_parent_death_signal(SIGKILL)]
    result += [ops.use_root(ROOT), ops.change_root()] if changes_root else [ops.open_root()]
    if "pid" in namespaces:
        result += [ops.clone_init(0).at(POINTER), ops.set_parent_death_signal(SIGKILL)]
    result.append(ops.setsid())
    return result


def _settle(plan: Plan, process: Process, program: ProcessPlan, options: ExecOptions) -> None:
    """The process's attributes and the program, as in a create but without a wait for start."""
    seccomp, listener = plan_seccomp(options.linux.get("seccomp"), options.seccomp_program)
    init, runtime = plan_limits(program)
    plan.init += init
    plan.runtime += runtime
    plan.init += plan_domains(options.linux)
    plan.init += program.attributes
    plan.init.append(ops.set_parent_death_signal(0))  # the program may outlive the runtime
    plan.init += program.identity
    plan.init += plan_end(program, seccomp)
    plan.init.append(exec_program(process, program))
    plan.runtime += listener
    if process.get("terminal"):
        plan.runtime.append(ops.deliver_console(CONSOLE).at("/process/terminal"))
    plan.runtime.append(ops.wait("end"))
    if options.pidfd_socket:
        plan.runtime.append(ops.deliver_pidfd(options.pidfd_socket))
    if options.pid_file:
        plan.runtime.append(ops.write_pid_file(options.pid_file))
