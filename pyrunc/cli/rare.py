"""The flags of commands that are not run for every container, as data like `commands`."""

from __future__ import annotations

from pyrunc.cli.commands import (
    BOOL,
    BUNDLE,
    CHOICE,
    CONSOLE_SOCKET,
    DETACH,
    LIST,
    NO_SUBREAPER,
    PID_FILE,
    TEXT,
    Flag,
)

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
    Flag("kernel-memory-tcp", TEXT, "memory for TCP buffers (cgroup v1; else ignored)", metavar="SIZE"),
    Flag("memory", TEXT, "limit of memory (suffixes k, m, g), -1 for none", metavar="SIZE"),
    Flag("memory-reservation", TEXT, "memory that is kept for the container", metavar="SIZE"),
    Flag("memory-swap", TEXT, "limit of memory and swap together, -1 for none", metavar="SIZE"),
    Flag("pids-limit", TEXT, "limit of the number of processes and threads, -1 for none", metavar="N"),
    Flag("l3-cache-schema", TEXT, "bit masks of the L3 cache (intelRdt)", metavar="L3:ID=MASK[;..]"),
    Flag("mem-bw-schema", TEXT, "memory bandwidth (intelRdt)", metavar="MB:ID=VALUE[;..]"),
)

_EVENTS = (
    Flag("interval", TEXT, "time between two statistics, as 100ms (default: 5s)", metavar="DURATION"),
    Flag("stats", BOOL, "print the statistics once"),
)

_SNAPSHOT = (Flag("directory", TEXT, "where images are (default: /var/lib/pyrunc/snapshot)", metavar="DIR"),)

_CRIU_FLAGS = (
    Flag("image-path", TEXT, "directory of the image files (default: ./checkpoint)", metavar="DIR"),
    Flag("work-path", TEXT, "directory of criu's logs (default: the image path)", metavar="DIR"),
    Flag("tcp-established", BOOL, "allow open tcp connections"),
    Flag("ext-unix-sk", BOOL, "allow unix sockets with an end outside"),
    Flag("shell-job", BOOL, "allow a terminal of the caller"),
    Flag("file-locks", BOOL, "allow file locks"),
    Flag(
        "manage-cgroups-mode",
        CHOICE,
        "what is done about cgroups (default: soft)",
        choices=("", "soft", "full", "strict", "ignore"),
    ),
    Flag("empty-ns", LIST, "leave out what is in this namespace (network)", metavar="NAMESPACE"),
    Flag("auto-dedup", BOOL, "drop pages from images once they are read"),
    Flag("lazy-pages", BOOL, "send or fetch memory pages when they are needed"),
)

_CHECKPOINT = (
    *_CRIU_FLAGS,
    Flag("parent-path", TEXT, "images of an earlier pre-dump, relative to the image path", metavar="DIR"),
    Flag("leave-running", BOOL, "let the container run on"),
    Flag("tcp-skip-in-flight", BOOL, "leave out tcp connections that are not accepted yet"),
    Flag("link-remap", BOOL, "link files that were removed while open"),
    Flag("status-fd", TEXT, "descriptor that gets a NUL byte when lazy pages can be fetched", metavar="N"),
    Flag("page-server", TEXT, "send the memory pages to this server", metavar="ADDRESS:PORT"),
    Flag("pre-dump", BOOL, "write memory only and let the container run on"),
)

_RESTORE = (
    *_CRIU_FLAGS,
    BUNDLE,
    DETACH,
    CONSOLE_SOCKET,
    PID_FILE,
    NO_SUBREAPER,
    Flag("no-pivot", BOOL, "accepted for callers that pass it; a restore does not pivot"),
    Flag("tcp-close", BOOL, "restore tcp connections closed"),
    Flag("lsm-profile", TEXT, "profile of the security module", metavar="TYPE:NAME"),
    Flag("lsm-mount-context", TEXT, "SELinux context of mounts that had one", metavar="CONTEXT"),
)

FLAGS: dict[str, tuple[Flag, ...]] = {
    "update": _UPDATE,
    "events": _EVENTS,
    "checkpoint": _CHECKPOINT,
    "restore": _RESTORE,
    "snapshot": _SNAPSHOT,
}
