"""What the runtime does for an init that waits with its namespaces made; hooks at their points.

Spec: config.md, "POSIX-platform Hooks".

Pure.  Hooks of the runtime's namespaces are run by the runtime, by kind and
index; those of the container's by pyrunc-init.  poststart and poststop are no
part of a plan: `start` and `delete` run them.
"""

from __future__ import annotations

from pyrunc.plan import ops
from pyrunc.plan.ops import Op

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.host.facts import Facts
    from pyrunc.spec.types import Config

RUNTIME_KINDS = ("prestart", "createRuntime")


def plan_environment(config: Config, facts: Facts, id: str) -> list[Op]:
    """Resource groups, network devices, then the runtime's hooks."""
    linux = config.get("linux") or {}
    plan: list[Op] = []
    if "intelRdt" in linux:
        from pyrunc.plan.resctrl import plan_resctrl

        plan += plan_resctrl(linux["intelRdt"], facts, id)
    if linux.get("netDevices"):
        from pyrunc.plan.network import plan_net_devices

        plan += plan_net_devices(linux["netDevices"], facts)
    return plan + plan_runtime_hooks(config)


def plan_runtime_hooks(config: Config) -> list[Op]:
    """prestart, then createRuntime."""
    hooks = config.get("hooks") or {}
    return [
        ops.run_runtime_hook(kind, index).at(f"/hooks/{kind}/{index}")
        for kind in RUNTIME_KINDS
        for index in range(len(hooks.get(kind) or ()))  # type: ignore[arg-type]
    ]


def plan_container_hooks(
    config: Config, kind: str, status: str, id: str, bundle: str, env: list[str]
) -> list[Op]:
    """createContainer or startContainer; a hook without an environment gets the program's, `env`."""
    hooks = (config.get("hooks") or {}).get(kind) or ()
    if not hooks:
        return []
    state = container_state(config, status, id, bundle)
    result = []
    for index, hook in enumerate(hooks):  # type: ignore[var-annotated, arg-type]
        path = hook["path"]
        own = hook.get("env")
        timeout = 1000 * (hook.get("timeout") or 0)
        op = ops.run_hook(path, hook.get("args") or [path], env if own is None else own, timeout, state)
        result.append(op.at(f"/hooks/{kind}/{index}"))
    return result


def container_state(config: Config, status: str, id: str, bundle: str) -> str:
    """The state that hooks read; pyrunc-init puts its pid, which only it knows, where @PID@ stands."""
    from pyrunc.cores import render_json

    state = {"ociVersion": config["ociVersion"], "id": id, "status": status}
    rest: dict[str, object] = {"bundle": bundle}
    if config.get("annotations"):
        rest["annotations"] = config["annotations"]
    return f'{render_json(state)[:-1]},"pid":@PID@,{render_json(rest)[1:]}'
