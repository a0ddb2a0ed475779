"""Which plans are kept as text, and how that text is made."""

from __future__ import annotations

import json
from pathlib import Path

from pyrunc.errors import PyruncError
from pyrunc.host.facts import Facts
from pyrunc.plan.create import plan_create
from pyrunc.plan.exec import ExecOptions, plan_exec
from pyrunc.plan.options import CreateOptions
from pyrunc.plan.plan import Plan
from pyrunc.plan.render import render_text
from pyrunc.spec.load import load_bundle, load_process
from pyrunc.state.record import Record

FIXTURES = Path(__file__).parents[2] / "spec-fixtures"
PLANS = FIXTURES / "plans"
BUNDLES = sorted(path.name for path in (FIXTURES / "bundles").iterdir())
ENGINES = tuple(name for name in BUNDLES if name.startswith(("ctr-", "docker-", "podman-")))

# Profile of facts -> the bundles that are planned under it.
PROFILES = {
    "v2-root": tuple(BUNDLES),
    "v1-hybrid": (*ENGINES, *(name for name in BUNDLES if name.startswith(("cgroups-", "resources-", "namespaces-")))),
    "v2-rootless-delegated": (
        "default-rootless", "hooks", "podman-rootless-keepid", "user-namespace", "user-namespace-joined",
    ),
    "v2-userns-undelegated": (
        "default-rootless", "devices", "docker-default", "podman-rootless", "podman-rootless-keepid",
        "podman-rootless-privileged",
    ),
    "apparmor": ("default", "process-privileges"),
}  # fmt: skip
EXECS = {
    "ctr-exec": "ctr-default",
    "docker-exec-tty": "docker-default",
    "podman-exec-tty": "podman-rootless-keepid",
}


def all_files() -> dict[str, tuple[str, str]]:
    """Name below PLANS -> (profile or "exec", bundle or process)."""
    files = {f"{profile}/{bundle}.txt": (profile, bundle) for profile in PROFILES for bundle in PROFILES[profile]}
    return files | {f"exec/{process}.txt": ("exec", process) for process in EXECS}


def load_facts(profile: str) -> Facts:
    """A profile of spec-fixtures/facts."""
    return Facts.from_json(json.loads((FIXTURES / "facts" / f"{profile}.json").read_text()))


def make_plan(profile: str, name: str) -> Plan:
    """One of the plans that are kept."""
    if profile == "exec":
        return _exec_plan(name)
    options = CreateOptions("example", "/bundle", "/run/pyrunc/example")
    options.pid_file = "/run/example.pid"
    return plan_create(load_bundle(str(FIXTURES / "bundles" / name)).config, load_facts(profile), options)


def _exec_plan(name: str) -> Plan:
    config = load_bundle(str(FIXTURES / "bundles" / EXECS[name])).config
    record = Record("example", "/bundle")
    record.cgroup = {"driver": "cgroupfs", "version": 1, "paths": {"pids": "/sys/fs/cgroup/pids/example"}}
    options = ExecOptions(config.get("linux", {}))
    options.pid_file = "/run/example.pid"
    return plan_exec(load_process(str(FIXTURES / "processes" / f"{name}.json")), record, load_facts("v1-hybrid"), options)


def text_of(profile: str, name: str) -> str:
    """What a file of PLANS holds: the plan, or why there is none."""
    try:
        plan = make_plan(profile, name)
    except PyruncError as error:
        return f"{type(error).__name__}: {error.text}   # {error.pointer}\n"
    lines = [render_text(plan)]
    lines += [f"provided     {slot}\n" for slot in plan.provided]
    lines += [
        f"mappings     {slot}: uid_map {uids!r}, gid_map {gids!r}\n"
        for slot, (uids, gids) in plan.user_namespaces.items()
    ]
    lines += [f"warning      {text}\n" for text in plan.warnings]
    return "".join(lines)
