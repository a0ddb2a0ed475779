"""The bundles that are measured, the same ones for every runtime.

Their version is 1.0.2, which the oldest peer takes too.
"""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from pyrunc.spec.defaults import default_config

ROOT = Path(__file__).resolve().parents[2]
VERSION = "1.0.2"
PROGRAMS = {
    "true": "int main(void) { return 0; }\n",
    "sleep": "#include <unistd.h>\nint main(void) { for (;;) pause(); }\n",
}
MOUNTS = 50
MASKED = 100

Config = dict[str, Any]


def compile_static(source: str, target: Path) -> Path:
    """A static program, from musl where there is musl-gcc."""
    compiler = shutil.which("musl-gcc") or shutil.which("gcc") or "cc"
    command = [compiler, "-static", "-Os", "-s", "-x", "c", "-", "-o", str(target)]
    subprocess.run(command, input=source.encode(), check=True)
    return target


def make_bundles(directory: Path) -> dict[str, Path]:
    """Every bundle that the cases name, by name."""
    programs = {name: compile_static(source, directory / name) for name, source in PROGRAMS.items()}
    made = {}
    for name, config in _configs(directory).items():
        bundle = made[name] = directory / f"bundle-{name}"
        rootfs = bundle / "rootfs"
        for folder in ("proc", "dev", "sys", "etc", "mounts", "masked"):
            (rootfs / folder).mkdir(parents=True)
        for program in programs.values():
            shutil.copy(program, rootfs)
        for number in range(MOUNTS):
            (rootfs / f"mounts/{number}").mkdir()
        for number in range(MASKED):
            (rootfs / f"masked/{number}").touch()
        (bundle / "config.json").write_text(json.dumps(config))
    return made


def limit_memory(bundle: Path, limit: int, target: Path) -> Path:
    """A bundle at `target` like `bundle`, with memory and swap limited to `limit` bytes."""
    config = json.loads((bundle / "config.json").read_text())
    config["linux"]["resources"]["memory"] = {"limit": limit, "swap": limit}
    config["root"]["path"] = str(bundle / "rootfs")
    target.mkdir(exist_ok=True)
    (target / "config.json").write_text(json.dumps(config))
    return target


def _configs(directory: Path) -> dict[str, Config]:
    unified = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    base = default_config(unified=unified) | {"ociVersion": VERSION}
    base["process"] |= {"terminal": False, "args": ["/true"]}
    configs = {name: copy.deepcopy(base) for name in ("true", "sleep", "mounts", "masked", "hostnet")}
    for name in ("sleep", "hostnet"):
        configs[name]["process"]["args"] = ["/sleep"]
    source = directory / "source"
    source.mkdir()
    bind = {"type": "bind", "source": str(source), "options": ["bind", "ro"]}
    configs["mounts"]["mounts"] += [{"destination": f"/mounts/{number}", **bind} for number in range(MOUNTS)]
    configs["masked"]["linux"]["maskedPaths"] += [f"/masked/{number}" for number in range(MASKED)]
    configs["hostnet"]["linux"]["namespaces"] = [
        entry for entry in base["linux"]["namespaces"] if entry["type"] != "network"
    ]
    configs["docker"] = _docker(directory)
    configs["unfiltered"] = copy.deepcopy(configs["docker"])
    del configs["unfiltered"]["linux"]["seccomp"]
    return configs


def _docker(directory: Path) -> Config:
    """What dockerd wrote for a container without options, its files replaced by an empty one."""
    path = ROOT / "spec-fixtures/bundles/docker-default/config.json"
    config: Config = json.loads(path.read_text())
    config["ociVersion"] = VERSION
    config["process"]["args"] = ["/sleep"]
    del config["linux"]["cgroupsPath"]
    file = directory / "empty"
    file.touch()
    for mount in config["mounts"]:
        if mount["type"] == "bind":
            mount["source"] = str(file)
    return config
