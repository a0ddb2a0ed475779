"""A bundle directory as a value: the base config, changed step by step, and a root of its own."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tests import rootfs


class Bundle:
    """A bundle directory with its own copy of the busybox root; change `config`, it is written at use."""

    def __init__(self, directory: Path, config: dict[str, Any], root: Path | None = None) -> None:
        self.directory = directory
        self.config = config
        self.rootfs = directory / "rootfs"
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o755)
        if not self.rootfs.exists():
            rootfs.copy_root(root or rootfs.busybox_root(), self.rootfs)

    @property
    def process(self) -> Any:
        return self.config["process"]

    @property
    def linux(self) -> Any:
        return self.config["linux"]

    def args(self, *args: str) -> Bundle:
        self.process["args"] = list(args)
        return self

    def shell(self, script: str) -> Bundle:
        return self.args("/bin/sh", "-c", script)

    def probe(self, *actions: str) -> Bundle:
        return self.args("/bin/probe", *actions)

    def mount(self, destination: str, kind: str, source: str, *options: str, **more: Any) -> Bundle:
        """Add a mount, or replace the one at the same destination."""
        entry = {"destination": destination, "type": kind, "source": source, "options": list(options), **more}
        kept = [old for old in self.config["mounts"] if old["destination"] != destination]
        self.config["mounts"] = [*kept, entry]
        return self

    def without_namespace(self, *kinds: str) -> Bundle:
        self.linux["namespaces"] = [entry for entry in self.linux["namespaces"] if entry["type"] not in kinds]
        return self

    def namespace(self, kind: str, path: str = "") -> Bundle:
        self.without_namespace(kind)
        self.linux["namespaces"].append({"type": kind, "path": path} if path else {"type": kind})
        return self

    def user_namespace(self, uid: int = 100000, size: int = 65536) -> Bundle:
        """A user namespace whose root owns the rootfs."""
        mapping = [{"containerID": 0, "hostID": uid, "size": size}]
        self.namespace("user")
        self.linux["uidMappings"] = self.linux["gidMappings"] = mapping
        self.give_root(uid)
        return self

    def give_root(self, uid: int) -> None:
        """Let the root's files belong to `uid`, but for the programs, which bundles share."""
        for path in [self.rootfs, *self.rootfs.rglob("*")]:
            if not path.is_symlink() and "/bin/" not in str(path):
                os.chown(path, uid, uid)

    def hook(self, kind: str, script: str, **more: Any) -> Bundle:
        """Add a shell hook; startContainer's runs in the container's root."""
        shell = "/bin/sh"
        entry = {"path": shell, "args": ["sh", "-c", script], **more}
        self.config.setdefault("hooks", {}).setdefault(kind, []).append(entry)
        return self

    def write(self) -> Bundle:
        (self.directory / "config.json").write_text(json.dumps(self.config, indent=1))
        return self
