"""config.md#process: user, arguments, environment, limits, capabilities, attributes, exit."""

from __future__ import annotations

from pathlib import Path

from tests.harness import Bundle

from . import Case, Lab, both, drop, mount, put

AMBIENT = {
    name: ["CAP_NET_BIND_SERVICE"]
    for name in ("bounding", "effective", "permitted", "inheritable", "ambient")
}


def args(*words: str):  # type: ignore[no-untyped-def]
    return put("/process/args", list(words))


def not_executable(bundle: Bundle, lab: Lab) -> None:
    bundle.args("/etc/passwd")


def relative_program(bundle: Bundle, lab: Lab) -> None:
    bundle.args("./echo", "found")
    bundle.process["cwd"] = "/bin"


def script_without_interpreter(bundle: Bundle, lab: Lab) -> None:
    (bundle.rootfs / "script").write_text("#!/no/such/interpreter\n")
    (bundle.rootfs / "script").chmod(0o755)
    bundle.args("/script")


def private_folder(bundle: Bundle, lab: Lab) -> None:
    (bundle.rootfs / "private").mkdir(mode=0o700)
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    bundle.process["cwd"] = "/private"


def limits(*entries: tuple[str, int, int]):  # type: ignore[no-untyped-def]
    return put(
        "/process/rlimits",
        [{"type": f"RLIMIT_{name}", "soft": soft, "hard": hard} for name, soft, hard in entries],
    )


NO_LSM = "the host has no such LSM: a warning, as OCI's validation programs expect; runc refuses"
APPARMOR = Path("/sys/module/apparmor/parameters/enabled")
HAVE_APPARMOR = APPARMOR.exists() and APPARMOR.read_text() == "Y\n"
NO_PROFILE = "both refuse; runc hands on the kernel's ENOENT, we say that the profile is not loaded"
HOME = "the specification says nothing of HOME; as runc it is set where it is missing or empty, with a default of /"
CASES = [
    Case("user", put("/process/user", {"uid": 1000, "gid": 1001}), "create:/tmp", "openw:/etc/passwd"),
    Case("user-groups", put("/process/user", {"uid": 1000, "gid": 1000, "additionalGids": [7, 5, 2000]})),
    Case("user-unknown", put("/process/user", {"uid": 4321, "gid": 0})),
    Case("user-negative", put("/process/user", {"uid": -1, "gid": 0})),
    Case("umask", put("/process/user", {"uid": 0, "gid": 0, "umask": 0o27}), "create:/tmp"),
    Case("cwd", put("/process/cwd", "/home/user")),
    Case("cwd-missing", put("/process/cwd", "/not/there")),
    Case(
        "cwd-relative",
        put("/process/cwd", "tmp"),
        crun={"create": "config.md#process: cwd MUST be an absolute path"},
    ),
    Case("cwd-under-file", put("/process/cwd", "/etc/passwd/x")),
    Case("cwd-private", private_folder),
    Case("env-duplicates", put("/process/env", ["PATH=/bin", "A=1", "B=x", "A=2"])),
    Case("env-empty", put("/process/env", [])),
    Case(
        "env-home-from-passwd",
        both(put("/process/env", ["PATH=/bin"]), put("/process/user", {"uid": 1000, "gid": 1000})),
    ),
    Case(
        "env-home-unknown",
        both(put("/process/env", ["PATH=/bin"]), put("/process/user", {"uid": 77, "gid": 77})),
        crun={"report/env": HOME},
    ),
    Case(
        "env-odd-values",
        put("/process/env", ["PATH=/bin", "HOME=", "E=", "EQ=a=b", "S=two words"]),
        crun={"report/env": HOME},
    ),
    Case(
        "env-without-equals",
        put("/process/env", ["PATH=/bin", "NOEQUALS"]),
        crun={
            "create": "config.md#process: env has the semantics of POSIX environ, which is strings of the form name=value"
        },
    ),
    Case("args-from-path", args("sh", "-c", "echo found"), own_args=True),
    Case("args-relative", relative_program, own_args=True),
    Case("args-missing", args("/nonexist"), own_args=True),
    Case("args-not-in-path", args("nonexist"), own_args=True),
    Case("args-not-executable", not_executable, own_args=True),
    Case(
        "args-folder",
        args("/etc"),
        own_args=True,
        runc={"newer:error": "an error either way; ours is that of execve(2), as with runc 1.1"},
    ),
    Case(
        "args-empty",
        args(),
        own_args=True,
        crun={"newer:error": "an error either way; ours says that args may not be empty"},
    ),
    Case(
        "args-bad-interpreter",
        script_without_interpreter,
        own_args=True,
        runc={
            "start": "runtime.md#errors: start that cannot run the program MUST generate an error; runc's start has returned by then"
        },
        crun={
            "start": "runtime.md#start: the runtime MUST run the program; that it could not is an error, crun returns before"
        },
    ),
    Case("exit-code", lambda b, lab: None, "exit:3"),
    Case("exit-255", lambda b, lab: None, "exit:255"),
    Case("exit-by-signal", args("sh", "-c", "kill -9 $$; exit 1"), own_args=True),
    Case(
        "exit-abort",
        both(lambda b, lab: b.without_namespace("pid"), args("sh", "-c", "kill -6 $$")),
        own_args=True,
    ),
    Case(
        "rlimits",
        limits(("NOFILE", 512, 600), ("CORE", 0, 0), ("STACK", 1048576, 8388608), ("NPROC", 500, 600)),
    ),
    Case("rlimit-unknown", limits(("BOGUS", 1, 1))),
    Case(
        "rlimit-twice",
        limits(("NOFILE", 512, 600), ("NOFILE", 100, 200)),
        difference={
            "create": "config.md#posix-process: if rlimits has duplicated entries with same type, the runtime MUST generate an error"
        },
    ),
    Case("rlimit-soft-above-hard", limits(("NOFILE", 600, 512))),
    Case("rlimit-above-ours", limits(("NOFILE", 4000000, 4000000))),
    Case(
        "rlimit-tiny-files",
        limits(("NOFILE", 4, 4)),
        runc={"create": "the limit is the program's; runc needs descriptors of its own after setting it"},
        crun={"create": "the limit is the program's; crun needs descriptors of its own after setting it"},
    ),
    Case("capabilities-none", put("/process/capabilities", {})),
    Case(
        "capabilities-absent",
        drop("/process/capabilities"),
        runc={
            "newer:report/status/Cap": "config.md#linux-process says nothing of an absent object; as runc 1.1, none are given; runc 1.5 gives its own"
        },
    ),
    Case(
        "capabilities-ambient",
        both(put("/process/capabilities", AMBIENT), put("/process/user", {"uid": 1000, "gid": 1000})),
    ),
    Case("capabilities-inheritable", put("/process/capabilities", {**AMBIENT, "ambient": []})),
    Case("capabilities-bounding-only", put("/process/capabilities", {"bounding": ["CAP_CHOWN", "CAP_KILL"]})),
    Case("capabilities-user", put("/process/user", {"uid": 1000, "gid": 1000}), "create:/root"),
    Case("capabilities-unknown", put("/process/capabilities/bounding", ["CAP_CHOWN", "CAP_BOGUS"])),
    Case("new-privileges", put("/process/noNewPrivileges", False)),
    Case("oom-score", put("/process/oomScoreAdj", 321)),
    Case("oom-score-absent", drop("/process/oomScoreAdj")),
    Case("oom-score-too-big", put("/process/oomScoreAdj", 5000)),
    Case("terminal-without-socket", put("/process/terminal", True)),
    Case("console-size-without-terminal", put("/process/consoleSize", {"height": 10, "width": 20})),
    Case("keyring-kept", lambda b, lab: None, flags=("--no-new-keyring",)),
    Case(
        "apparmor-absent-lsm",
        put("/process/apparmorProfile", "some-profile"),
        difference={"error": NO_PROFILE} if HAVE_APPARMOR else {"create": NO_LSM},
    ),
    Case(
        "selinux-absent-lsm",
        put("/process/selinuxLabel", "system_u:system_r:container_t:s0"),
        difference={"create": NO_LSM},
    ),
    Case("tmp-as-home", both(put("/process/cwd", "/data"), mount("/data", "tmpfs", "tmpfs", "mode=1777"))),
    Case("no-pivot", lambda b, lab: None, "list:/", flags=("--no-pivot",)),
]
