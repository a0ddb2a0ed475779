"""The program's process: attributes, terminal, identity, environment, start.

Pure.  Spec: config.md#process, #posix-process, #linux-process.  The same for
the container's init and for `exec`, whose pointers begin with "/process" too.
"""

from __future__ import annotations

from pyrunc import linux
from pyrunc.errors import SpecError
from pyrunc.plan import ops
from pyrunc.plan.capabilities import capability_masks, plan_bounding, plan_capabilities
from pyrunc.plan.ops import Op, Slot
from pyrunc.plan.restrictions import PROC

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.host.facts import Facts
    from pyrunc.spec.types import Linux, Process, User

POINTER = "/process"
CONSOLE = Slot("console")
REPLICA = Slot("replica")
DEFAULT_PATH = "/bin:/usr/bin"  # execvp(3) without PATH
IO_CLASSES = {
    "IOPRIO_CLASS_RT": linux.IOPRIO_CLASS_RT,
    "IOPRIO_CLASS_BE": linux.IOPRIO_CLASS_BE,
    "IOPRIO_CLASS_IDLE": linux.IOPRIO_CLASS_IDLE,
}


class ProcessPlan:
    """One process's operations.

    files: what opens files; rlimits: for the runtime; attributes: with all rights;
    identity: becoming the program's user and finding the program as that user;
    capabilities: from here on rights are lost; environment: the program's variables.
    """

    __slots__ = ("attributes", "capabilities", "environment", "files", "identity", "rlimits", "seccomp_first")

    def __init__(self) -> None:
        self.files: list[Op] = []
        self.rlimits: list[Op] = []
        self.attributes: list[Op] = []
        self.identity: list[Op] = []
        self.capabilities: list[Op] = []
        self.environment: list[str] = []
        self.seccomp_first = False


def plan_process(
    process: Process, facts: Facts, keep_fds: int, warnings: list[str], proc_open: bool
) -> ProcessPlan:
    """The operations for `process`.

    keep_fds: descriptors from 3 on that stay open; proc_open: the private
    procfs is open already.  SpecError: there are no arguments.
    """
    plan = ProcessPlan()
    environment = _environment(process)
    plan.environment = [name if value is None else f"{name}={value}" for name, value in environment.items()]
    plan.rlimits = _rlimits(process)
    user: User = process.get("user") or {"uid": 0, "gid": 0}
    uid = user["uid"]
    plan.files = _labels(process, facts, proc_open, warnings)
    if not environment.get("HOME"):
        plan.files.append(ops.find_home(uid).at(POINTER + "/env"))
    plan.attributes = [
        *_scheduling(process),
        ops.close_fds(keep_fds),
        *_stdio(process, uid),
        ops.change_directory(process["cwd"]).at(POINTER + "/cwd"),
    ]
    if process.get("noNewPrivileges"):
        plan.attributes.append(ops.set_no_new_privs().at(POINTER + "/noNewPrivileges"))
    else:
        plan.seccomp_first = True
    masks = capability_masks(process.get("capabilities"), facts.last_capability, warnings)
    groups = " ".join(map(str, dict.fromkeys(user.get("additionalGids") or ())))
    plan.identity = [
        *plan_bounding(masks, POINTER + "/capabilities"),
        ops.set_groups(groups).at(POINTER + "/user/additionalGids"),
        ops.set_user(uid, user["gid"]).at(POINTER + "/user"),
        ops.set_umask(user.get("umask", facts.umask)).at(POINTER + "/user/umask"),
    ]
    args = process.get("args") or []
    if not args:
        raise SpecError("the process has no program to run", pointer=POINTER + "/args")
    path = environment.get("PATH")
    search = DEFAULT_PATH if path is None else path
    plan.identity.append(ops.find_executable(args[0], search).at(POINTER + "/args"))
    plan.capabilities = plan_capabilities(masks, POINTER + "/capabilities")
    return plan


def plan_end(plan: ProcessPlan, seccomp: list[Op]) -> list[Op]:
    """What takes rights away, and the filter, behind which only the fewest system calls are left to do.

    Without no_new_privs the filter needs CAP_SYS_ADMIN, so it comes before the
    capabilities go; with it, it comes last.
    """
    if not seccomp or not plan.seccomp_first:
        return [*plan.capabilities, *seccomp]
    return [ops.raise_capabilities().at(seccomp[0].pointer), *seccomp, *plan.capabilities]


def exec_program(process: Process, plan: ProcessPlan) -> Op:
    """The last operation of every plan with a program."""
    return ops.exec(process["args"], plan.environment).at(POINTER + "/args")


def _environment(process: Process) -> dict[str, str | None]:
    """Variables by name; the last of several holds. None: the entry had no `=`. An empty HOME is none."""
    result: dict[str, str | None] = {}
    for entry in process.get("env") or ():
        name, equals, value = entry.partition("=")
        result.pop(name, None)
        result[name] = value if equals else None
    if not result.get("HOME", "-"):
        del result["HOME"]
    return result


def plan_limits(plan: ProcessPlan) -> tuple[list[Op], list[Op]]:
    """What pyrunc-init and the runtime do: files are opened first, for there is a limit on open files."""
    if not plan.rlimits:
        return plan.files, []
    init = [*plan.files, ops.signal("attributes"), ops.wait("limits")]
    return init, [ops.wait("attributes"), *plan.rlimits, ops.signal("limits")]


def _rlimits(process: Process) -> list[Op]:
    return [
        ops.set_rlimit(linux.RLIMITS[limit["type"]], limit["soft"], limit["hard"]).at(
            f"{POINTER}/rlimits/{index}"
        )
        for index, limit in enumerate(process.get("rlimits") or ())
    ]


def _labels(process: Process, facts: Facts, proc_open: bool, warnings: list[str]) -> list[Op]:
    """The LSM labels that the program gets with its execve(2); a warning where that LSM is not there."""
    result = []
    label, profile = process.get("selinuxLabel"), process.get("apparmorProfile")
    if label:
        if facts.selinux:
            result.append(ops.set_label(PROC, "exec", label).at(POINTER + "/selinuxLabel"))
        else:
            warnings.append(POINTER + "/selinuxLabel: SELinux is not enabled on this host, there is no label")
    if profile and profile != "unconfined" and not facts.apparmor:
        warnings.append(POINTER + "/apparmorProfile: AppArmor is not enabled on this host, no confinement")
    elif profile and facts.apparmor:
        pointer = POINTER + "/apparmorProfile"
        result.append(ops.set_label(PROC, "apparmor/exec", "exec " + profile).at(pointer))
    if result and not proc_open:
        result.insert(0, ops.open_proc(PROC).at(result[0].pointer))
    return result


def _scheduling(process: Process) -> list[Op]:
    result = []
    scheduler = process.get("scheduler")
    if scheduler:
        flags = 0
        for name in scheduler.get("flags") or ():
            flags |= getattr(linux, name)
        result.append(
            ops.set_scheduler(
                getattr(linux, scheduler["policy"]),
                scheduler.get("nice", 0),
                scheduler.get("priority", 0),
                flags,
                scheduler.get("runtime", 0),
                scheduler.get("deadline", 0),
                scheduler.get("period", 0),
            ).at(POINTER + "/scheduler")
        )
    priority = process.get("ioPriority")
    if priority:
        kind = IO_CLASSES[priority["class"]]
        result.append(ops.set_io_priority(kind, priority.get("priority", 0)).at(POINTER + "/ioPriority"))
    return result


def _stdio(process: Process, uid: int) -> list[Op]:
    if process.get("terminal"):
        return [ops.use_terminal(REPLICA, uid).at(POINTER + "/terminal")]
    return [ops.own_stdio(uid).at(POINTER + "/user/uid")] if uid else []


def plan_terminal(process: Process, bind: bool) -> tuple[list[Op], list[Op]]:
    """A pty of the container's; its primary side goes to the runtime.

    bind: the replica becomes /dev/console.  Returns what pyrunc-init and the
    runtime do; the runtime passes the primary on later (`deliver_console`).
    """
    if not process.get("terminal"):
        return [], []
    pointer = POINTER + "/terminal"
    init = [ops.open_pty(CONSOLE, REPLICA).at(pointer)]
    size = process.get("consoleSize")
    if size:
        init.append(ops.set_window_size(CONSOLE, size["height"], size["width"]).at(POINTER + "/consoleSize"))
    if bind:
        init.append(ops.bind_console(REPLICA, "/dev/console").at(pointer))
    init.append(ops.send_fd(CONSOLE).at(pointer))
    return init, [ops.receive_fd(CONSOLE).at(pointer)]


def plan_keyring(process: Process | None, facts: Facts, id: str) -> list[Op]:
    """A session keyring of the container's own, labelled as its processes are."""
    result = []
    label = process.get("selinuxLabel") if process else None
    if label and facts.selinux:
        pointer = POINTER + "/selinuxLabel"
        result.append(ops.open_proc(PROC).at(pointer))
        result.append(ops.set_label(PROC, "keycreate", label).at(pointer))
    result.append(ops.new_session_keyring("_ses." + id))
    return result


def plan_domains(section: Linux) -> list[Op]:
    """Execution domain and memory policy: properties of `linux`, attributes of the process."""
    result = []
    personality = section.get("personality")
    if personality:
        domain = linux.PER_LINUX32 if personality["domain"] == "LINUX32" else linux.PER_LINUX
        result.append(ops.set_personality(domain).at("/linux/personality"))
    policy = section.get("memoryPolicy")
    if policy:
        mode = getattr(linux, policy["mode"])
        for name in policy.get("flags") or ():
            mode |= getattr(linux, name)
        nodes = bit_mask(policy.get("nodes") or "")
        result.append(ops.set_memory_policy(mode, nodes).at("/linux/memoryPolicy"))
    return result


def bit_mask(text: str) -> bytes:
    """A list such as "0-3,7" as a little-endian bit mask, in whole 8-byte words; "" gives b""."""
    from pyrunc.spec.rules_linux import number_ranges

    mask = 0
    for first, last in number_ranges(text):
        mask |= (1 << (last + 1)) - (1 << first)
    return mask.to_bytes((mask.bit_length() + 63) // 64 * 8, "little")
