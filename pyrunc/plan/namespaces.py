"""Namespaces: which are new, which are joined, and in what order (config-linux.md#namespaces).

Pure.  Also the id mappings and time offsets that belong to new ones, and the
hostname, which needs one.
"""

from __future__ import annotations

from pyrunc.errors import HostError
from pyrunc.linux import (
    CLONE_NEWCGROUP,
    CLONE_NEWIPC,
    CLONE_NEWNET,
    CLONE_NEWNS,
    CLONE_NEWPID,
    CLONE_NEWTIME,
    CLONE_NEWUSER,
    CLONE_NEWUTS,
    SIGKILL,
)
from pyrunc.plan import ops
from pyrunc.plan.ops import Op, Slot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.host.facts import Facts
    from pyrunc.spec.types import Config, IDMapping

FLAGS = {
    "mount": CLONE_NEWNS,
    "pid": CLONE_NEWPID,
    "network": CLONE_NEWNET,
    "ipc": CLONE_NEWIPC,
    "uts": CLONE_NEWUTS,
    "user": CLONE_NEWUSER,
    "cgroup": CLONE_NEWCGROUP,
    "time": CLONE_NEWTIME,
}
POINTER = "/linux/namespaces"


class Namespaces:
    """The container's namespaces: `new` flags, `joined` type to path; what is in neither is inherited."""

    __slots__ = ("joined", "new", "pointers")

    def __init__(self) -> None:
        self.new = 0
        self.joined: dict[str, str] = {}
        self.pointers: dict[str, str] = {}

    def has(self, kind: str) -> bool:
        """Whether the container does not share the runtime's namespace of that type."""
        return kind in self.pointers

    def is_new(self, kind: str) -> bool:
        """Whether the namespace is made for this container."""
        return bool(self.new & FLAGS[kind])


def read_namespaces(config: Config) -> Namespaces:
    """The namespaces that `config` lists."""
    result = Namespaces()
    for index, entry in enumerate(config.get("linux", {}).get("namespaces") or ()):
        kind = entry["type"]
        path = entry.get("path") or ""
        pointer = f"{POINTER}/{index}"
        result.pointers[kind] = pointer
        if path:
            result.joined[kind] = path
        else:
            result.new |= FLAGS[kind]
    return result


def needs_clone(namespaces: Namespaces) -> bool:
    """Whether only a child can be in all the namespaces."""
    return namespaces.has("pid") or namespaces.has("time")


def check_own_mounts(namespaces: Namespaces) -> None:
    """HostError for a runtime without rights to its mounts whose container would share them."""
    if not namespaces.has("mount"):
        text = "only root can run a container without a mount namespace"
        raise HostError(text, pointer=POINTER, hint='add {"type": "mount"}')


def plan_joins(namespaces: Namespaces, facts: Facts) -> list[Op]:
    """Open all namespace files, then enter them.

    The mount namespace comes last, as paths mean something else in it.  Who is
    root joins the user namespace after all others, which may belong to the
    host; an ordinary user gets the right to join them from it.
    """
    kinds = [kind for kind in FLAGS if kind in namespaces.joined and kind not in ("mount", "user")]
    if "mount" in namespaces.joined:
        kinds.append("mount")
    if "user" in namespaces.joined:
        kinds.insert(len(kinds) if facts.euid == 0 else 0, "user")
    result = []
    for kind in kinds:
        slot = Slot("namespace/" + kind)
        op = ops.open_namespace(slot, namespaces.joined[kind], FLAGS[kind])
        result.append(op.at(namespaces.pointers[kind]))
    for kind in kinds:
        result.append(ops.setns(Slot("namespace/" + kind), FLAGS[kind]).at(namespaces.pointers[kind]))
    if "user" in namespaces.joined:
        result += _become_root(namespaces.pointers["user"])
    return result


def _become_root(pointer: str) -> list[Op]:
    """Root of the user namespace; a change of credentials undoes the two prctls."""
    return [
        ops.become_root().at(pointer),
        ops.set_dumpable(0).at(pointer),
        ops.set_parent_death_signal(SIGKILL).at(pointer),
    ]


def plan_user_namespace(namespaces: Namespaces, config: Config, facts: Facts) -> tuple[list[Op], list[Op]]:
    """What pyrunc-init and the runtime do for a new user namespace; nothing without one.

    An ordinary user may open the map files of a dumpable process only.
    """
    if not namespaces.is_new("user"):
        return [], []
    pointer = namespaces.pointers["user"]
    linux = config["linux"]
    uids, gids = linux.get("uidMappings") or [], linux.get("gidMappings") or []
    init = [ops.unshare(CLONE_NEWUSER).at(pointer)]
    if facts.euid != 0:
        init.append(ops.set_dumpable(1).at(pointer))
    init += [ops.signal("user namespace").at(pointer), ops.wait("mapped").at(pointer)]
    if maps_id(uids, 0) and maps_id(gids, 0):
        init += _become_root(pointer)
    else:
        init += [ops.set_dumpable(0).at(pointer), ops.set_parent_death_signal(SIGKILL).at(pointer)]
    runtime = [ops.wait("user namespace").at(pointer)]
    if facts.euid != 0 and len(gids) == 1 and gids[0]["size"] == 1:
        runtime.append(ops.write_id_map("setgroups", "deny").at("/linux/gidMappings"))
    runtime.append(ops.write_id_map("uid_map", id_map_text(uids)).at("/linux/uidMappings"))
    runtime.append(ops.write_id_map("gid_map", id_map_text(gids)).at("/linux/gidMappings"))
    runtime.append(ops.signal("mapped").at(pointer))
    return init, runtime


def id_map_text(mappings: list[IDMapping]) -> str:
    """The mappings as the kernel's map files take them: inside, outside, count per line."""
    return "".join([f"{entry['containerID']} {entry['hostID']} {entry['size']}\n" for entry in mappings])


def maps_id(mappings: list[IDMapping], number: int) -> bool:
    """Whether the container id `number` is mapped to anything."""
    return any(0 <= number - entry["containerID"] < entry["size"] for entry in mappings)


def plan_cgroup_namespace(namespaces: Namespaces) -> list[Op]:
    """The cgroup namespace of an init that came into its cgroup late, which becomes its root."""
    if namespaces.is_new("cgroup"):
        return [ops.unshare(CLONE_NEWCGROUP).at(namespaces.pointers["cgroup"])]
    return []


def plan_unshare(namespaces: Namespaces, config: Config, late: bool, cgroup: Slot | None) -> list[Op]:
    """Make the other new namespaces, with a clone where they need one, and a session of its own.

    The time namespace is entered by the clone; its offsets have to be written before.
    late: the cgroup namespace is made later; cgroup: where the clone begins.
    """
    flags = namespaces.new & ~(CLONE_NEWUSER | CLONE_NEWCGROUP if late else CLONE_NEWUSER)
    result = []
    if flags & CLONE_NEWTIME:
        flags &= ~CLONE_NEWTIME
        pointer = namespaces.pointers["time"]
        result.append(ops.unshare(CLONE_NEWTIME).at(pointer))
        offsets = config["linux"].get("timeOffsets") or {}
        if offsets:
            text = ""
            for clock, offset in offsets.items():
                text += f"{clock} {offset.get('secs', 0)} {offset.get('nanosecs', 0)}\n"
            result.append(ops.write_timens_offsets(text).at("/linux/timeOffsets"))
    if needs_clone(namespaces):
        clone = ops.clone_init_into(flags, cgroup) if cgroup else ops.clone_init(flags)
        result.append(clone.at(POINTER))
        result.append(ops.set_parent_death_signal(SIGKILL))
    elif flags:
        result.append(ops.unshare(flags).at(POINTER))
    result.append(ops.setsid())
    return result


def plan_names(namespaces: Namespaces, config: Config) -> list[Op]:
    """Loopback, hostname and domainname."""
    result = []
    if namespaces.is_new("network"):
        result.append(ops.set_loopback_up().at(namespaces.pointers["network"]))
    if config.get("hostname"):
        result.append(ops.set_hostname(config["hostname"]).at("/hostname"))
    if config.get("domainname"):
        result.append(ops.set_domainname(config["domainname"]).at("/domainname"))
    return result
