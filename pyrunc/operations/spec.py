"""spec: write a default config.json."""

from __future__ import annotations

import os

from pyrunc.cores import render_json
from pyrunc.errors import UsageError
from pyrunc.spec.defaults import default_config
from pyrunc.state.store import host_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pyrunc.operations import Context


def spec(context: Context, bundle: str = "", rootless: bool = False) -> None:
    """Write config.json into `bundle` ("" = current directory); an existing one is an error."""
    path = os.path.join(bundle, "config.json")
    config = default_config(
        rootless,
        uid=os.geteuid(),
        gid=os.getegid(),
        cpu_count=os.cpu_count() or 0,
        unified=os.path.exists("/sys/fs/cgroup/cgroup.controllers"),
    )
    text = render_json(config, 4) + "\n"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except FileExistsError as error:
        raise UsageError(f"file {path} exists. Remove it first", path=path) from error
    try:
        with os.fdopen(fd, "w") as file:
            file.write(text)
    except OSError as error:
        os.unlink(path)
        raise host_error("write", path, error) from error
