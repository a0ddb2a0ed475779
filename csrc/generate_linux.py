"""Write pyrunc/linux.py: the kernel's numbers, asked from its headers by the C compiler.

    python csrc/generate_linux.py            write the file
    python csrc/generate_linux.py --check    exit 1 if the file says anything else

A name that these headers do not know yet keeps the number in NEWER, which is
part of the kernel's stable interface; where they know it, they are believed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from module_build import CSRC, BuildError, compiler, run_compiler

TARGET = CSRC.parent / "pyrunc" / "linux.py"

HEADERS = """
sys/stat.h sys/resource.h sys/personality.h fcntl.h sched.h signal.h
linux/capability.h linux/prctl.h linux/seccomp.h linux/audit.h linux/magic.h linux/mempolicy.h
linux/ioprio.h linux/sched.h linux/fs.h linux/mount.h linux/bpf.h linux/nsfs.h
"""

# heading -> names; each becomes a constant of the module
CONSTANTS = {
    "namespaces (clone, unshare, setns)": """
        CLONE_NEWTIME CLONE_NEWNS CLONE_NEWCGROUP CLONE_NEWUTS CLONE_NEWIPC CLONE_NEWUSER CLONE_NEWPID
        CLONE_NEWNET""",
    "mount(2)": """
        MS_RDONLY MS_NOSUID MS_NODEV MS_NOEXEC MS_SYNCHRONOUS MS_REMOUNT MS_MANDLOCK MS_DIRSYNC
        MS_NOSYMFOLLOW MS_NOATIME MS_NODIRATIME MS_BIND MS_MOVE MS_REC MS_SILENT MS_POSIXACL MS_UNBINDABLE
        MS_PRIVATE MS_SLAVE MS_SHARED MS_RELATIME MS_I_VERSION MS_STRICTATIME MS_LAZYTIME""",
    "fsmount(2), mount_setattr(2)": """
        MOUNT_ATTR_RDONLY MOUNT_ATTR_NOSUID MOUNT_ATTR_NODEV MOUNT_ATTR_NOEXEC MOUNT_ATTR__ATIME
        MOUNT_ATTR_RELATIME MOUNT_ATTR_NOATIME MOUNT_ATTR_STRICTATIME MOUNT_ATTR_NODIRATIME MOUNT_ATTR_IDMAP
        MOUNT_ATTR_NOSYMFOLLOW""",
    "file types (mode_t)": "S_IFMT S_IFSOCK S_IFLNK S_IFREG S_IFBLK S_IFDIR S_IFCHR S_IFIFO",
    "file systems (statfs.f_type)": """
        CGROUP_SUPER_MAGIC CGROUP2_SUPER_MAGIC PROC_SUPER_MAGIC SYSFS_MAGIC TMPFS_MAGIC RAMFS_MAGIC
        DEVPTS_SUPER_MAGIC NSFS_MAGIC OVERLAYFS_SUPER_MAGIC PIPEFS_MAGIC BPF_FS_MAGIC SECURITYFS_MAGIC
        SELINUX_MAGIC RDTGROUP_SUPER_MAGIC""",
    "prctl(2)": """
        PR_SET_PDEATHSIG PR_SET_DUMPABLE PR_SET_KEEPCAPS PR_SET_NAME PR_CAPBSET_READ PR_CAPBSET_DROP
        PR_SET_CHILD_SUBREAPER PR_SET_NO_NEW_PRIVS PR_CAP_AMBIENT""",
    "seccomp(2)": """
        SECCOMP_FILTER_FLAG_TSYNC SECCOMP_FILTER_FLAG_LOG SECCOMP_FILTER_FLAG_SPEC_ALLOW
        SECCOMP_FILTER_FLAG_NEW_LISTENER SECCOMP_FILTER_FLAG_TSYNC_ESRCH
        SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV SECCOMP_RET_KILL_PROCESS SECCOMP_RET_KILL_THREAD
        SECCOMP_RET_TRAP SECCOMP_RET_ERRNO SECCOMP_RET_USER_NOTIF SECCOMP_RET_TRACE SECCOMP_RET_LOG
        SECCOMP_RET_ALLOW""",
    "scheduling": """
        SCHED_OTHER SCHED_FIFO SCHED_RR SCHED_BATCH SCHED_ISO SCHED_IDLE SCHED_DEADLINE SCHED_EXT
        SCHED_FLAG_RESET_ON_FORK SCHED_FLAG_RECLAIM SCHED_FLAG_DL_OVERRUN SCHED_FLAG_KEEP_POLICY
        SCHED_FLAG_KEEP_PARAMS SCHED_FLAG_UTIL_CLAMP_MIN SCHED_FLAG_UTIL_CLAMP_MAX""",
    "ioprio_set(2)": "IOPRIO_CLASS_NONE IOPRIO_CLASS_RT IOPRIO_CLASS_BE IOPRIO_CLASS_IDLE",
    "set_mempolicy(2)": """
        MPOL_DEFAULT MPOL_PREFERRED MPOL_BIND MPOL_INTERLEAVE MPOL_LOCAL MPOL_PREFERRED_MANY
        MPOL_WEIGHTED_INTERLEAVE MPOL_F_STATIC_NODES MPOL_F_RELATIVE_NODES MPOL_F_NUMA_BALANCING""",
    "personality(2)": "PER_LINUX PER_LINUX32",
    "device control groups (bpf)": """
        BPF_DEVCG_ACC_MKNOD BPF_DEVCG_ACC_READ BPF_DEVCG_ACC_WRITE BPF_DEVCG_DEV_BLOCK BPF_DEVCG_DEV_CHAR""",
}

CAPABILITIES = """
    CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
    NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT
    SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE
    AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ
    PERFMON BPF CHECKPOINT_RESTORE"""
RLIMITS = """
    AS CORE CPU DATA FSIZE LOCKS MEMLOCK MSGQUEUE NICE NOFILE NPROC RSS RTPRIO RTTIME SIGPENDING STACK"""
SIGNALS = """
    HUP INT QUIT ILL TRAP ABRT IOT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CLD CONT STOP
    TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO POLL PWR SYS"""
SECCOMP_FLAGS = "TSYNC LOG SPEC_ALLOW WAIT_KILLABLE_RECV"
# table -> (what it maps, names, C prefix, prefix of the keys)
TABLES = {
    "CAPABILITIES": ("capability -> number", CAPABILITIES, "CAP_", "CAP_"),
    "RLIMITS": ("resource limit -> number", RLIMITS, "RLIMIT_", "RLIMIT_"),
    "SECCOMP_FLAGS": (
        "seccomp flag -> bit",
        SECCOMP_FLAGS,
        "SECCOMP_FILTER_FLAG_",
        "SECCOMP_FILTER_FLAG_",
    ),
    "SIGNALS": ("signal without SIG -> number; real-time ones as RTMIN+n and RTMAX-n", SIGNALS, "SIG", ""),
}

NEWER = {
    "SCHED_EXT": 7,  # Linux 6.12
    "SCHED_ISO": 4,  # reserved, never implemented
    "MPOL_PREFERRED_MANY": 5,  # Linux 5.15
    "MPOL_WEIGHTED_INTERLEAVE": 6,  # Linux 6.9
    "MOUNT_ATTR_NOSYMFOLLOW": 0x200000,  # Linux 5.14
    "MS_NOSYMFOLLOW": 256,  # Linux 5.10
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": 32,  # Linux 5.19
    "RDTGROUP_SUPER_MAGIC": 0x7655821,  # Linux 4.10, missing in old headers
}

HEAD = '''"""Numbers of the Linux kernel's interface.  Generated by csrc/generate_linux.py: do not edit.

Plain constants with the kernel's names, and tables by name.  What they are
used for stands in the manual pages; who uses them, in pyrunc.plan.  The numbers
of signals and limits are those of all architectures but alpha, mips and sparc.
"""
'''
REALTIME_FIRST, REALTIME_LAST = 34, 64  # as libc numbers them: it keeps two for itself


def wanted() -> list[str]:
    """Every C name whose value is asked for."""
    names = [name for text in CONSTANTS.values() for name in text.split()]
    for _, text, prefix, _ in TABLES.values():
        names += [prefix + name for name in text.split()]
    return names


def ask_compiler(names: list[str]) -> dict[str, int]:
    """The values of those names that the headers know.

    Numbers that are enumerators, not macros, are seen by the second program: a
    name it does not know fails the compilation, so each is tried by itself.
    """
    includes = "".join(
        f"#if __has_include(<{header}>)\n#include <{header}>\n#endif\n" for header in HEADERS.split()
    )
    with tempfile.TemporaryDirectory() as scratch:
        known = [name for name in names if name in macros(includes, names, scratch)]
        known += [name for name in names if name not in known and compiles(includes, name, scratch)]
        lines = "".join(f'printf("{name} %lld\\n", (long long)({name}));\n' for name in known)
        text = run_program(f"{includes}#include <stdio.h>\nint main(void) {{\n{lines}return 0; }}\n", scratch)
    return {name: int(value) for name, value in (line.split() for line in text.splitlines())}


def macros(includes: str, names: list[str], scratch: str) -> set[str]:
    """Those of the names that are macros."""
    source = write_source(
        includes + "".join(f"#ifdef {name}\nmacro_{name}_\n#endif\n" for name in names), scratch
    )
    command = [*compiler(), "-D_GNU_SOURCE", "-E", "-P", source]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return set(re.findall(r"^macro_(\w+)_$", output, re.MULTILINE))


def compiles(includes: str, name: str, scratch: str) -> bool:
    """Whether the name is an enumerator (or anything with a value)."""
    source = write_source(f"{includes}long long value(void) {{ return {name}; }}\n", scratch)
    command = [*compiler(), "-D_GNU_SOURCE", "-fsyntax-only", source]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def write_source(text: str, scratch: str) -> str:
    """Store C text; returns its path."""
    path = os.path.join(scratch, "ask.c")
    Path(path).write_text(text)
    return path


def run_program(text: str, scratch: str) -> str:
    """Compile and run; returns what it prints."""
    program = os.path.join(scratch, "ask")
    run_compiler(["-D_GNU_SOURCE", write_source(text, scratch), "-o", program])
    return subprocess.run([program], check=True, capture_output=True, text=True).stdout


def values() -> dict[str, int]:
    """All values; BuildError for a name that nobody knows."""
    names = wanted()
    found = NEWER | ask_compiler(names)
    missing = [name for name in names if name not in found]
    if missing:
        raise BuildError(f"these headers do not know: {' '.join(missing)}")
    return found


def realtime_signals() -> dict[str, int]:
    """RTMIN, RTMIN+1 ... RTMAX-1, RTMAX: each number under the name it is nearer to, both ends under both."""
    span = REALTIME_LAST - REALTIME_FIRST
    names = {"RTMIN": REALTIME_FIRST}
    names |= {f"RTMIN+{distance}": REALTIME_FIRST + distance for distance in range(1, span + 1)}
    names |= {f"RTMAX-{distance}": REALTIME_LAST - distance for distance in range(span, 0, -1)}
    return names | {"RTMAX": REALTIME_LAST}


def render_table(name: str, comment: str, entries: dict[str, int]) -> str:
    """One dict literal."""
    lines = "".join(f'    "{key}": {number},\n' for key, number in entries.items())
    return f"\n# {comment}\n{name} = {{\n{lines}}}\n"


def render() -> str:
    """The whole module."""
    found = values()
    parts = [HEAD]
    for heading, text in CONSTANTS.items():
        names = text.split()
        parts.append(
            f"\n# {heading}\n" + "".join(f"{name} = {found[name] & 0xFFFFFFFF:#x}\n" for name in names)
        )
    for table, (comment, text, prefix, key_prefix) in TABLES.items():
        entries = {key_prefix + name: found[prefix + name] for name in text.split()}
        if table == "SIGNALS":
            entries |= realtime_signals()
        parts.append(render_table(table, comment, entries))
    return "".join(parts)


def main(arguments: list[str]) -> int:
    """Write or check; returns the exit code."""
    try:
        text = render()
    except BuildError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if arguments == ["--check"]:
        if TARGET.read_text() == text:
            return 0
        print(f"{TARGET} is out of date: run csrc/generate_linux.py", file=sys.stderr)
        return 1
    TARGET.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
