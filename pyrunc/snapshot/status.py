"""Whether the image of this pyrunc is in use, and why not."""

from __future__ import annotations

import os
import subprocess
import time

import pyrunc.snapshot
from pyrunc.snapshot import place


def why_not(image: str) -> str:
    """Why a process started like this one would not use `image`; "" if it would."""
    reason = place.unsupported()
    if reason:
        return reason
    result = subprocess.run(
        [place.TOOL, "check", image], env=_first_environment(), stdout=subprocess.PIPE, check=False
    )
    if result.returncode == 0:
        return place.forbids_execution(os.path.dirname(image))
    return result.stdout.decode(errors="replace").strip() or f"the check ended with {result.returncode}"


def _first_environment() -> dict[bytes, bytes]:
    """The environment this process was started with; an interpreter may have set LC_CTYPE since."""
    with open("/proc/self/environ", "rb") as file:
        entries = file.read().split(b"\0")
    return dict(entry.split(b"=", 1) for entry in entries if b"=" in entry)


def describe(directory: str) -> str:
    """Lines for the user."""
    image = place.image_path(place.script(), directory)
    lines = [f"image: {image}{_age(image)}"]
    reason = why_not(image)
    if pyrunc.snapshot.RESTORED:
        lines.append("in use: yes, this process came out of an image")
        if reason:
            lines.append(f"further processes start normally: {reason}")
    elif reason:
        lines.append(f"in use: no: {reason}")
    else:
        lines.append("in use: not by this process: no launcher of this image started it, or it had no room")
    return "\n".join(lines) + "\n"


def _age(image: str) -> str:
    try:
        status = os.stat(image)
    except OSError:
        return ""
    made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(status.st_mtime))
    return f" ({status.st_size / 1e6:.1f} MB, made {made})"
