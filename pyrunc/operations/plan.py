"""plan: the operations that create would carry out."""

from __future__ import annotations

import os

from pyrunc.errors import SpecError, UsageError
from pyrunc.host.facts import Facts, probe_facts
from pyrunc.operations.create import compile_seccomp
from pyrunc.plan.create import CreateOptions, plan_create
from pyrunc.spec.load import load_bundle
from pyrunc.state.store import check_id, reason_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.operations import Context
    from pyrunc.plan.plan import Plan


def plan(
    context: Context, bundle: str = "", id: str = "", *, facts: str = "", no_pivot: bool = False
) -> Plan:
    """The plan for `bundle` on this host, or on the one that the file `facts` describes.

    Needs no rights and changes nothing.  Without an id it is planned for `ID`.
    """
    id = id or "ID"
    check_id(id)
    loaded = load_bundle(os.path.abspath(bundle or "."))
    options = CreateOptions(
        id=id,
        bundle=os.path.abspath(bundle or "."),
        state_dir=f"{context.root}/{id}",
        systemd_cgroup=context.systemd_cgroup,
        no_pivot=no_pivot,
        seccomp_program=compile_seccomp(loaded.config),
    )
    host = read_facts(facts) if facts else probe_facts(loaded.config)
    return plan_create(loaded.config, host, options)


def read_facts(path: str) -> Facts:
    """Facts from a JSON file."""
    from pyrunc.cores import parse_json

    try:
        with open(path, "rb") as file:
            return Facts.from_json(parse_json(file.read()))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {reason_of(error)}", path=path) from error
    except (ValueError, KeyError) as error:
        raise SpecError(f"{path} holds no facts: {error}", path=path) from error
