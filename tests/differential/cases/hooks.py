"""config.md#posix-platform-hooks: the six kinds, what they are given, and their time limit."""

from __future__ import annotations

from tests.harness import Bundle

from . import Case, Lab

KINDS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")


def calls(lab: Lab, kind: str) -> str:
    """Where a hook notes its call; poststart and startContainer are not in a fixed order with the peers."""
    return f"{lab.directory}/{'late' if kind == 'poststart' else ''}calls"


def all_kinds(bundle: Bundle, lab: Lab) -> None:
    """Each hook notes its arguments and environment, and the state on its standard input."""
    bundle.mount(str(lab.directory), "bind", str(lab.directory), "bind")  # startContainer's writes there too
    bundle.config["annotations"] = {"org.example.key": "value"}
    for kind in KINDS:
        script = f'echo "{kind} $0 $1 $KEY" >>{calls(lab, kind)}; cat >{lab.directory}/{kind}'
        bundle.hook(kind, script, env=["PATH=/bin:/usr/bin", f"KEY={kind}"], timeout=20)
        bundle.config["hooks"][kind][-1]["args"] += ["name", "word"]


def in_order(bundle: Bundle, lab: Lab) -> None:
    for word in ("first", "second", "third"):
        bundle.hook("createRuntime", f"cat >/dev/null; echo {word} >>{lab.directory}/calls")
        bundle.hook("poststop", f"cat >/dev/null; echo {word} >>{lab.directory}/calls")


def where(bundle: Bundle, lab: Lab) -> None:
    """In whose mount and network namespace the hooks run, and in which folder."""
    bundle.mount(str(lab.directory), "bind", str(lab.directory), "bind")
    for kind in KINDS:
        script = (
            f"cd {lab.directory}; [ -e /proc/self/cmdline ] && proc=yes || proc=no; [ -e /bin/probe ] && root=container || root=host; "
            f"echo {kind} $proc $root $(ls /proc/self/fd | wc -w) >>{calls(lab, kind)}; cat >/dev/null"
        )
        bundle.hook(kind, script)


def without_environment(bundle: Bundle, lab: Lab) -> None:
    bundle.config["hooks"] = {
        "createRuntime": [
            {"path": "/bin/sh", "args": ["sh", "-c", f"cat >/dev/null; env >{lab.directory}/calls"]}
        ]
    }


def without_arguments(bundle: Bundle, lab: Lab) -> None:
    bundle.config["hooks"] = {"createRuntime": [{"path": "/bin/cat"}]}


def failing(kind: str):  # type: ignore[no-untyped-def]
    return lambda bundle, lab: bundle.hook(kind, "cat >/dev/null; exit 7")


def slow(kind: str):  # type: ignore[no-untyped-def]
    return lambda bundle, lab: bundle.hook(kind, "exec sleep 20", timeout=1)


AFTER_CREATE = (
    "runtime.md#lifecycle: these hooks run after step 2 has made the environment; until then it is creating"
)
START_FAILS = "config.md#startcontainer-hooks, runtime.md#lifecycle: if one fails, the runtime MUST generate an error; start has returned by then"
PID = "runtime.md#state: pid is REQUIRED when created, bundle is the path on the host, the status one of the four"
ROOT = "runtime.md#state: the state MAY include additional properties"
POSTSTOP = "runtime.md#lifecycle: if any poststop hook fails, the runtime MUST log a warning and go on; runc 1.5 makes it an error"
CASES = [
    Case(
        "all",
        all_kinds,
        collect=("calls", "latecalls", *KINDS),
        runc={
            "collected/prestart/status": AFTER_CREATE,
            "collected/createRuntime/status": AFTER_CREATE,
            "collected/createContainer/status": AFTER_CREATE,
            "collected/poststart/status": "config.md#poststart: they MUST be called after the program is executed, so it is running",
            "collected/poststop/pid": "runtime.md#state: pid is REQUIRED while created or running; afterwards 0 says as much as none",
        },
        crun={
            "report/status/SigBlk": "crun leaves SIGCHLD blocked for the program after hooks of the container; no signal is ours",
            "collected/createContainer/pid": PID,
            "collected/startContainer/": PID,
            "collected/prestart/root": ROOT,
            "collected/createRuntime/root": ROOT,
            "collected/createContainer/root": ROOT,
            "collected/poststart/root": ROOT,
            "collected/poststop/root": ROOT,
        },
    ),
    Case("in-order", in_order, collect=("calls",)),
    Case(
        "where",
        where,
        collect=("calls",),
        runc={
            "collected/calls": "runtime-linux.md#file-descriptors: only the standard streams are promised; runc lets its own into createContainer"
        },
    ),
    Case(
        "without-environment",
        without_environment,
        collect=("calls",),
        crun={
            "collected/calls": "without env it is the runtime's environment; crun 1.8 adds a variable of its own"
        },
    ),
    Case("without-arguments", without_arguments),
    Case("prestart-fails", failing("prestart")),
    Case("createRuntime-fails", failing("createRuntime")),
    Case("createContainer-fails", failing("createContainer")),
    Case(
        "startContainer-fails",
        failing("startContainer"),
        difference={"start": START_FAILS},
    ),
    Case(
        "poststart-fails",
        failing("poststart"),
        runc={
            "create": "config.md#poststart: they MUST be called after the program is executed; runc calls them when it creates"
        },
        crun={
            "start": "runtime.md#lifecycle: if any poststart hook fails, the runtime MUST generate an error; crun says nothing"
        },
    ),
    Case(
        "poststop-fails",
        failing("poststop"),
        runc={"newer:delete": POSTSTOP},
    ),
    Case("createRuntime-slow", slow("createRuntime")),
    Case(
        "startContainer-slow",
        slow("startContainer"),
        difference={"start": START_FAILS},
    ),
    Case(
        "poststop-slow",
        slow("poststop"),
        runc={"newer:delete": POSTSTOP},
    ),
]
