"""features: what this runtime implements, whatever the host (runtime-spec features.md)."""

from __future__ import annotations

from pyrunc import __version__
from pyrunc.execute.seccomp import ACTIONS, OPERATORS
from pyrunc.linux import CAPABILITIES, SECCOMP_FLAGS
from pyrunc.plan.mount_options import known_options
from pyrunc.plan.namespaces import FLAGS
from pyrunc.spec import NEWEST, OLDEST
from pyrunc.spec.schema_table import LINUX_MEMORYPOLICY, SECCOMP_ARCHITECTURE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyrunc.operations import Context

ANNOTATIONS = (
    "org.criu.config",
    "org.systemd.property.",
    "run.oci.hooks.stderr",
    "run.oci.hooks.stdout",
    "run.oci.keep_original_groups",
    "run.oci.pidfd_receiver",
)
"""Those that change what is done; a dot at the end stands for all that begin so."""
HOOKS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")


def features(context: Context) -> dict[str, object]:
    """The features structure, made from the tables that the planner works with."""
    return {
        "ociVersionMin": OLDEST,
        "ociVersionMax": NEWEST,
        "hooks": list(HOOKS),
        "mountOptions": known_options(),
        "linux": _linux(),
        "annotations": {
            "pyrunc.version": __version__,  # the specification keeps org.opencontainers to itself
            "org.opencontainers.runc.checkpoint.enabled": "true",  # as runc and crun say it
        },
        "potentiallyUnsafeConfigAnnotations": list(ANNOTATIONS),
    }


def _linux() -> dict[str, Any]:
    policy = memory_policies()
    return {
        "namespaces": sorted(FLAGS),
        "capabilities": list(CAPABILITIES),
        "cgroup": {"v1": True, "v2": True, "systemd": True, "systemdUser": True, "rdma": True},
        "seccomp": {
            "enabled": True,
            "actions": sorted(ACTIONS),
            "operators": sorted(OPERATORS),
            "archs": sorted(SECCOMP_ARCHITECTURE[1]),
            "knownFlags": sorted(SECCOMP_FLAGS),
            "supportedFlags": sorted(SECCOMP_FLAGS),
        },
        "apparmor": {"enabled": True},
        "selinux": {"enabled": True},
        "intelRdt": {"enabled": True, "schemata": True, "monitoring": True},
        "memoryPolicy": {"modes": policy["mode"], "flags": policy["flags"]},
        "mountExtensions": {"idmap": {"enabled": True}},
        "netDevices": {"enabled": True},
    }


def memory_policies() -> dict[str, list[str]]:
    """Modes and flags of memoryPolicy, as the schema lists them."""
    schema: Any = LINUX_MEMORYPOLICY
    properties = schema[1]
    return {"mode": sorted(properties["mode"][1]), "flags": sorted(properties["flags"][1][1])}
