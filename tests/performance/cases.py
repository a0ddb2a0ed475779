"""What is measured: the table of cases, as commands of a runtime.

Commands are separated by ` , ` and get the runtime's program in front, but for
`wait` (until the container has ended), `{forget}`, and those that begin with `!`.
A `-` in front of it all: whether it fails does not matter.  `{id}` is the container, `{NAME}` the
bundle of that name (see bundles.py), `{caches}` what the runtime keeps of
seccomp filters, `{forget}` the command that drops the runtime's own files from
the page cache.
"""

from __future__ import annotations

from dataclasses import dataclass

GONE = "-delete --force {id}"
RUNNING = "create -b {sleep} {id} , start {id}"


@dataclass(frozen=True)
class Case:
    """One row: what is timed, what happens untimed before each run, and before and after all of them."""

    title: str
    timed: str
    before_each: str = ""
    setup: str = ""
    bare: bool = False  # an empty start of the interpreter is measured beside it
    containers: int = 1  # this many have the timed commands, or the setup's, done to them, 8 at a time
    each: bool = False  # the figure is the time per container
    rounds: int = 10
    runs: int = 4  # of each round
    about: str = ""


LIST = 500
MANY = 200

CASES = (
    Case("run", "run -b {true} {id}", about="a static `true`, the default configuration"),
    Case(
        "run, cold",
        "run -b {true} {id}",
        before_each="{forget}",
        runs=2,
        about="the runtime's own files dropped from the page cache before each run",
    ),
    Case(
        "create+start+delete",
        "create -b {true} {id} , start {id} , wait , delete {id}",
        about="the container ends by itself",
    ),
    Case(
        "create+start+delete --force",
        f"{RUNNING} , delete --force {{id}}",
        about="the container is still running",
    ),
    Case("exec", "exec {id} /true", setup=RUNNING, bare=True),
    Case("state", "state {id}", setup=RUNNING, bare=True),
    Case("state, cold", "state {id}", before_each="{forget}", setup=RUNNING, runs=2),
    Case("start", "start {id}", before_each=f"{GONE} , create -b {{true}} {{id}}", bare=True),
    Case("kill", "kill {id} CONT", setup=RUNNING, bare=True),
    Case(
        "delete",
        "delete {id}",
        before_each=f"{GONE} , create -b {{true}} {{id}} , start {{id}} , wait",
        bare=True,
    ),
    Case(
        "create, Docker's config, first",
        "create -b {docker} {id}",
        before_each=f"{GONE} , -!/bin/rm -rf {{caches}}",
        about="with Docker's seccomp profile; no compiled filter is kept",
    ),
    Case(
        "create, Docker's config, second",
        "create -b {docker} {id}",
        before_each=GONE,
        about="a runtime that keeps compiled filters has it",
    ),
    Case(
        "create, Docker's config, no filter",
        "create -b {unfiltered} {id}",
        before_each=GONE,
        about="the difference is what seccomp costs",
    ),
    Case("run, 50 mounts", "run -b {mounts} {id}", about="50 bind mounts more"),
    Case("run, 100 masked paths", "run -b {masked} {id}", about="100 masked files more"),
    Case(
        "8 at a time, per container",
        "create -b {hostnet} {id} , start {id} , delete --force {id}",
        containers=MANY,
        each=True,
        rounds=3,
        runs=1,
        about=f"{MANY} containers created, started and deleted; in the host's network, as the kernel "
        "takes network namespaces down slowly",
    ),
    Case(
        f"list, {LIST} containers",
        "list",
        setup="create -b {hostnet} {id} , start {id}",
        containers=LIST,
        runs=2,
        about="running ones",
    ),
)
