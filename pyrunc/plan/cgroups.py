"""linux.cgroupsPath and linux.resources → operations of the runtime.

Pure.  Everything is written before init starts, but what would hinder set-up
(`split_late`): pids.max, for set-up needs a second process for a moment and hooks
theirs; memory.oom_control, for a set-up that the limit stops should end, not hang.
"""

from __future__ import annotations

from pyrunc.cgroup.limits import warn_unused
from pyrunc.cgroup.path import cgroup_paths, unit_place
from pyrunc.errors import HostError
from pyrunc.plan.ops import attach_device_program, make_cgroup, own_cgroup, start_unit, write_cgroup

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pyrunc.cgroup.limits import Limit
    from pyrunc.cgroup.path import UnitPlace
    from pyrunc.host.facts import Facts
    from pyrunc.plan.ops import Op

RESOURCES = "/linux/resources"
PATH = "/linux/cgroupsPath"
LATE_FILES = ("pids.max", "memory.oom_control")
CGROUP_MOUNT = "/sys/fs/cgroup"


def plan_cgroups(
    config: Mapping[str, Any],
    facts: Facts,
    id: str,
    warnings: list[str] | None = None,
    *,
    systemd: bool = False,
    disabled: bool = False,
) -> list[Op]:
    """The container's cgroup and its limits; no operations if it stays in its creator's cgroup.

    warnings: gets what the log should say.  systemd: --systemd-cgroup was given.
    disabled: use no cgroup at all.  Raises SpecError for what the configuration
    has wrong, HostError for what this host cannot do.
    """
    if systemd and not facts.systemd:
        raise HostError("systemd not running on this host, cannot use systemd cgroups manager")
    systemd = systemd and not disabled
    warnings = [] if warnings is None else warnings
    resources = _resources(config)
    warnings += warn_unused(resources, facts.cgroup_version)
    unit = unit_place(config, facts, id) if systemd else None
    if unit:
        paths = {name: mount + unit.below for name, mount in facts.cgroup_mounts.items()}
    else:
        paths = cgroup_paths(config, facts, id)
    writable = [] if disabled else paths if unit else facts.cgroup_writable
    usable = {name: paths[name] for name in paths if name in writable}
    limits = resource_limits(resources, facts)
    _check_controllers(limits, usable, paths, facts, disabled)
    if not usable:
        if not disabled:
            warnings.append(f"{_why_none(facts, paths)}: the container stays in the cgroup of its creator")
        return []
    plan = [_plan_unit(unit, config, facts, limits, id)] if unit else []
    plan += [make_cgroup(name, path).at(PATH) for name, path in usable.items()]
    plan += _plan_devices(resources, facts, usable)
    if facts.cgroup_version == 2:
        plan += _plan_owner(config, facts)
    plan += [write_cgroup(limit.controller, limit.file, limit.value).at(limit.pointer) for limit in limits]
    return plan


def _resources(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """linux.resources, as those meant it who wrote it.

    Version 1.3 says that a pids.limit of 0 is a limit.  Before, it was none: podman 4
    writes it for what its user wants unlimited.
    """
    resources: Mapping[str, Any] = (config.get("linux") or {}).get("resources") or {}
    none = (resources.get("pids") or {}).get("limit") == 0
    if not none or int(config["ociVersion"].split(".")[1]) >= 3:
        return resources
    return {name: resources[name] for name in resources if name != "pids"}


def split_late(plan: list[Op]) -> tuple[list[Op], list[Op]]:
    """What of `plan_cgroups` goes before init starts, and what after it is created."""
    late = [op for op in plan if op.name == "write_cgroup" and op.args[1] in LATE_FILES]
    return [op for op in plan if op not in late], late


def _plan_unit(
    unit: UnitPlace, config: Mapping[str, Any], facts: Facts, limits: list[Limit], id: str
) -> Op:
    """The scope, with a property for every limit that systemd would take back otherwise."""
    from pyrunc.cgroup.device_rules import normalise
    from pyrunc.cgroup.limits_systemd import annotated_properties, device_properties, quote, unit_properties

    if unit.user and facts.cgroup_version == 1:
        raise HostError("systemd can give cgroups to users on cgroup v2 only", pointer=PATH)
    block = "IO" if facts.cgroup_version == 2 else "BlockIO"
    properties = [f"Description='pyrunc container {id}'", f"Slice={quote(unit.slice)}", "Delegate=true"]
    properties += [f"{name}Accounting=true" for name in ("CPU", "Memory", block, "Tasks")]
    properties += ["DefaultDependencies=false", "CollectMode='inactive-or-failed'"]
    if not unit.user:
        listed = ((config.get("linux") or {}).get("resources") or {}).get("devices") or []
        properties += device_properties(normalise(listed, f"{RESOURCES}/devices"))
    properties += unit_properties(limits, facts.cgroup_version)
    properties += annotated_properties(config.get("annotations") or {})
    return start_unit(unit.name, unit.slice, int(unit.user), unit.below, properties).at(PATH)


def resource_limits(resources: Mapping[str, Any], facts: Facts) -> list[Limit]:
    """What to write for `resources` on this host.

    SpecError: a value that its cgroup version cannot express; HostError: a page size that it does not have.
    """
    limits: list[Limit]
    if facts.cgroup_version == 2:
        from pyrunc.cgroup.limits_v2 import limits_v2

        limits = limits_v2(resources, RESOURCES, bfq=facts.bfq)
    else:
        from pyrunc.cgroup.limits_v1 import limits_v1

        limits = limits_v1(resources, RESOURCES, bfq=facts.bfq)
    for index, entry in enumerate(resources.get("hugepageLimits") or []):
        if entry["pageSize"] not in facts.hugepage_sizes:
            known = ", ".join(facts.hugepage_sizes) or "none"
            raise HostError(
                f"this host has no huge pages of {entry['pageSize']} (it has: {known})",
                pointer=f"{RESOURCES}/hugepageLimits/{index}/pageSize",
            )
    return limits


def _why_none(facts: Facts, paths: dict[str, str], controller: str = "") -> str:
    if not paths:
        return "no cgroup hierarchy is mounted"
    path = paths.get(controller) or next(iter(paths.values()))
    return f"the cgroup {path} cannot be made as uid {facts.euid}"


def _check_controllers(
    limits: list[Limit], usable: dict[str, str], paths: dict[str, str], facts: Facts, disabled: bool
) -> None:
    """HostError for the first limit whose controller cannot be had."""
    unified = facts.cgroup_version == 2
    available = {"", *facts.cgroup_controllers} if unified else set(paths)
    for limit in limits:
        name, file = limit.controller, limit.file
        if disabled:
            raise HostError(f"cannot set {file}: cgroups are disabled", pointer=limit.pointer)
        known = name in available
        if (known or unified) and ("" if unified else name) not in usable:
            raise HostError(f"cannot set {file}: {_why_none(facts, paths, name)}", pointer=limit.pointer)
        if not known:
            raise HostError(
                f"cannot set {file}: this host has no cgroup controller `{name}`"
                + (" that we may use" if facts.euid or facts.user_namespace else ""),
                pointer=limit.pointer,
            )


def _plan_devices(resources: Mapping[str, Any], facts: Facts, usable: dict[str, str]) -> list[Op]:
    """Device rules; an unprivileged runtime cannot set them, nor its containers make devices."""
    from pyrunc.cgroup.device_rules import assemble, device_lines, normalise

    pointer = f"{RESOURCES}/devices"
    listed = resources.get("devices") or []
    rules = normalise(listed, pointer)
    if facts.euid != 0 or facts.user_namespace:
        return []
    if facts.cgroup_version == 2:
        return [attach_device_program(assemble(rules)).at(pointer)]
    if "devices" in usable:
        return [
            write_cgroup("devices", file, line).at(at or pointer) for file, line, at in device_lines(rules)
        ]
    if any(not rule["allow"] for rule in listed):
        raise HostError("this host has no cgroup controller `devices`", pointer=pointer)
    return []


def _plan_owner(config: Mapping[str, Any], facts: Facts) -> list[Op]:
    """Give the cgroup to the container's user if it gets a namespace and a writable mount of its own.

    Spec: config-linux.md, "Cgroup ownership".
    """
    linux = config.get("linux") or {}
    new = any(entry["type"] == "cgroup" and not entry.get("path") for entry in linux.get("namespaces") or [])
    mounts = [
        index
        for index, mount in enumerate(config.get("mounts") or [])
        if mount.get("source") == "cgroup"
        and mount["destination"].rstrip("/") == CGROUP_MOUNT
        and "ro" not in (mount.get("options") or [])
    ]
    if not new or not mounts:
        return []
    uid = _host_id(
        ((config.get("process") or {}).get("user") or {}).get("uid") or 0, linux.get("uidMappings")
    )
    if uid in (-1, facts.euid):
        return []
    return [own_cgroup(uid, -1).at(f"/mounts/{mounts[-1]}")]


def _host_id(id: int, mappings: list[dict[str, int]] | None) -> int:
    """What the container's `id` is outside; -1 if it is not mapped."""
    if not mappings:
        return id
    for entry in mappings:
        if 0 <= id - entry["containerID"] < entry["size"]:
            return int(entry["hostID"]) + id - int(entry["containerID"])
    return -1
