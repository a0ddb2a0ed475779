"""The flags of commands that are not run for every container, as data like `commands`."""

from __future__ import annotations

from pyrunc.cli.commands import BOOL, TEXT, Flag

_UPDATE = (
    Flag("resources", TEXT, "a JSON file with the resources object, - for standard input", "r", "FILE"),
    Flag("blkio-weight", TEXT, "weight of block I/O, 10 to 1000", metavar="N"),
    Flag("cpu-period", TEXT, "period of the CPU quota in microseconds", metavar="N"),
    Flag("cpu-quota", TEXT, "CPU time in each period in microseconds, -1 for no limit", metavar="N"),
    Flag("cpu-burst", TEXT, "CPU time that may be saved up for later periods, in microseconds", metavar="N"),
    Flag("cpu-share", TEXT, "weight of the CPU time, 2 to 262144", metavar="N"),
    Flag("cpu-rt-period", TEXT, "period of realtime scheduling in microseconds (cgroup v1)", metavar="N"),
    Flag("cpu-rt-runtime", TEXT, "realtime in each period in microseconds (cgroup v1)", metavar="N"),
    Flag("cpu-idle", TEXT, "1: run only on CPUs that are idle otherwise; 0: not so", metavar="N"),
    Flag("cpuset-cpus", TEXT, "the CPUs to use, as 0-2,7", metavar="LIST"),
    Flag("cpuset-mems", TEXT, "the memory nodes to use", metavar="LIST"),
    Flag("kernel-memory", TEXT, "ignored with a warning: kernels have none any more", metavar="SIZE"),
    Flag("kernel-memory-tcp", TEXT, "ignored with a warning, too", metavar="SIZE"),
    Flag("memory", TEXT, "limit of memory (suffixes k, m, g), -1 for none", metavar="SIZE"),
    Flag("memory-reservation", TEXT, "memory that is kept for the container", metavar="SIZE"),
    Flag("memory-swap", TEXT, "limit of memory and swap together, -1 for none", metavar="SIZE"),
    Flag("pids-limit", TEXT, "limit of the number of processes and threads, -1 for none", metavar="N"),
)

_EVENTS = (
    Flag("interval", TEXT, "time between two statistics, as 100ms (default: 5s)", metavar="DURATION"),
    Flag("stats", BOOL, "print the statistics once"),
)

_SNAPSHOT = (Flag("directory", TEXT, "where images are (default: /var/lib/pyrunc/snapshot)", metavar="DIR"),)

FLAGS: dict[str, tuple[Flag, ...]] = {"update": _UPDATE, "events": _EVENTS, "snapshot": _SNAPSHOT}
