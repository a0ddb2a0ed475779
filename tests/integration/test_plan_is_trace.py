"""The plan that `pyrunc plan` prints is what create carries out, operation by operation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.harness import CHECKOUT, Box, Bundle

pytestmark = pytest.mark.root


@pytest.fixture(autouse=True)
def ours(box: Box) -> None:
    if not box.runtime.is_ours:
        pytest.skip("pyrunc's own plan")


def rest(bundle: Bundle) -> None:
    """Nothing but the default."""


def user(bundle: Bundle) -> None:
    bundle.user_namespace()


def hooks(bundle: Bundle) -> None:
    for kind in ("prestart", "createRuntime", "createContainer"):
        bundle.hook(kind, "true")


def attributes(bundle: Bundle) -> None:
    bundle.process["rlimits"] = [{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]
    bundle.process["user"] = {"uid": 7, "gid": 7}
    bundle.process["noNewPrivileges"] = True
    bundle.process["oomScoreAdj"] = 100
    bundle.linux["maskedPaths"] = ["/proc/kcore"]
    bundle.linux["readonlyPaths"] = ["/proc/sys"]
    bundle.linux["sysctl"] = {"kernel.shmmax": "10000"}
    bundle.linux["seccomp"] = {
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{"names": ["acct"], "action": "SCMP_ACT_ERRNO"}],
    }
    bundle.config["root"]["readonly"] = True


def mounts(bundle: Bundle) -> None:
    bundle.mount("/m/a", "bind", "/usr", "rbind", "ro")
    bundle.mount("/m/b", "tmpfs", "tmpfs", "ro", "size=1m")
    bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", "ro")


def all_new(bundle: Bundle) -> None:
    for kind in ("cgroup", "time", "uts", "network"):
        bundle.namespace(kind)


@pytest.mark.parametrize("change", [rest, user, hooks, attributes, mounts, all_new])
def test_trace_equals_plan(box: Box, change: Any) -> None:
    bundle = box.bundle()
    change(bundle)
    check(box, bundle)


CONFIGS = CHECKOUT / "spec-fixtures" / "bundles"


@pytest.mark.parametrize("name", ["ctr-default", "docker-default", "podman-default"])
def test_trace_of_engines(box: Box, name: str) -> None:
    config = json.loads((CONFIGS / name / "config.json").read_text())
    config["mounts"] = [mount for mount in config["mounts"] if mount["type"] != "bind"]
    config["root"] = {"path": "rootfs"}
    config["linux"]["cgroupsPath"] = ""
    config.pop("hooks", None)
    bundle = box.bundle(config=config)
    check(box, bundle)


def check(box: Box, bundle: Bundle) -> None:
    """Run the bundle with a trace and compare with its plan, for each actor."""
    name = box.name()
    logged = box.log.stat().st_size if Path(box.log).exists() else 0
    box.run(bundle, name=name, global_flags=("--debug",)).ok()
    trace = [line["msg"] for line in box.log_lines(logged) if line["level"] == "debug"]
    plan = box.call("plan", "--bundle", str(bundle.directory), name).ok().out.splitlines()
    for actor in ("init", "runtime"):
        done = [line for line in trace if line.split()[0] == actor]
        wanted = [line for line in plan if line.split()[0] == actor]
        if actor == "init":  # after the start nobody is there to be told
            start = next(index for index, line in enumerate(wanted) if " await_start(" in line)
            wanted = wanted[: start + 1]
        assert done == wanted
