"""The MUSTs of the specification that a schema cannot say.

One small function per rule; RULES, at the end, says which part of the
configuration each one looks at and which section of the specification it
enforces.  The rules of `linux` are in `rules_linux`, but for those of network
devices and intelRdt.  All of them rely on the schema: types and ranges of
single values are never looked at again here.
"""

from __future__ import annotations

from pyrunc.errors import SpecError
from pyrunc.spec import NEWEST, rules_linux
from pyrunc.spec.schema import escape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    Found = Iterator[tuple[str, str]]  # JSON pointer below the value looked at, what is wrong
    Rule = Callable[[Any, dict[str, Any]], Found]

SUPPORTED_MAJOR = "1"
ROOTS = {"config": (), "process": ("process",), "resources": ("linux", "resources")}


def nest(value: Any, kind: str) -> dict[str, Any]:
    """A document of one kind (a key of ROOTS) as the configuration that it is a part of."""
    for name in reversed(ROOTS[kind]):
        value = {name: value}
    nested: dict[str, Any] = value
    return nested


def check_rules(
    config: dict[str, Any], only: tuple[str, ...] = (), tolerant: bool = False
) -> Iterator[SpecError]:
    """Every rule that `config` breaks, in the order of RULES.

    only: what the paths of the rules begin with.  tolerant: the schema
    was not kept to, so a rule that stumbles over a value of another type says nothing.
    """
    for path, section, rule in RULES:
        if path[: len(only)] != only:
            continue
        value: Any = config
        for name in path:
            value = value.get(name) if type(value) is dict else None
            if value is None:
                break
        else:
            try:
                for below, text in rule(value, config):
                    pointer = "".join(f"/{name}" for name in path) + below
                    yield SpecError(f"{text} ({section})", pointer=pointer)
            except (TypeError, KeyError, ValueError, AttributeError):
                if not tolerant:
                    raise


# --- the document -----------------------------------------------------------------


def version(value: str, config: dict[str, Any]) -> Found:
    """A SemVer 2.0.0 version of the major version that we know."""
    release, plus, build = value.partition("+")
    core, dash, candidate = release.partition("-")
    numbers = core.split(".")
    if (
        len(numbers) != 3
        or not all(_is_number(number) for number in numbers)
        or (dash and not all(_is_identifier(part) for part in candidate.split(".")))
        or (plus and not all(_is_identifier(part, build=True) for part in build.split(".")))
    ):
        yield "", f'"{value}" is not a semantic version such as "{NEWEST}"'
    elif numbers[0] != SUPPORTED_MAJOR:
        yield "", f'version "{value}" is not supported; allowed: {SUPPORTED_MAJOR}.x.y'


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and (text == "0" or text[0] != "0")


def _is_identifier(text: str, build: bool = False) -> bool:
    if not (text.isascii() and text.replace("-", "0").isalnum()):
        return False
    return build or not text.isdecimal() or _is_number(text)


# --- process ----------------------------------------------------------------------


def rlimits(value: list[dict[str, Any]], config: dict[str, Any]) -> Found:
    """Each type once; no soft limit above its hard limit."""
    seen = set()
    for index, limit in enumerate(value):
        if limit["type"] in seen:
            yield f"/{index}/type", f"duplicate {limit['type']}; allowed: each type once"
        seen.add(limit["type"])
        if limit["soft"] > limit["hard"]:
            yield f"/{index}/soft", f"soft limit {limit['soft']} is above the hard limit {limit['hard']}"


def console_size(value: dict[str, Any], config: dict[str, Any]) -> Found:
    """What fits into struct winsize; without a terminal the size is ignored."""
    if config["process"].get("terminal"):
        for name in ("height", "width"):
            if value[name] > 65535:
                yield f"/{name}", f"found {value[name]}; allowed: 0 to 65535"


def scheduler(value: dict[str, Any], config: dict[str, Any]) -> Found:
    """Each policy takes its own parameters; the kernel would ignore or refuse the others."""
    policy = value["policy"]
    if policy == "SCHED_ISO":
        yield "/policy", "SCHED_ISO is not supported: Linux reserves the name but has no such policy"
    if value.get("nice") and policy not in ("SCHED_OTHER", "SCHED_BATCH"):
        yield "/nice", f"{policy} takes no nice value; SCHED_OTHER and SCHED_BATCH do"
    priority = value.get("priority", 0)
    if policy in ("SCHED_FIFO", "SCHED_RR"):
        if priority < 1:
            yield "/priority", f"found {priority}; allowed with {policy}: 1 to 99"
    elif priority:
        yield "/priority", f"{policy} takes no priority; SCHED_FIFO and SCHED_RR do"
    runtime, deadline, period = (value.get(name, 0) for name in ("runtime", "deadline", "period"))
    if policy != "SCHED_DEADLINE":
        for name in ("runtime", "deadline", "period"):
            if value.get(name):
                yield f"/{name}", f"{policy} takes no {name}; SCHED_DEADLINE does"
    elif not (0 < runtime <= deadline and (period == 0 or deadline <= period)):
        found = f"runtime {runtime}, deadline {deadline}, period {period}"
        yield "", f"found {found}; allowed: 0 < runtime <= deadline <= period"


def affinity(value: dict[str, Any], config: dict[str, Any]) -> Found:
    """CPU lists that can be parsed."""
    for name in ("initial", "final"):
        yield from rules_linux.number_list(value, name)


# --- mounts -----------------------------------------------------------------------


def is_bind(mount: Mapping[str, Any]) -> bool:
    """Whether an entry of `mounts` shows what is at its source: by an option, or by a type `bind`."""
    options = mount.get("options", ())
    return mount.get("type") == "bind" or "bind" in options or "rbind" in options


def mounts(value: list[dict[str, Any]], config: dict[str, Any]) -> Found:
    """What to mount must be named."""
    for index, mount in enumerate(value):
        if "remount" in mount.get("options", ()):
            continue
        if is_bind(mount):
            if not mount.get("source"):
                yield f"/{index}", "a bind mount needs a source"
        elif not mount.get("type"):
            yield f"/{index}", "a mount that is no bind mount needs a type"


def mount_mappings(value: list[dict[str, Any]], config: dict[str, Any]) -> Found:
    """Both kinds of mappings or none; idmap without mappings needs the container's user namespace."""
    for index, mount in enumerate(value):
        uids, gids = mount.get("uidMappings"), mount.get("gidMappings")
        if bool(uids) != bool(gids):
            given, missing = ("uidMappings", "gidMappings") if uids else ("gidMappings", "uidMappings")
            yield f"/{index}/{given}", f"{given} without {missing}; allowed: both or none"
        for name, mappings in (("uidMappings", uids), ("gidMappings", gids)):
            if mappings:
                for below, text in rules_linux.mappings(mappings, config):
                    yield f"/{index}/{name}{below}", text
        if not uids and not gids:
            for option in mount.get("options", ()):
                if option in ("idmap", "ridmap") and not rules_linux.has_namespace(config, "user"):
                    yield (
                        f"/{index}/options",
                        f"{option} needs uidMappings and gidMappings, or a user namespace for the container",
                    )


# --- network devices and resource control groups ---------------------------------------


def net_devices(value: dict[str, Any], config: dict[str, Any]) -> Found:
    """They need a network namespace to go to, and different names there."""
    if value and not rules_linux.has_namespace(config, "network"):
        yield "", "network devices need a network namespace of the container's own"
    taken: dict[str, str] = {}
    for device, entry in value.items():
        name = (entry or {}).get("name") or device
        below = f"/{escape(device)}"
        if name.replace("%d", "", 1).count("%"):
            yield f"{below}/name", f'"{name}" is no device name; allowed: one %d and no other %'
        elif "%" not in name and name in taken:
            yield below, f'"{name}" is the name of {taken[name]} too; allowed: each name once'
        taken[name] = device


def intel_rdt(value: dict[str, Any], config: dict[str, Any]) -> Found:
    """closID is "/" or one directory's name, and no file of the kernel's."""
    name = value.get("closID") or ""
    if name != "/" and ("/" in name or name in (".", "..", "info", "mon_groups", "mon_data")):
        yield "/closID", f'"{name}" cannot be a class of service; allowed: "/" or the name of a directory'


# --- the table --------------------------------------------------------------------

RULES: tuple[tuple[tuple[str, ...], str, Rule], ...] = (
    (("ociVersion",), "config.md#specification-version", version),
    (("process", "rlimits"), "config.md#posix-process", rlimits),
    (("process", "consoleSize"), "config.md#process", console_size),
    (("process", "scheduler"), "config.md#linux-process", scheduler),
    (("process", "execCPUAffinity"), "config.md#linux-process", affinity),
    (("mounts",), "config.md#mounts", mounts),
    (("mounts",), "config.md#posix-platform-mounts", mount_mappings),
    *rules_linux.RULES,
    (("linux", "netDevices"), "config-linux.md#network-devices", net_devices),
    (("linux", "intelRdt"), "config-linux.md#intelrdt", intel_rdt),
)
