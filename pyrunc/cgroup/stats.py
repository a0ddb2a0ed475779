"""What a container uses, in the shape of runc's `events`.

The files of both versions are read through the driver; what the kernel does not
count stays 0 or is left out.  Times are nanoseconds.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyrunc.cgroup.driver import Cgroup

NO_LIMIT_V2 = (1 << 64) - 1
_SETS = (
    "cpu_exclusive", "mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page",
    "memory_spread_slab", "memory_pressure", "sched_load_balance", "sched_relax_domain_level",
)  # fmt: skip
_MEMORY_V1 = (
    ("usage", "memory"),
    ("swap", "memory.memsw"),
    ("kernel", "memory.kmem"),
    ("kernelTCP", "memory.kmem.tcp"),
)
_BLKIO_V1 = (
    ("ioServiceBytesRecursive", "io_service_bytes_recursive"),
    ("ioServicedRecursive", "io_serviced_recursive"),
    ("ioQueueRecursive", "io_queued_recursive"),
    ("ioServiceTimeRecursive", "io_service_time_recursive"),
    ("ioWaitTimeRecursive", "io_wait_time_recursive"),
    ("ioMergedRecursive", "io_merged_recursive"),
    ("ioTimeRecursive", "time_recursive"),
    ("sectorsRecursive", "sectors_recursive"),
)
_IO_V2 = (
    ("ioServiceBytesRecursive", (("rbytes", "Read"), ("wbytes", "Write"), ("dbytes", "Discard"))),
    ("ioServicedRecursive", (("rios", "Read"), ("wios", "Write"), ("dios", "Discard"))),
)


def read_stats(cgroup: Cgroup, hugepage_sizes: list[str]) -> dict[str, Any]:
    """The `data` of a stats event."""
    reader = _Reader(cgroup)
    unified = cgroup.saved.get("version") == 2
    pages = _hugetlb_v2 if unified else _hugetlb_v1
    return {
        "cpu": _cpu_v2(reader) if unified else _cpu_v1(reader),
        "cpuset": _cpuset(reader, unified),
        "memory": _memory_v2(reader) if unified else _memory_v1(reader),
        "pids": _without_zeros(
            {"current": reader.number("pids", "pids.current"), "limit": reader.number("pids", "pids.max")}
        ),
        "blkio": _io_v2(reader) if unified else _blkio_v1(reader),
        "hugetlb": {size: usage for size in hugepage_sizes if (usage := pages(reader, size))},
        "intel_rdt": {},
        "network_interfaces": None,
    }


class _Reader:
    """Files of a cgroup; what cannot be read is empty."""

    __slots__ = ("_cgroup",)

    def __init__(self, cgroup: Cgroup) -> None:
        self._cgroup = cgroup

    def text(self, controller: str, file: str) -> str:
        try:
            return self._cgroup.read(controller, file)
        except OSError:
            return ""

    def number(self, controller: str, file: str, unlimited: int = 0) -> int:
        """The number in a file; `unlimited` for "max", 0 if there is none."""
        text = self.text(controller, file).strip()
        return unlimited if text == "max" else int(text or 0)

    def flat(self, controller: str, file: str) -> dict[str, int]:
        """A file of `key number` lines."""
        pairs = (line.split() for line in self.text(controller, file).splitlines())
        return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].lstrip("-").isdigit()}

    def pressure(self, file: str) -> dict[str, Any]:
        """{"psi": …} from a v2 pressure file; empty where the kernel does not count."""
        psi: dict[str, Any] = {}
        for line in self.text("", file).splitlines():
            kind, *fields = line.split()
            values = dict(field.split("=", 1) for field in fields)
            psi[kind] = {name: float(values[name]) for name in ("avg10", "avg60", "avg300") if name in values}
            psi[kind]["total"] = int(values.get("total", 0))
        return {"psi": psi} if psi else {}


def _without_zeros(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}


# --- cpu ------------------------------------------------------------------------------


def _cpu_v1(reader: _Reader) -> dict[str, Any]:
    tick = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    times = reader.flat("cpuacct", "cpuacct.stat")
    rows = [line.split() for line in reader.text("cpuacct", "cpuacct.usage_all").splitlines()[1:]]
    usage = _without_zeros({
        "total": reader.number("cpuacct", "cpuacct.usage"),
        "percpu": [int(value) for value in reader.text("cpuacct", "cpuacct.usage_percpu").split()],
        "percpu_kernel": [int(row[2]) for row in rows],
        "percpu_user": [int(row[1]) for row in rows],
    })  # fmt: skip
    usage |= {"kernel": times.get("system", 0) * tick, "user": times.get("user", 0) * tick}
    throttled = reader.flat("cpu", "cpu.stat")
    return {"usage": usage, "throttling": _throttling(throttled, throttled.get("throttled_time", 0))}


def _cpu_v2(reader: _Reader) -> dict[str, Any]:
    stat = reader.flat("cpu", "cpu.stat")
    usage = _without_zeros({"total": stat.get("usage_usec", 0) * 1000})
    usage |= {"kernel": stat.get("system_usec", 0) * 1000, "user": stat.get("user_usec", 0) * 1000}
    throttling = _throttling(stat, stat.get("throttled_usec", 0) * 1000)
    return {"usage": usage, "throttling": throttling, **reader.pressure("cpu.pressure")}


def _throttling(stat: dict[str, int], time: int) -> dict[str, int]:
    values = {
        "periods": stat.get("nr_periods"),
        "throttledPeriods": stat.get("nr_throttled"),
        "throttledTime": time,
    }
    return _without_zeros(values)


def _cpuset(reader: _Reader, unified: bool) -> dict[str, Any]:
    """The sets in force; the flags exist in v1 alone."""
    names = ("cpuset.cpus.effective", "cpuset.mems.effective") if unified else ("cpuset.cpus", "cpuset.mems")
    cpus, mems = (parse_set(reader.text("cpuset", name)) for name in names)
    flags = {name: 0 if unified else reader.number("cpuset", f"cpuset.{name}") for name in _SETS}
    result = {"cpus": cpus, "cpu_exclusive": flags.pop("cpu_exclusive"), "mems": mems, **flags}
    return {name: value for name, value in result.items() if value != []}


def parse_set(text: str) -> list[int]:
    """The numbers of a list such as 0-2,7."""
    numbers: list[int] = []
    for part in text.strip().split(","):
        first, _, last = part.partition("-")
        if first.isdigit():
            numbers += range(int(first), int(last or first) + 1)
    return numbers


# --- memory -----------------------------------------------------------------------------


def _memory_entry(limit: int, usage: int, most: int, failures: int) -> dict[str, int]:
    return {"limit": limit, **_without_zeros({"usage": usage, "max": most}), "failcnt": failures}


def _memory_v1(reader: _Reader) -> dict[str, Any]:
    raw = reader.flat("memory", "memory.stat")
    memory = _without_zeros({"cache": raw.get("cache", 0)})
    for name, prefix in _MEMORY_V1:
        numbers = [
            reader.number("memory", f"{prefix}.{file}")
            for file in ("limit_in_bytes", "usage_in_bytes", "max_usage_in_bytes", "failcnt")
        ]
        memory[name] = _memory_entry(*numbers)
    return memory | _without_zeros({"raw": raw})


def _memory_v2(reader: _Reader) -> dict[str, Any]:
    """Swap is shown as v1 counts it: together with memory."""
    raw = reader.flat("memory", "memory.stat")
    used, swapped = (reader.number("memory", f"memory.{kind}current") for kind in ("", "swap."))
    limit, swap = (reader.number("memory", f"memory.{kind}max", NO_LIMIT_V2) for kind in ("", "swap."))
    both = NO_LIMIT_V2 if NO_LIMIT_V2 in (limit, swap) else limit + swap
    failures = reader.flat("memory", "memory.events").get("max", 0)
    unswapped = reader.flat("memory", "memory.swap.events").get("fail", 0)
    peaks = [reader.number("memory", f"memory.{kind}peak") for kind in ("", "swap.")]
    return {
        **_without_zeros({"cache": raw.get("file", 0)}),
        "usage": _memory_entry(limit, used, peaks[0], failures),
        "swap": _memory_entry(both, used + swapped, sum(peaks), unswapped),
        "kernel": _memory_entry(0, raw.get("kernel", 0), 0, 0),
        "kernelTCP": _memory_entry(0, raw.get("sock", 0), 0, 0),
        **_without_zeros({"raw": raw}),
        **reader.pressure("memory.pressure"),
    }


def _hugetlb_v1(reader: _Reader, size: str) -> dict[str, int]:
    for kind in ("rsvd.", ""):
        prefix = f"hugetlb.{size}.{kind}"
        if reader.text("hugetlb", f"{prefix}usage_in_bytes"):
            usage = {
                "usage": reader.number("hugetlb", f"{prefix}usage_in_bytes"),
                "max": reader.number("hugetlb", f"{prefix}max_usage_in_bytes"),
            }
            return _without_zeros(usage) | {"failcnt": reader.number("hugetlb", f"{prefix}failcnt")}
    return {}


def _hugetlb_v2(reader: _Reader, size: str) -> dict[str, int]:
    prefix = f"hugetlb.{size}."
    for kind in ("rsvd.", ""):
        if reader.text("hugetlb", f"{prefix}{kind}current"):
            usage = _without_zeros({"usage": reader.number("hugetlb", f"{prefix}{kind}current")})
            return usage | {"failcnt": reader.flat("hugetlb", f"{prefix}events").get("max", 0)}
    return {}


# --- block devices ---------------------------------------------------------------------


def _blkio_v1(reader: _Reader) -> dict[str, Any]:
    """BFQ's numbers if it counts, else those of the throttling layer."""
    for scheduler in ("bfq", "throttle"):
        result = {
            name: _entries(reader.text("blkio", f"blkio.{scheduler}.{file}")) for name, file in _BLKIO_V1
        }
        if result["ioServicedRecursive"]:
            break
    return _without_zeros(result)


def _entries(text: str) -> list[dict[str, Any]]:
    """Lines `major:minor [operation] number`."""
    entries = []
    for line in text.splitlines():
        device, *operation, number = line.split()
        major, colon, minor = device.partition(":")
        if colon:
            entries.append(_entry(major, minor, " ".join(operation), number))
    return entries


def _entry(major: str, minor: str, operation: str, value: str) -> dict[str, Any]:
    entry = {"major": int(major), "minor": int(minor), "op": operation, "value": int(value)}
    return _without_zeros(entry)


def _io_v2(reader: _Reader) -> dict[str, Any]:
    result: dict[str, Any] = {name: [] for name, _ in _IO_V2}
    for line in reader.text("io", "io.stat").splitlines():
        device, *fields = line.split()
        values = dict(field.split("=", 1) for field in fields if "=" in field)
        major, _, minor = device.partition(":")
        for name, keys in _IO_V2:
            for key, operation in keys:
                if key in values:
                    result[name].append(_entry(major, minor, operation, values[key]))
    return _without_zeros(result) | reader.pressure("io.pressure")
