"""Random configurations from the schema: the planner never stumbles, waits for ever or loses a property."""

from __future__ import annotations

import copy
import fnmatch
from collections.abc import Callable
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from pyrunc.errors import PyruncError
from pyrunc.host.facts import Facts
from pyrunc.plan.create import plan_create
from pyrunc.plan.exec import ExecOptions, plan_exec
from pyrunc.plan.mounts import NO_LABEL
from pyrunc.plan.options import CreateOptions
from pyrunc.plan.plan import Plan, simulate
from pyrunc.plan.render import render_text
from pyrunc.plan.wire import encode_plan
from pyrunc.spec.rules import is_bind
from pyrunc.state.record import Record
from tests.golden.plans import PROFILES, load_facts
from tests.source.test_no_property_is_ignored import ELSEWHERE, hosts, name_of

from .from_schema import Place, at, cut, heal, places, valid_configs

some = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
OPTIONS = ("example", "/bundle", "/run/example")


HOSTS = {profile: load_facts(profile) for profile in PROFILES} | {f"all {n}": host for n, host in enumerate(hosts())}


@st.composite
def create_options(draw: st.DrawFn) -> CreateOptions:
    """What a caller may ask for; most ask for nothing."""
    options = CreateOptions(*OPTIONS)
    for name in draw(st.sets(st.sampled_from(["no_cgroup", "no_new_keyring", "no_pivot", "systemd_cgroup"]))):
        setattr(options, name, True)
    for name in draw(st.sets(st.sampled_from(["notify_socket", "pid_file", "pidfd_socket"]))):
        setattr(options, name, "/x")
    options.listen_fds, options.preserve_fds = draw(st.integers(0, 1)), draw(st.integers(0, 1))
    return options


@some
@given(valid_configs(), st.sampled_from(sorted(HOSTS)), create_options())
def test_planner_answers_on_every_host(config: dict[str, Any], host: str, asked: CreateOptions) -> None:
    """Plans that end; or an error that points into the configuration, which has plans without what it points at."""
    facts = HOSTS[host]
    asked.systemd_cgroup = asked.systemd_cgroup and facts.systemd
    config = copy.deepcopy(config)
    for plan in plans_of(config, facts, asked):
        order = simulate(plan)
        assert len(order) == len(set(order)) == len(plan.init) + len(plan.runtime)
        assert len(render_text(plan).splitlines()) == len(order)
        encode_plan(plan, dict.fromkeys(plan.provided, 9))


def plans_of(config: dict[str, Any], facts: Facts, asked: CreateOptions) -> list[Plan]:
    """The plans of a create and an exec; what this host cannot do is cut out of `config`."""
    while True:
        try:
            plans = [plan_create(config, facts, asked)]  # type: ignore[arg-type]
            if "process" in config:
                options = ExecOptions(config.get("linux") or {})
                plans.append(plan_exec(config["process"], Record(*OPTIONS[:2]), facts, options))
            return plans
        except PyruncError as error:
            assert error.pointer, error.text
            assume(cut(config, error.pointer) and heal(config))


class Noting(dict[str, Any]):
    """A part of a configuration that notes which of its values are read."""

    def __init__(self, value: dict[str, Any], place: Place, seen: set[Place]) -> None:
        super().__init__({key: noting(item, (*place, key), seen) for key, item in value.items()})
        self.place, self.seen = place, seen

    def __getitem__(self, key: str) -> Any:
        self.seen.add((*self.place, key))
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.seen.add((*self.place, key))
        return super().get(key, default)

    def copy(self) -> Noting:
        """A shallow copy that notes for this one."""
        made = Noting({}, self.place, self.seen)
        for key in self:
            dict.__setitem__(made, key, super().__getitem__(key))
        return made

    def items(self) -> Any:
        self.seen |= {(*self.place, key) for key in self}
        return super().items()

    def values(self) -> Any:
        self.seen |= {(*self.place, key) for key in self}
        return super().values()


def noting(value: Any, place: Place, seen: set[Place]) -> Any:
    """A copy that notes; the items of a list are read with it."""
    if isinstance(value, dict):
        return Noting(value, place, seen)
    if isinstance(value, list):
        return [noting(item, (*place, index), seen) for index, item in enumerate(value)]
    return value


Predicate = Callable[[dict[str, Any], Any], bool]


def _no_process(config: dict[str, Any], holder: Any) -> bool:
    return "process" not in config


def _new_user_namespace(config: dict[str, Any], holder: Any) -> bool:
    return {"type": "user"} in config.get("linux", {}).get("namespaces", ())


def _no_listener(config: dict[str, Any], holder: Any) -> bool:
    seccomp = config["linux"]["seccomp"]
    actions = [seccomp["defaultAction"], *[rule["action"] for rule in seccomp.get("syscalls") or ()]]
    return "process" not in config or "SCMP_ACT_NOTIFY" not in actions


def _takes_label(mount: dict[str, Any]) -> bool:
    bound = mount.get("type") == "bind" or {"bind", "rbind"} & set(mount.get("options", ()))
    return not bound and mount["type"] not in NO_LABEL and "remount" not in mount.get("options", ())


def _in_a_bound_dev(config: dict[str, Any], device: dict[str, Any]) -> bool:
    bound = any(is_bind(mount) and mount["destination"].strip("/") == "dev" for mount in config.get("mounts", ()))
    return bound and str(device["path"]).startswith("/dev/")


NOTHING_TO_DO: dict[str, Predicate] = {  # where a property means nothing, and nobody need read it
    "process/consoleSize/*": lambda config, holder: not config["process"].get("terminal"),
    "linux/personality/*": _no_process,
    "linux/memoryPolicy/*": _no_process,
    "linux/seccomp/listener*": _no_listener,
    "linux/mountLabel": lambda config, holder: not any(map(_takes_label, config.get("mounts", ()))),
    "linux/devices/*": _in_a_bound_dev,
    "linux/devices/*/fileMode": _new_user_namespace,  # where a device is the host's, bound
    "linux/devices/*/uid": _new_user_namespace,
    "linux/devices/*/gid": _new_user_namespace,
    "linux/resources/blockIO/weightDevice/*": lambda config, holder: not holder.get("weight"),
    "mounts/*/source": lambda config, holder: (
        holder.get("type") in ("cgroup", "cgroup2") or "remount" in holder.get("options", ())
    ),
}


def means_something(config: dict[str, Any], place: Place) -> bool:
    """Whether a property has something to act on in this configuration."""
    name = name_of(place)
    if any(fnmatch.fnmatchcase(name, pattern) for pattern in ELSEWHERE):
        return False
    holder = at(config, place[:-1])
    return not any(
        fnmatch.fnmatchcase(name, pattern) and nothing(config, holder)
        for pattern, nothing in NOTHING_TO_DO.items()
    )


@some
@given(valid_configs(), st.sampled_from([0, 1]))
def test_no_property_is_lost(config: dict[str, Any], host: int) -> None:
    """On a host that has everything each value is read by the planner, unless it has its effect later."""
    facts = hosts()[host]
    seen: set[Place] = set()
    while True:
        try:
            plan_create(noting(config, (), seen), facts, CreateOptions(*OPTIONS))
            break
        except PyruncError as error:  # what even such a host cannot do; the rest must have its effect
            assume(cut(config, error.pointer) and heal(config))
            seen.clear()
    values = [place for place in places(config) if isinstance(place[-1], str)]
    lost = [
        place
        for place in values
        if place not in seen
        and not isinstance(at(config, place), (dict, list))
        and means_something(config, place)
    ]
    assert not lost
