"""config-linux.md#seccomp: actions, arguments, architectures, order with capabilities."""

from __future__ import annotations

from typing import Any

from tests.harness import Bundle

from . import Case, Lab, both, put

GETPRIORITY, SYNC, PERSONALITY, CHROOT, UNAME = 140, 162, 135, 161, 63


def filter_of(*rules: dict[str, Any], default: str = "SCMP_ACT_ALLOW", **more: Any):  # type: ignore[no-untyped-def]
    return put("/linux/seccomp", {"defaultAction": default, "syscalls": list(rules), **more})


def rule(action: str, *names: str, **more: Any) -> dict[str, Any]:
    return {"names": list(names), "action": action, **more}


def argument(index: int, value: int, op: str, two: int = 0) -> dict[str, Any]:
    return {"index": index, "value": value, "op": op, **({"valueTwo": two} if two else {})}


def listened(**more: Any):  # type: ignore[no-untyped-def]
    """The listener is closed at once, after which the kernel answers ENOSYS."""

    def prepare(bundle: Bundle, lab: Lab) -> None:
        rules = [rule("SCMP_ACT_NOTIFY", "sync")]
        bundle.linux["seccomp"] = {
            "defaultAction": ALLOW,
            "syscalls": rules,
            "listenerPath": lab.listener("agent"),
            **more,
        }

    return prepare


DENY, ALLOW, KILL = "SCMP_ACT_ERRNO", "SCMP_ACT_ALLOW", "SCMP_ACT_KILL_PROCESS"
USED = (
    "read write open openat close fstat stat lstat lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask ioctl readv writev "
    "access getpid getuid getgid geteuid getegid getppid getpgid getsid getresuid getresgid getgroups umask prctl personality "
    "getpriority sched_getscheduler ioprio_get get_mempolicy keyctl prlimit64 getrlimit uname getcwd readlink getdents64 execve "
    "arch_prctl set_tid_address exit exit_group fcntl newfstatat set_robust_list rseq getrandom futex statfs fork clone wait4 "
    "close_range setgid setuid capset setgroups chdir fchown getxattr setresuid setresgid poll clone3 epoll_ctl epoll_pwait "
    "sched_yield sigaltstack gettid nanosleep tgkill madvise dup3 rt_sigreturn pipe2 eventfd2 epoll_create1 capget faccessat2 "
    "fstatfs setsid waitid openat2 fchownat execveat sched_getaffinity"
).split()

CALLS_OF_ITS_OWN = "the filter is the program's; runc 1.5 needs calls of its own after loading it"
CASES = [
    Case("errno", filter_of(rule(DENY, "getpriority")), f"syscall:{GETPRIORITY}", f"syscall:{SYNC}"),
    Case("errno-value", filter_of(rule(DENY, "getpriority", errnoRet=38)), f"syscall:{GETPRIORITY}"),
    Case(
        "default-errno",
        filter_of(rule(ALLOW, *USED), default=DENY),
        f"syscall:{SYNC}",
        f"syscall:{UNAME}",
        runc={"newer:start": CALLS_OF_ITS_OWN},
    ),
    Case(
        "default-errno-value",
        filter_of(rule(ALLOW, *USED), default=DENY, defaultErrnoRet=38),
        f"syscall:{SYNC}",
        runc={"newer:start": CALLS_OF_ITS_OWN},
    ),
    Case("kill", filter_of(rule(KILL, "sync")), f"syscall:{SYNC}"),
    Case("kill-thread", filter_of(rule("SCMP_ACT_KILL", "sync")), f"syscall:{SYNC}"),
    Case("trap", filter_of(rule("SCMP_ACT_TRAP", "sync")), f"syscall:{SYNC}"),
    Case("log", filter_of(rule("SCMP_ACT_LOG", "sync")), f"syscall:{SYNC}"),
    Case("trace", filter_of(rule("SCMP_ACT_TRACE", "sync", errnoRet=5)), f"syscall:{SYNC}"),
    Case(
        "argument-equal",
        filter_of(rule(DENY, "personality", args=[argument(0, 8, "SCMP_CMP_EQ")])),
        f"syscall:{PERSONALITY},8",
        f"syscall:{PERSONALITY},0",
    ),
    Case(
        "argument-masked",
        filter_of(rule(DENY, "getpriority", args=[argument(1, 0xF0, "SCMP_CMP_MASKED_EQ", 0x10)])),
        f"syscall:{GETPRIORITY},0,0x10",
        f"syscall:{GETPRIORITY},0,0x20",
    ),
    Case(
        "two-conditions-on-one-argument",
        filter_of(
            rule(DENY, "getpriority", args=[argument(0, 1, "SCMP_CMP_GE"), argument(0, 2, "SCMP_CMP_LE")])
        ),
        f"syscall:{GETPRIORITY},0",
        f"syscall:{GETPRIORITY},1",
        f"syscall:{GETPRIORITY},2",
    ),
    Case("unknown-name", filter_of(rule(DENY, "no_such_call", "sync")), f"syscall:{SYNC}"),
    Case("unknown-action", filter_of(rule("SCMP_ACT_BOGUS", "sync"))),
    Case("unknown-architecture", filter_of(rule(DENY, "sync"), architectures=["SCMP_ARCH_BOGUS"])),
    Case(
        "architectures",
        filter_of(rule(DENY, "sync"), architectures=["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]),
        f"syscall:{SYNC}",
    ),
    Case(
        "flags",
        filter_of(rule(DENY, "sync"), flags=["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"]),
        f"syscall:{SYNC}",
        runc={"create": "config-linux.md#seccomp lists the flags; runc 1.1 refuses all of them"},
    ),
    Case(
        "unknown-flag",
        filter_of(rule(DENY, "sync"), flags=["SECCOMP_FILTER_FLAG_BOGUS"]),
        crun={"create": "config.md#valid-values: invalid or unsupported values MUST generate an error"},
    ),
    Case(
        "before-capabilities-are-dropped",
        both(filter_of(rule(DENY, "capset", "chroot")), put("/process/noNewPrivileges", False)),
        f"syscall:{CHROOT}",
    ),
    Case(
        "empty-names",
        filter_of(rule(DENY)),
        runc={"create": "config-linux.md#seccomp: names MUST contain at least one entry; runc does not look"},
        crun={"create": "config-linux.md#seccomp: names MUST contain at least one entry; crun does not look"},
    ),
    Case("no-rules", filter_of()),
    Case("listener", listened(), f"syscall:{SYNC}", collect=("agent",)),
    Case("listener-metadata", listened(listenerMetadata="some words"), f"syscall:{SYNC}", collect=("agent",)),
    Case(
        "listener-missing",
        put(
            "/linux/seccomp",
            {
                "defaultAction": "SCMP_ACT_ALLOW",
                "syscalls": [rule("SCMP_ACT_NOTIFY", "sync")],
                "listenerPath": "/no/such/socket",
            },
        ),
    ),
    Case(
        "metadata-without-listener",
        filter_of(rule(DENY, "sync"), listenerMetadata="words"),
        difference={
            "create": "config-linux.md#seccomp: listenerMetadata MUST NOT be set if listenerPath is not set"
        },
    ),
    Case(
        "notify-without-listener",
        filter_of(rule("SCMP_ACT_NOTIFY", "sync")),
        crun={
            "create": "config-linux.md#seccomp: SCMP_ACT_NOTIFY needs the listenerPath; without a listener the call would hang"
        },
    ),
]
