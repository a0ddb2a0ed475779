"""The closed set of operations that a plan is made of.

One function per operation.  Its name is the operation's, its signature is the
wire schema (`int`, `str`, `bytes`, `list[str]`, `Slot`), its docstring is the
contract that csrc/op_*.c or execute/runtime_ops.py keeps.  csrc/ops.gen.h and
plan/opcodes.py are generated from this file by csrc/generate_ops.py.

An operation is one kernel intent.  It may tolerate or retry as its arguments
say; it never chooses policy.  Paths called *target* are container paths: the C
side resolves them with openat2(RESOLVE_IN_ROOT) below the slot `root`.  Paths
called *source* are paths of the runtime's mount namespace.  A slot names a
file descriptor of pyrunc-init; storing into a slot closes what it held.

Flags are the kernel's own numbers (see pyrunc.linux); booleans are 0 or 1.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Argument: TypeAlias = "int | str | bytes | list[str] | Slot"


class Slot(str):
    """The name of a file descriptor that pyrunc-init holds, e.g. ``root``."""

    __slots__ = ()


class Op:
    """One operation: `name`, `args`, the JSON `pointer` that asked for it."""

    __slots__ = ("args", "name", "pointer")

    def __init__(self, name: str, *args: Argument) -> None:
        self.name = name
        self.args = args
        self.pointer = ""

    def at(self, pointer: str) -> Op:
        """The same operation, marked with the config property it comes from."""
        self.pointer = pointer
        return self


# --- rendezvous (both actors) -------------------------------------------------


def signal(name: str) -> Op:
    """Tell the other actor that `name` was reached."""
    return Op("signal", name)


def wait(name: str) -> Op:
    """Wait until the other actor signals `name`; its end or error ends the wait."""
    return Op("wait", name)


# --- pyrunc-init: the process itself --------------------------------------------


def set_dumpable(value: int) -> Op:
    """prctl(PR_SET_DUMPABLE): 0 hides /proc/self from others (CVE-2016-9962)."""
    return Op("set_dumpable", value)


def set_parent_death_signal(number: int) -> Op:
    """prctl(PR_SET_PDEATHSIG), then fail with ESRCH if the parent is gone already."""
    return Op("set_parent_death_signal", number)


def clone_init(flags: int) -> Op:
    """clone3(flags | CLONE_PARENT): the child goes on with the plan.

    The caller sends message PID (the child's pid as seen in its own, the
    runtime's, pid namespace) and exits 0.  flags may hold CLONE_NEW* bits.
    """
    return Op("clone_init", flags)


def clone_init_into(flags: int, cgroup: Slot) -> Op:
    """clone_init with CLONE_INTO_CGROUP: the child begins in the v2 cgroup whose directory `cgroup` holds."""
    return Op("clone_init_into", flags, cgroup)


def enter_cgroup(tasks: Slot) -> Op:
    """Write "0" to the file `tasks` of a cgroup v1: this process moves itself. An empty slot is skipped.

    A lone thread that moves itself need not be kept from forking and ending, so the kernel spares
    itself the wait for an RCU grace period, 5 to 15 ms, that moving another process begins with.
    """
    return Op("enter_cgroup", tasks)


def setsid() -> Op:
    """setsid(2): a session and process group of its own."""
    return Op("setsid")


def set_umask(mask: int) -> Op:
    """umask(2)."""
    return Op("set_umask", mask)


def reset_signals() -> Op:
    """Every disposition to default, none blocked."""
    return Op("reset_signals")


def reset_affinity() -> Op:
    """sched_setaffinity(2) to all CPUs; the cpuset cuts it. Failure is a warning.

    Kernels from 6.2 keep the mask that was inherited from the caller.
    """
    return Op("reset_affinity")


def new_session_keyring(name: str) -> Op:
    """keyctl(KEYCTL_JOIN_SESSION_KEYRING, name). ENOSYS is tolerated."""
    return Op("new_session_keyring", name)


# --- pyrunc-init: namespaces ----------------------------------------------------


def open_namespace(slot: Slot, source: str, kind: int) -> Op:
    """Open a namespace file; fail with EINVAL unless NS_GET_NSTYPE says `kind` (CLONE_NEW*)."""
    return Op("open_namespace", slot, source, kind)


def setns(slot: Slot, flags: int) -> Op:
    """setns(2) with a namespace fd (one flag) or a pidfd (several)."""
    return Op("setns", slot, flags)


def unshare(flags: int) -> Op:
    """unshare(2) with CLONE_NEW* flags."""
    return Op("unshare", flags)


def become_root() -> Op:
    """setresgid(0), setresuid(0) and, where setgroups is allowed, no extra groups.

    Run in a user namespace that was just mapped or joined.
    """
    return Op("become_root")


def become_root_with_groups() -> Op:
    """become_root, but the extra groups stay as they are."""
    return Op("become_root_with_groups")


def write_timens_offsets(text: str) -> Op:
    """Write lines of `clock seconds nanoseconds` to /proc/self/timens_offsets."""
    return Op("write_timens_offsets", text)


def set_hostname(name: str) -> Op:
    """sethostname(2)."""
    return Op("set_hostname", name)


def set_domainname(name: str) -> Op:
    """setdomainname(2)."""
    return Op("set_domainname", name)


def set_loopback_up() -> Op:
    """Bring `lo` up in the current network namespace (SIOCSIFFLAGS)."""
    return Op("set_loopback_up")


# --- pyrunc-init: mounts ----------------------------------------------------------


def open_tree(slot: Slot, source: str, recursive: int) -> Op:
    """open_tree(2) with OPEN_TREE_CLONE: a detached copy of the mount at `source`.

    `source` is absolute and is resolved in the mount namespace of the moment.
    """
    return Op("open_tree", slot, source, recursive)


def open_source(slot: Slot, source: str) -> Op:
    """open(2) of `source` with O_PATH, for a clone_mount later, when paths may mean something else."""
    return Op("open_source", slot, source)


def clone_mount(slot: Slot, recursive: int) -> Op:
    """open_tree(2) with OPEN_TREE_CLONE of what `slot` holds, which the copy replaces."""
    return Op("clone_mount", slot, recursive)


def open_device(slot: Slot, source: str, kind: int, major: int, minor: int) -> Op:
    """Like open_tree, as a slave of the host's mount; kind: S_IFCHR or S_IFBLK.  ENODEV for another file."""
    return Op("open_device", slot, source, kind, major, minor)


def set_propagation(flags: int) -> Op:
    """mount(2) on "/" of the current mount namespace: MS_PRIVATE, MS_SLAVE … | MS_REC."""
    return Op("set_propagation", flags)


def attach_root(slot: Slot) -> Op:
    """move_mount `slot` over "/" and make it the slot `root` of all target paths.

    The process root itself stays: pivot_root or move_root swaps it later.
    Fails with EPERM in the mount namespace that pyrunc-init was started in.
    """
    return Op("attach_root", slot)


def attach_root_at(slot: Slot, source: str) -> Op:
    """move_mount `slot` over the directory `source` of the runtime's mount namespace; slot `root` as above.

    For a container that inherits that namespace: the runtime detaches the mount again.
    """
    return Op("attach_root_at", slot, source)


def open_root() -> Op:
    """Make the current "/" the slot `root` of all target paths (exec)."""
    return Op("open_root")


def use_root(slot: Slot) -> Op:
    """Make the directory in `slot` the slot `root` of all target paths (exec without a mount namespace)."""
    return Op("use_root", slot)


def new_mount(slot: Slot, kind: str, source: str, options: list[str], attributes: int) -> Op:
    """fsopen(kind), fsconfig(source and each `key` or `key=value`), fsmount(attributes).

    `attributes` are MOUNT_ATTR_*.  The result is a detached mount in `slot`.
    The kernel's fs-context log, where there is one, becomes the error's detail.
    """
    return Op("new_mount", slot, kind, source, options, attributes)


def mount_setattr(slot: Slot, set: int, clear: int, propagation: int, recursive: int) -> Op:
    """mount_setattr(2) on the mount in `slot`, detached or attached.

    set, clear: MOUNT_ATTR_*; propagation: 0 or MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE.
    """
    return Op("mount_setattr", slot, set, clear, propagation, recursive)


def idmap_mount(slot: Slot, user_namespace: Slot, recursive: int) -> Op:
    """mount_setattr(2) with MOUNT_ATTR_IDMAP and the user namespace's mappings."""
    return Op("idmap_mount", slot, user_namespace, recursive)


def move_mount(slot: Slot, target: str, no_symlinks: int, on_proc: int) -> Op:
    """Attach the detached mount at `target`, creating the mount point if missing.

    Missing parents are directories of mode 0755; the mount point is a directory
    or a regular file as the mount's own root is.  no_symlinks: `target` must not
    contain a symlink (/proc, /sys).  on_proc: 0 = fail with EPERM if the
    resolved target lies on the container's /proc and that is a procfs.  A target
    of "/" is refused with EBUSY.
    """
    return Op("move_mount", slot, target, no_symlinks, on_proc)


def require_proc(slot: Slot) -> Op:
    """Fail with EPERM unless what `slot` holds lies on procfs."""
    return Op("require_proc", slot)


def remount(target: str, set: int, clear: int, options: list[str]) -> Op:
    """Change the mount at `target`: attributes, and superblock options if any are given.

    mount_setattr(2) for set/clear; fspick(2)+fsconfig(2) reconfigure for options.
    """
    return Op("remount", target, set, clear, options)


def copy_up(slot: Slot, target: str) -> Op:
    """Copy what `target` holds now into the detached mount in `slot` (tmpcopyup).

    Keeps types, modes, owners, times of directories, files and symlinks, and
    the mode and owner of the top directory.  A missing target copies nothing.
    """
    return Op("copy_up", slot, target)


def copy_mode(slot: Slot, target: str) -> Op:
    """Give the root of the detached mount in `slot` the mode of the directory `target`, if there is one."""
    return Op("copy_mode", slot, target)


def make_directory(target: str, mode: int) -> Op:
    """Create a directory and its missing parents (0755); an existing directory is left alone."""
    return Op("make_directory", target, mode)


def make_symlink(target: str, content: str, only_if: str) -> Op:
    """Create a symlink below root; an existing file other than a symlink stays.

    A symlink with another content is replaced.  only_if: a target path that
    must exist (not followed), "" = always.
    """
    return Op("make_symlink", target, content, only_if)


def make_node(
    target: str, kind: int, major: int, minor: int, mode: int, uid: int, gid: int, strict: int
) -> Op:
    """mknodat(2) below root, then verify what is there and set owner and mode.

    kind: S_IFCHR, S_IFBLK or S_IFIFO.  An existing node of the same kind and
    device number is left as it is; strict 0 (default devices): so is a link to
    one.  Another file there is EEXIST.
    """
    return Op("make_node", target, kind, major, minor, mode, uid, gid, strict)


def pivot_root() -> Op:
    """pivot_root(".", ".") into slot `root`, detach the old root, chdir("/")."""
    return Op("pivot_root")


def move_root() -> Op:
    """MS_MOVE of slot `root` over "/" and chroot(2): --no-pivot, for a ramfs root.

    All other mounts of procfs and sysfs are detached first, so that chroot
    escapes find no unmasked copy.
    """
    return Op("move_root")


def change_root() -> Op:
    """chroot(2) into slot `root`, chdir("/"): the swap where the mount namespace is another one's."""
    return Op("change_root")


def mask_path(target: str) -> Op:
    """Cover a file with /dev/null (c 1:3, verified, slot `null`), a directory with slot `empty`.

    A missing target is skipped; ENOTDIR too.  Slots are cloned per use.
    """
    return Op("mask_path", target)


def readonly_path(target: str) -> Op:
    """Bind the target on itself, recursively, read-only, keeping its other flags.

    A missing target is skipped.
    """
    return Op("readonly_path", target)


def readonly_root() -> Op:
    """mount_setattr(MOUNT_ATTR_RDONLY) on the root mount alone, after the swap."""
    return Op("readonly_root")


def root_propagation(flags: int) -> Op:
    """mount(2) propagation change of "/" after the swap: MS_SHARED … with or without MS_REC."""
    return Op("root_propagation", flags)


def open_proc(slot: Slot) -> Op:
    """A private, detached procfs of the current pid namespace for trusted writes.

    Where the kernel refuses (EPERM in nested user namespaces) the container's
    own /proc is opened and verified to be the root of a procfs.
    """
    return Op("open_proc", slot)


def write_proc(slot: Slot, name: str, value: str, may_be_missing: int) -> Op:
    """Write below the procfs in `slot`: openat2(NO_XDEV | NO_MAGICLINKS | NO_SYMLINKS | BENEATH).

    `name` may begin with "self/".  may_be_missing: ENOENT is a warning.
    """
    return Op("write_proc", slot, name, value, may_be_missing)


# --- pyrunc-init: terminal and stdio ------------------------------------------------


def open_pty(primary: Slot, replica: Slot) -> Op:
    """Open target /dev/pts/ptmx (c 5:2 on devpts, verified), unlock, TIOCGPTPEER."""
    return Op("open_pty", primary, replica)


def set_window_size(slot: Slot, rows: int, columns: int) -> Op:
    """TIOCSWINSZ."""
    return Op("set_window_size", slot, rows, columns)


def send_fd(slot: Slot) -> Op:
    """Send the descriptor to the runtime (message FD with the slot's index) and close it here."""
    return Op("send_fd", slot)


def bind_console(slot: Slot, target: str) -> Op:
    """Bind the pty replica over `target` (/dev/console), created as a file if missing."""
    return Op("bind_console", slot, target)


def use_terminal(slot: Slot, uid: int) -> Op:
    """Own the replica (fchown uid), make it the controlling terminal and fds 0, 1, 2."""
    return Op("use_terminal", slot, uid)


def own_stdio(uid: int) -> Op:
    """fchown fds 0, 1 and 2 to `uid` where they are anonymous pipes; nothing else is touched."""
    return Op("own_stdio", uid)


# --- pyrunc-init: credentials and attributes -----------------------------------------


def set_personality(value: int) -> Op:
    """personality(2)."""
    return Op("set_personality", value)


def set_scheduler(
    policy: int, nice: int, priority: int, flags: int, runtime: int, deadline: int, period: int
) -> Op:
    """sched_setattr(2); runtime, deadline and period in nanoseconds."""
    return Op("set_scheduler", policy, nice, priority, flags, runtime, deadline, period)


def set_io_priority(kind: int, priority: int) -> Op:
    """ioprio_set(2) for the process group; kind 1 RT, 2 BE, 3 IDLE; priority 0..7."""
    return Op("set_io_priority", kind, priority)


def set_memory_policy(mode: int, nodes: bytes) -> Op:
    """set_mempolicy(2): mode with flags, nodes as a little-endian bit mask."""
    return Op("set_memory_policy", mode, nodes)


def set_affinity(mask: bytes) -> Op:
    """sched_setaffinity(2) with a little-endian bit mask."""
    return Op("set_affinity", mask)


def change_directory(target: str) -> Op:
    """chdir(2), then fail with EPERM if getcwd(2) is outside the root (CVE-2024-21626)."""
    return Op("change_directory", target)


def set_groups(groups: str) -> Op:
    """setgroups(2): space-separated gids, "" for none. EPERM with none wanted is tolerated."""
    return Op("set_groups", groups)


def set_user(uid: int, gid: int) -> Op:
    """setresgid(2), setresuid(2) with PR_SET_KEEPCAPS; parent-death signal kept."""
    return Op("set_user", uid, gid)


def drop_bounding(keep: int) -> Op:
    """PR_CAPBSET_DROP for every capability up to cap_last_cap that is not in `keep` (bit mask).

    Of `keep`, what is not in the set is a warning.
    """
    return Op("drop_bounding", keep)


def set_capabilities(effective: int, permitted: int, inheritable: int) -> Op:
    """capset(2) with bit masks. Bits that are not permitted now are dropped with a warning."""
    return Op("set_capabilities", effective, permitted, inheritable)


def raise_capabilities() -> Op:
    """capset(2): effective = permitted, as set_user clears the effective set (for load_seccomp)."""
    return Op("raise_capabilities")


def set_ambient(mask: int) -> Op:
    """PR_CAP_AMBIENT clear, then raise one by one; one that cannot be raised is a warning."""
    return Op("set_ambient", mask)


def set_no_new_privs() -> Op:
    """prctl(PR_SET_NO_NEW_PRIVS)."""
    return Op("set_no_new_privs")


def set_label(slot: Slot, attribute: str, label: str) -> Op:
    """Write an LSM label below the private procfs: attribute `exec`, `apparmor/exec`, `keycreate` …"""
    return Op("set_label", slot, attribute, label)


def load_seccomp(program: bytes, flags: int, listener: int) -> Op:
    """seccomp(SECCOMP_SET_MODE_FILTER, flags) with struct sock_filter[].

    listener 1: the returned notify fd is sent as message FD and the op waits
    for the signal `listener sent`.
    """
    return Op("load_seccomp", program, flags, listener)


# --- pyrunc-init: program ---------------------------------------------------------------


def find_home(uid: int) -> Op:
    """Put HOME into the program's environment from the container's /etc/passwd, else "/"."""
    return Op("find_home", uid)


def find_executable(name: str, path: str) -> Op:
    """Find the program as execvp(3) would, with `path` as PATH, and keep it for exec.

    ENOENT: not there; EACCES: no execute permission or a directory.
    """
    return Op("find_executable", name, path)


def run_hook(path: str, args: list[str], env: list[str], timeout: int, state: str) -> Op:
    """Run one hook in the current namespaces, by path of the current root.

    `state` is the state JSON, its first ``@PID@`` where getpid() goes; it is the hook's
    stdin, EPIPE is ignored.  timeout: milliseconds, 0 = none; at its end the
    hook is killed and reaped.  Fails with ECANCELED (detail: how it ended) or
    ETIMEDOUT.
    """
    return Op("run_hook", path, args, env, timeout, state)


def await_start(start: Slot, reply: Slot) -> Op:
    """Container is created: from here errors go to the FIFO `reply`, not to the runtime.

    Clears the parent-death signal, sends signal `created`, closes the socket,
    reads one byte from the FIFO `start`.
    """
    return Op("await_start", start, reply)


def close_fds(keep: int) -> Op:
    """Close all from fd 3 + keep on but the socket and the slots of later operations; `root` is gone, too.

    What is below that is preserved for the program.
    """
    return Op("close_fds", keep)


def exec(args: list[str], env: list[str]) -> Op:
    """execve(2) of what find_executable found, with HOME added if find_home ran."""
    return Op("exec", args, env)


# --- the runtime: what the Python parent does --------------------------------------------


def write_record(status: str) -> Op:
    """Store the container's record with what is known now."""
    return Op("write_record", status)


def make_cgroup(controller: str, path: str) -> Op:
    """Create the cgroup directory (v2: controller "" and controllers enabled down the tree)."""
    return Op("make_cgroup", controller, path)


def start_unit(unit: str, slice: str, user: int, below: str, properties: list[str]) -> Op:
    """Have systemd (user 1: the user's) start a scope in `slice` around pyrunc-init.

    properties: `Name=value`, values in GVariant's text form.  below: where the
    scope will be below the mounts of the cgroup hierarchies.
    """
    return Op("start_unit", unit, slice, user, below, properties)


def write_cgroup(controller: str, file: str, value: str) -> Op:
    """Write one cgroup file of the container's cgroup."""
    return Op("write_cgroup", controller, file, value)


def own_cgroup(uid: int, gid: int) -> Op:
    """Delegate the cgroup directory and the files of /sys/kernel/cgroup/delegate."""
    return Op("own_cgroup", uid, gid)


def attach_device_program(program: bytes) -> Op:
    """Load BPF_PROG_TYPE_CGROUP_DEVICE and attach it in place of ours, if any (v2)."""
    return Op("attach_device_program", program)


def move_network_device(name: str, new_name: str) -> Op:
    """Move a network device into pyrunc-init's network namespace as `new_name` (`%d`: the first free number).

    EEXIST if the name is taken there.  Its permanent global addresses go with it; it is up then.
    """
    return Op("move_network_device", name, new_name)


def make_resctrl_group(path: str, rule: int, same: list[str], written: list[str]) -> Op:
    """Make a group below the resctrl mount and write its schemata, `same` and then `written`.

    rule: what about one that is there: 0 it must be, and nothing is written;
    1 it must have the schemata `same`, and only `written` is; 2 it is taken;
    3 it must not be.  Those made here by rule 2 or 3 are removed with the container.
    """
    return Op("make_resctrl_group", path, rule, same, written)


def join_resctrl_group(path: str) -> Op:
    """Write pyrunc-init's pid to the group's file `tasks`."""
    return Op("join_resctrl_group", path)


def record_root_mount(path: str) -> Op:
    """Remember the id of the mount that now covers `path`, so that deleting detaches it and no other."""
    return Op("record_root_mount", path)


def start_init() -> Op:
    """clone3 pyrunc-init from its sealed memfd (v2: into its cgroup, unless the plan does that later)."""
    return Op("start_init")


def join_cgroup() -> Op:
    """Move pyrunc-init into the cgroups, where it cannot `enter_cgroup` (v1, before it gets its plan)."""
    return Op("join_cgroup")


def send_plan() -> Op:
    """Hand the sealed plan and its descriptors to pyrunc-init, which begins."""
    return Op("send_plan")


def write_id_map(name: str, text: str) -> Op:
    """Write `setgroups`, `uid_map` or `gid_map` of pyrunc-init, or call newuidmap/newgidmap."""
    return Op("write_id_map", name, text)


def write_oom_score_adj(value: int) -> Op:
    """Write /proc/PID/oom_score_adj of pyrunc-init (-1000..1000)."""
    return Op("write_oom_score_adj", value)


def set_rlimit(resource: int, soft: int, hard: int) -> Op:
    """prlimit(2) on the container's init."""
    return Op("set_rlimit", resource, soft, hard)


def run_runtime_hook(kind: str, index: int) -> Op:
    """Run a hook of `kind` in the runtime's namespaces with the state on stdin."""
    return Op("run_runtime_hook", kind, index)


def receive_fd(slot: Slot) -> Op:
    """Take the descriptor that pyrunc-init sent for `slot`."""
    return Op("receive_fd", slot)


def deliver_console(slot: Slot) -> Op:
    """Send the pty primary over --console-socket, or keep it for the foreground relay."""
    return Op("deliver_console", slot)


def deliver_listener(slot: Slot, path: str, metadata: str) -> Op:
    """Send the seccomp notify fd with the container process state to listenerPath."""
    return Op("deliver_listener", slot, path, metadata)


def deliver_pidfd(path: str) -> Op:
    """Send init's pidfd over --pidfd-socket."""
    return Op("deliver_pidfd", path)


def write_pid_file(path: str) -> Op:
    """Write init's pid (decimal, no newline) with a temporary file and rename."""
    return Op("write_pid_file", path)
