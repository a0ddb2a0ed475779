"""plan: the operations that create would carry out."""

from __future__ import annotations

from pyrunc.errors import SpecError, UsageError, reason_of
from pyrunc.host.facts import Facts, probe_facts
from pyrunc.operations.create import compile_seccomp, make_options
from pyrunc.plan.create import plan_create
from pyrunc.spec.load import load_bundle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.operations import Context
    from pyrunc.plan.plan import Plan


def plan(
    context: Context, bundle: str = "", id: str = "", *,
    facts: str = "", no_pivot: bool = False, no_new_keyring: bool = False, preserve_fds: int = 0,
) -> Plan:  # fmt: skip
    """The plan for `bundle` on this host, or on the one that the file `facts` describes.

    Needs no rights and changes nothing: what only root can create is planned for root.  Without an id it is
    planned for `ID`.
    """
    options = make_options(
        context, id or "ID", bundle,
        no_pivot=no_pivot, no_new_keyring=no_new_keyring, preserve_fds=preserve_fds,
    )  # fmt: skip
    loaded = load_bundle(options.bundle)
    options.seccomp_program = compile_seccomp(loaded.config, [])
    host = read_facts(facts) if facts else probe_facts(loaded.config)
    kinds = [entry["type"] for entry in loaded.config.get("linux", {}).get("namespaces", [])]
    if not facts and host.euid != 0 and "user" not in kinds:
        use_root(host)
    return plan_create(loaded.config, host, options)


def use_root(facts: Facts) -> None:
    """What root would find here: without a user namespace nobody else can create the container."""
    facts.euid = 0
    facts.copies_mounts = True
    facts.cgroup_writable = list(facts.cgroup_mounts)


def read_facts(path: str) -> Facts:
    """Facts from a JSON file.  UsageError: it cannot be read; SpecError: it holds something else."""
    from pyrunc.cores import parse_json

    try:
        with open(path, "rb") as file:
            values = parse_json(file.read())
        if not isinstance(values, dict):
            raise ValueError("want an object")
        return Facts.from_json(values)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {reason_of(error)}", path=path) from error
    except (ValueError, KeyError) as error:
        raise SpecError(f"{path} holds no facts: {error}", path=path) from error
