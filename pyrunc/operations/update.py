"""update: other limits for a living container."""

from __future__ import annotations

import os

from pyrunc.cgroup.change import (
    burst_off,
    change_all,
    check_controllers,
    check_memory,
    complete,
    merge,
    what_is_set,
)
from pyrunc.cgroup.driver import open_cgroup
from pyrunc.cgroup.limits import warn_unused
from pyrunc.errors import HostError, SpecError, UsageError
from pyrunc.execute.process import lock_container
from pyrunc.host.facts import probe_facts
from pyrunc.operations import is_decimal
from pyrunc.plan.cgroups import resource_limits
from pyrunc.spec.load import load_resources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from pyrunc.operations import Context
    from pyrunc.state.record import Record
    from pyrunc.state.store import Entry

_POWERS = {"": 0, "b": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


def update(
    context: Context, id: str, *, resources: str = "",
    blkio_weight: str = "", cpu_period: str = "", cpu_quota: str = "", cpu_burst: str = "",
    cpu_share: str = "", cpu_rt_period: str = "", cpu_rt_runtime: str = "", cpu_idle: str = "",
    cpuset_cpus: str = "", cpuset_mems: str = "", kernel_memory: str = "", kernel_memory_tcp: str = "",
    memory: str = "", memory_reservation: str = "", memory_swap: str = "", pids_limit: str = "",
    l3_cache_schema: str = "", mem_bw_schema: str = "",
) -> None:  # fmt: skip
    """Change the limits of the container `id`.

    resources: a file with the JSON object of linux.resources ("-": standard
    input); the flags count only without it.  Zero and what is missing stay as
    they are, devices too.  All is changed or nothing.
    """
    flags = {name: value for name, value in locals().items() if name in FLAGS}
    # first, as it may wait for input, which must keep nobody else from the container
    asked = read_resources(resources) if resources else from_flags(flags)
    entry, record = lock_container(context.root, id, "update")
    for warning in warn_unused(asked, record.cgroup.get("version", 2)):
        context.log.warning(warning)
    if schemata := [line for line in (l3_cache_schema, mem_bw_schema) if line]:
        change_schemata(entry, record, schemata)
    if change := what_is_set(asked):
        _change(entry, record, change)
    entry.close()


def change_schemata(entry: Entry, record: Record, schemata: list[str]) -> None:
    """Write lines to the schemata of the container's class of service; UsageError: it has none."""
    from pyrunc.execute.resctrl import write_schemata
    from pyrunc.plan.resctrl import group_path

    config = entry.read_config()
    rdt = (config.get("linux") or {}).get("intelRdt")
    if rdt is None:
        raise UsageError("the container has no intelRdt section: it is in no class of service of its own")
    facts = probe_facts(config, cgroups=False)
    if not facts.resctrl:
        raise HostError("the resctrl file system is not mounted", step="update")
    write_schemata(group_path(rdt, facts.resctrl, record.id), schemata)


def read_resources(source: str) -> dict[str, Any]:
    """The resources in the file `source` or, for "-", on standard input; valid ones, or SpecError."""
    if source != "-":
        return dict(load_resources(source))
    parts = []
    while part := os.read(0, 65536):
        parts.append(part)
    return dict(load_resources(b"".join(parts)))


def _change(entry: Entry, record: Record, change: dict[str, Any]) -> None:
    if not record.cgroup:
        raise HostError("the container has no cgroup of its own that could be limited", step="update")
    config = entry.read_config()
    before = merge((config.get("linux") or {}).get("resources") or {}, record.resources)
    after = merge(before, change)
    cgroup = open_cgroup(record.cgroup)
    whole = complete(change, before, cgroup)
    facts = probe_facts({"linux": {"resources": whole}})
    facts.cgroup_version = record.cgroup["version"]
    limits = burst_off(whole, cgroup) + resource_limits(whole, facts)
    check_controllers(limits, cgroup)
    check_memory(whole, bool((after.get("memory") or {}).get("checkBeforeUpdate")), cgroup)
    recorded = record.resources
    record.resources = merge(recorded, change)
    entry.write(record)  # first: where there is no room for it nothing is changed
    try:
        change_all(limits, cgroup)
    except BaseException:
        record.resources = recorded
        entry.write(record)
        raise


# --- flags ------------------------------------------------------------------------


def parse_size(text: str) -> int:
    """Bytes: a number, perhaps with a fraction, and a power of 1024 (k, m, g, t, p; kb and kib too); -1.

    ValueError for anything else.
    """
    if text == "-1":
        return -1
    digits = text.lower().rstrip("bkmgtpi ")
    unit = text[len(digits) :].strip().lower()
    whole, dot, fraction = digits.partition(".")
    good_unit = unit[:1] in _POWERS and (unit[1:] == "" or (unit[0] != "b" and unit[1:] in ("b", "ib")))
    if not good_unit or not is_decimal(whole) or (dot and not is_decimal(fraction)):
        raise ValueError("want a size like 64m, 1.5g or -1")
    scale: int = 1024 ** _POWERS[unit[:1]]
    return int(whole) * scale + (int(fraction) * scale // 10 ** len(fraction) if dot else 0)


def parse_number(text: str) -> int:
    """A decimal number, negative ones too.  ValueError for anything else."""
    if not is_decimal(text.removeprefix("-")):
        raise ValueError("want a decimal number")
    return int(text)


def _text(text: str) -> str:
    return text


FLAGS: dict[str, tuple[str, str, Callable[[str], int | str]]] = {
    "blkio_weight": ("blockIO", "weight", parse_number),
    "cpu_period": ("cpu", "period", parse_number),
    "cpu_quota": ("cpu", "quota", parse_number),
    "cpu_burst": ("cpu", "burst", parse_number),
    "cpu_share": ("cpu", "shares", parse_number),
    "cpu_rt_period": ("cpu", "realtimePeriod", parse_number),
    "cpu_rt_runtime": ("cpu", "realtimeRuntime", parse_number),
    "cpu_idle": ("cpu", "idle", parse_number),
    "cpuset_cpus": ("cpu", "cpus", _text),
    "cpuset_mems": ("cpu", "mems", _text),
    "kernel_memory": ("memory", "kernel", parse_size),
    "kernel_memory_tcp": ("memory", "kernelTCP", parse_size),
    "memory": ("memory", "limit", parse_size),
    "memory_reservation": ("memory", "reservation", parse_size),
    "memory_swap": ("memory", "swap", parse_size),
    "pids_limit": ("pids", "limit", parse_number),
}
"""Parameter to the property it sets and how its text is read."""


def from_flags(flags: dict[str, str]) -> dict[str, Any]:
    """The resources that the flags which were given describe; valid ones, or UsageError."""
    from pyrunc.cores import render_json

    resources: dict[str, Any] = {}
    for name, text in flags.items():
        if not text:
            continue
        section, key, parse = FLAGS[name]
        try:
            resources.setdefault(section, {})[key] = parse(text)
        except ValueError as error:
            raise UsageError(f"invalid value {text!r} for --{name.replace('_', '-')}: {error}") from error
    try:
        return dict(load_resources(render_json(resources).encode()))
    except SpecError as error:
        text = error.text.removeprefix("resources:1: ")  # the place in a text that nobody wrote
        raise UsageError(f"invalid limits: {text}", pointer=error.pointer) from error
