"""config.md#linux-process and config-linux.md: scheduler, io priority, cpus of exec, memory policy."""

from __future__ import annotations

from . import Case, both, drop, put

REALTIME = both(
    drop("/linux/cgroupsPath"),  # directly below the root, which alone has time to give
    put("/linux/resources", {"cpu": {"realtimePeriod": 1000000, "realtimeRuntime": 10000}}),
)
AFFINITY = ("/bin/grep", "Cpus_allowed_list", "/proc/self/status")

SCHEDULER = "config.md#linux-process: scheduler sets the policy of the process; runc and crun know it from 1.2 and 1.9 on"
IO_PRIORITY = (
    "config.md#linux-process: ioPriority sets the I/O priority of the process; younger than these releases"
)
AFFINITY_OF_EXEC = (
    "config.md#linux-process: execCPUAffinity holds for processes of exec; younger than these releases"
)
MEMORY_POLICY = "config-linux.md#memory-policy sets the NUMA memory policy; younger than these releases"
CASES = [
    Case(
        "batch",
        put("/process/scheduler", {"policy": "SCHED_BATCH", "nice": 7}),
        difference={"report/sched": SCHEDULER, "report/nice": SCHEDULER},
    ),
    Case(
        "reset-on-fork",
        put(
            "/process/scheduler",
            {"policy": "SCHED_OTHER", "nice": 3, "flags": ["SCHED_FLAG_RESET_ON_FORK"]},
        ),
        difference={"report/sched": SCHEDULER, "report/nice": SCHEDULER},
    ),
    Case(
        "idle",
        put("/process/scheduler", {"policy": "SCHED_IDLE"}),
        difference={"report/sched": SCHEDULER},
    ),
    Case(
        "fifo",
        both(REALTIME, put("/process/scheduler", {"policy": "SCHED_FIFO", "priority": 9})),
        needs="v1 cpu",
        difference={"report/sched": SCHEDULER},
    ),
    Case(
        "fifo-without-time",
        put("/process/scheduler", {"policy": "SCHED_FIFO", "priority": 9}),
        needs="v1 cpu",
        difference={"create": SCHEDULER},
    ),
    Case(
        "deadline",
        both(
            REALTIME,
            put(
                "/process/scheduler",
                {"policy": "SCHED_DEADLINE", "runtime": 10000000, "deadline": 20000000, "period": 30000000},
            ),
        ),
        needs="v1 cpu",
        difference={"report/sched": SCHEDULER},
        crun={"newer:create": "config.md#process: the policy is one of those allowed; crun changes the affinity after it, which fails"},
    ),
    Case(
        "scheduler-unknown",
        put("/process/scheduler", {"policy": "SCHED_BOGUS"}),
        difference={"create": SCHEDULER},
    ),
    Case(
        "io-priority",
        put("/process/ioPriority", {"class": "IOPRIO_CLASS_BE", "priority": 6}),
        difference={"report/io_priority": IO_PRIORITY},
    ),
    Case(
        "io-priority-idle",
        put("/process/ioPriority", {"class": "IOPRIO_CLASS_IDLE", "priority": 0}),
        difference={"report/io_priority": IO_PRIORITY},
    ),
    Case(
        "io-priority-unknown",
        put("/process/ioPriority", {"class": "IOPRIO_CLASS_BOGUS", "priority": 0}),
        difference={"create": IO_PRIORITY},
    ),
    Case(
        "exec-affinity",
        put("/process/execCPUAffinity", {"initial": "0", "final": "0"}),
        exec=AFFINITY,
        difference={"exec/output": AFFINITY_OF_EXEC},
    ),
    Case(
        "exec-affinity-bad",
        put("/process/execCPUAffinity", {"initial": "x"}),
        difference={"create": AFFINITY_OF_EXEC},
    ),
    Case(
        "memory-policy",
        put("/linux/memoryPolicy", {"mode": "MPOL_BIND", "nodes": "0"}),
        difference={"report/memory_policy": MEMORY_POLICY},
    ),
    Case(
        "memory-policy-flags",
        put(
            "/linux/memoryPolicy", {"mode": "MPOL_PREFERRED", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}
        ),
        difference={"report/memory_policy": MEMORY_POLICY},
    ),
    Case(
        "memory-policy-unknown",
        put("/linux/memoryPolicy", {"mode": "MPOL_BOGUS", "nodes": "0"}),
        difference={"create": MEMORY_POLICY},
    ),
]
