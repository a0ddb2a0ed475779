"""The plan of a create: the whole story in order, each chapter in a module of its own.

Pure: configuration, facts and options in, plan out.  The order, and why it is
this order, stands in ARCHITECTURE.md.
"""

from __future__ import annotations

from pyrunc import linux
from pyrunc.plan import ops
from pyrunc.plan.cgroup_entry import enters_last, may_clone_into, plan_entry
from pyrunc.plan.cgroups import plan_cgroups, split_late
from pyrunc.plan.devices import plan_devices
from pyrunc.plan.hooks import plan_container_hooks, plan_environment
from pyrunc.plan.mounts import MountContext, clean_target, plan_mounts
from pyrunc.plan.namespaces import (
    check_own_mounts,
    needs_clone,
    plan_cgroup_namespace,
    plan_joins,
    plan_names,
    plan_unshare,
    plan_user_namespace,
    read_namespaces,
)
from pyrunc.plan.ops import Op, Slot
from pyrunc.plan.options import CreateOptions
from pyrunc.plan.plan import Plan
from pyrunc.plan.process import (
    CONSOLE,
    exec_program,
    plan_domains,
    plan_end,
    plan_keyring,
    plan_limits,
    plan_process,
    plan_terminal,
)
from pyrunc.plan.restrictions import plan_restrictions, plan_sysctl
from pyrunc.plan.rootfs import (
    absolute_path,
    plan_attach,
    plan_attach_at,
    plan_readonly,
    plan_root_source,
    plan_swap,
)
from pyrunc.plan.seccomp import plan_seccomp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.host.facts import Facts
    from pyrunc.plan.mounts import MountPlan
    from pyrunc.plan.namespaces import Namespaces
    from pyrunc.plan.process import ProcessPlan
    from pyrunc.spec.types import Config, Linux, Process

START = Slot("start")
REPLY = Slot("reply")
CGROUP = Slot("cgroup")
NOTIFY = Slot("notify")
NOTIFY_DIRECTORY = "/run/notify"


def plan_create(config: Config, facts: Facts, options: CreateOptions) -> Plan:
    """The plan that creates a container. Raises SpecError or HostError for what cannot be done."""
    plan = _Story(config, facts, options).tell()
    annotations = config.get("annotations") or {}
    if any(name.startswith("run.oci.") for name in annotations):
        from pyrunc.plan.annotations import apply_annotations

        apply_annotations(plan, annotations)
    return plan


class _Story:
    """The chapters' results, and the two lists that they are put into."""

    def __init__(self, config: Config, facts: Facts, options: CreateOptions) -> None:
        self.config = config
        self.facts = facts
        self.options = options
        self.plan = Plan()
        self.plan.provided = [START, REPLY]
        self.init = self.plan.init
        self.runtime = self.plan.runtime
        self.section: Linux = config.get("linux", {})
        self.process: Process | None = config.get("process")
        self.namespaces: Namespaces = read_namespaces(config)
        self.cgroups, self.limits = split_late(
            plan_cgroups(
                config,
                facts,
                options.id,
                self.plan.warnings,
                systemd=options.systemd_cgroup,
                disabled=options.no_cgroup,
            )
        )
        self.made = {str(op.args[0]): str(op.args[1]) for op in self.cgroups if op.name == "make_cgroup"}
        self.by_unit = any(op.name == "start_unit" for op in self.cgroups)  # a scope begins with a process
        self.entry = [] if self.by_unit else plan_entry(facts.cgroup_version, self.made, facts)
        self.plan.provided += [Slot(str(op.args[0])) for op in self.entry]
        self.joins = bool(self.made) and facts.cgroup_version == 1 and not self.entry
        # what the kernel makes for namespaces is not charged to the container then, nor stage 1's memory
        self.late = bool(self.entry) and needs_clone(self.namespaces)
        self.enters_last = enters_last(config)
        self.cgroup_slot: Slot | None = None
        unified = facts.cgroup_version == 2 and bool(self.made)
        if unified and not self.by_unit and may_clone_into(facts, self.namespaces):
            self.late = True
            self.cgroup_slot = CGROUP
            self.plan.provided.append(CGROUP)
        self.mounts: MountPlan
        self.program: ProcessPlan | None = None

    def tell(self) -> Plan:
        """Put all operations in order."""
        self.prepare()
        self.launch()
        self.isolate()
        self.populate()
        self.enter()
        self.settle()
        return self.plan

    def prepare(self) -> None:
        """The runtime: record and cgroup, before there is any process."""
        self.runtime.append(ops.write_record("creating"))
        start = [ops.start_init()]
        self.runtime += start + self.cgroups if self.by_unit else self.cgroups + start
        if self.joins:
            self.runtime.append(ops.join_cgroup().at("/linux/cgroupsPath"))
        adjustment = self.process.get("oomScoreAdj") if self.process else None
        if adjustment is not None:
            self.runtime.append(ops.write_oom_score_adj(adjustment).at("/process/oomScoreAdj"))
        self.runtime.append(ops.send_plan())

    def launch(self) -> None:
        """pyrunc-init, still among the runtime's namespaces: nothing inherited from the caller."""
        self.init += [
            ops.set_dumpable(0),
            ops.set_parent_death_signal(linux.SIGKILL),
            ops.set_umask(0),
            ops.reset_signals(),
            ops.reset_affinity(),
        ]
        if not self.late:
            self.init += self.entry

    def isolate(self) -> None:
        """Namespaces.

        Root copies the sources of mounts before it enters any; who has no
        right to the runtime's mounts may copy them only in the new ones, where
        the host's are still in sight.
        """
        sources = self._sources()
        if self.facts.copies_mounts:
            self.init += sources
        self.init += plan_joins(self.namespaces, self.facts)
        init, runtime = plan_user_namespace(self.namespaces, self.config, self.facts)
        self.init += init
        self.runtime += runtime
        self.init += plan_unshare(self.namespaces, self.config, self.late, self.cgroup_slot)
        if needs_clone(self.namespaces):
            self.runtime.append(ops.wait("init"))
        if not self._builds_before():
            self._settle_in_cgroup()
        self.runtime.append(ops.write_record("creating"))
        if not self.options.no_new_keyring:
            self.init += plan_keyring(self.process, self.facts, self.options.id)
        if not self.facts.copies_mounts:
            check_own_mounts(self.namespaces)
            self.init += sources

    def _builds_before(self) -> bool:
        """Whether the mounts are built before the process enters its cgroup, which is not charged for them.

        Not where the cgroup namespace shows in them, nor where they are filled
        at the container's expense.
        """
        copies = any(op.name == "copy_up" for op in self.mounts.attach)
        own_mounts = self.namespaces.has("mount") and not self.namespaces.is_new("cgroup")
        return self.late and own_mounts and not copies

    def _settle_in_cgroup(self) -> None:
        if self.late:
            self.init += self.entry
            self.init += plan_cgroup_namespace(self.namespaces)

    def _sources(self) -> list[Op]:
        bundle = self.options.bundle
        self.mounts = plan_mounts(MountContext(self.config, self.facts, self.namespaces, bundle, self.made))
        devices, self.device_nodes = plan_devices(self.config, self.facts, self.namespaces)
        self.plan.user_namespaces = self.mounts.user_namespaces
        self.plan.warnings += self.mounts.warnings
        self.plan.provided += self.mounts.user_namespaces
        sources = plan_root_source(self.config, bundle) + self.mounts.sources + devices
        if self.options.notify_socket:  # read-only: its socket takes messages all the same
            sources.append(ops.open_tree(NOTIFY, self.options.state_dir + "/notify", 0))
            safe = linux.MOUNT_ATTR_NOSUID | linux.MOUNT_ATTR_NODEV | linux.MOUNT_ATTR_NOEXEC
            sources.append(ops.mount_setattr(NOTIFY, safe | linux.MOUNT_ATTR_RDONLY, 0, linux.MS_SLAVE, 0))
        return sources

    def populate(self) -> None:
        """Everything below the container's root, which is not yet the root."""
        self.init += self.mounts.opened
        if self.namespaces.has("mount"):
            self.init += plan_attach(self.config)
        else:
            init, runtime = plan_attach_at(absolute_path(self.config["root"]["path"], self.options.bundle))
            self.init += init
            self.runtime += runtime
        self.init += self.mounts.attach
        if self.options.notify_socket:
            self.init.append(ops.move_mount(NOTIFY, NOTIFY_DIRECTORY, 0, 0))
        self.init += self.device_nodes
        if self.process:
            cwd = clean_target(self.process["cwd"])
            if cwd != "/":
                self.init.append(ops.make_directory(cwd, 0o755).at("/process/cwd"))
            init, runtime = plan_terminal(self.process, True)
            self.init += init
            self.runtime += runtime
        self.init += plan_names(self.namespaces, self.config)
        if self._builds_before() and not self.enters_last:
            self._settle_in_cgroup()
        hooks = plan_environment(self.config, self.facts, self.options.id)
        if hooks:
            self.init += [ops.signal("environment"), ops.wait("hooks")]
            self.runtime += [ops.wait("environment"), *hooks, ops.signal("hooks")]

    def enter(self) -> None:
        """The container's root becomes the root; then what must not be changed any more is closed."""
        self._describe_process()
        hooks = self._hooks("createContainer", "created")
        if hooks:  # what they create should have the usual mode
            self.init += [ops.set_umask(self.facts.umask), *hooks]
        self.init += plan_swap(self.config, self.options.no_pivot, self.namespaces.has("mount"))
        self.init += self.mounts.finish
        self.init += plan_sysctl(self.config, self.facts)
        self.init += plan_restrictions(self.config)
        self.init += plan_readonly(self.config)

    def _describe_process(self) -> None:
        if self.process is None:
            return
        variables = list(self.process.get("env") or ())
        if self.options.listen_fds:
            variables += [f"LISTEN_FDS={self.options.listen_fds}", "LISTEN_PID=1"]
        if self.options.notify_socket:
            variables.append(f"NOTIFY_SOCKET={NOTIFY_DIRECTORY}/notify.sock")
        process = self.process.copy()
        process["env"] = variables
        keep = self.options.listen_fds + self.options.preserve_fds
        proc_open = bool(self.section.get("sysctl"))
        self.process = process
        self.program = plan_process(process, self.facts, keep, self.plan.warnings, proc_open)

    def _hooks(self, kind: str, status: str) -> list[Op]:
        env = self.program.environment if self.program else []
        return plan_container_hooks(self.config, kind, status, self.options.id, self.options.bundle, env)

    def settle(self) -> None:
        """The process's attributes, then the wait for start, then the program."""
        program = self.program
        seccomp: list[Op] = []
        listener: list[Op] = []
        if program:
            seccomp, listener = plan_seccomp(self.section.get("seccomp"), self.options.seccomp_program)
            init, runtime = plan_limits(program)
            self.runtime += runtime
            self.init += init + plan_domains(self.section)
            self.init += program.attributes
            self.init += program.identity
        if self._builds_before() and self.enters_last:
            self._settle_in_cgroup()
        if program:
            self.init += plan_end(program, seccomp)
        self.init.append(ops.await_start(START, REPLY))
        self.init += self._hooks("startContainer", "created")
        if program and self.process:
            self.init.append(exec_program(self.process, program))
        self._finish_runtime(listener)

    def _finish_runtime(self, listener: list[Op]) -> None:
        self.runtime += listener
        if self.process and self.process.get("terminal"):
            self.runtime.append(ops.deliver_console(CONSOLE).at("/process/terminal"))
        self.runtime += [ops.wait("created"), *self.limits, ops.write_record("created")]
        if self.options.pidfd_socket:
            self.runtime.append(ops.deliver_pidfd(self.options.pidfd_socket))
        if self.options.pid_file:
            self.runtime.append(ops.write_pid_file(self.options.pid_file))
