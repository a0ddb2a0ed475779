"""Tries a new image: commands must give what they give after a normal start, and a container must run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

from pyrunc.errors import OperationError
from pyrunc.snapshot import place

_TIMEOUT = 60.0
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
_REPORT_FD = 3

Outcome = tuple[int, bytes, bytes]


def make_bundles(scratch: str) -> None:
    """A good bundle with a program that does nothing, and a bad one."""
    from pyrunc.spec.defaults import default_config

    os.makedirs(scratch + "/bundle/rootfs")
    os.mkdir(scratch + "/bad")
    for name in ("dev", "proc", "sys"):
        os.mkdir(f"{scratch}/bundle/rootfs/{name}")
    shutil.copy(place.TOOL, scratch + "/bundle/rootfs/tool")
    config = json.loads(json.dumps(default_config(False)))
    config["process"].update(args=["/tool", "true"], terminal=False, cwd="/")
    _write_json(scratch + "/bundle/config.json", config)
    _write_json(scratch + "/bad/config.json", {"ociVersion": 3, "root": {}})


def command_lines(scratch: str, run: str) -> list[list[str]]:
    """What is tried; `run` is different in each round."""
    root = ["--root", f"{scratch}/root-{run}"]
    return [
        ["--version"],
        ["--help"],
        [*root, "list"],
        [*root, "state", "nobody"],
        [*root, "no-such-command"],
        ["validate", "-b", scratch + "/bundle"],
        ["validate", "-b", scratch + "/bad"],
        ["plan", "-b", scratch + "/bundle", "snapshot-selftest"],
        [*root, "run", "-b", scratch + "/bundle", "pyrunc-snapshot-selftest"],
        [*root, "list", "--quiet"],
    ]


def train(image: str, scratch: str) -> list[tuple[int, int]]:
    """The ranges that commands write to, from trial runs."""
    pages: dict[int, int] = {}
    lines = [line for line in command_lines(scratch, "train") if "run" in line or "state" in line]
    for line in lines:
        reading, writing = os.pipe()
        try:
            _run([place.TOOL, "train", image, *line], writing)
            os.set_blocking(reading, False)
            report = b""
            while part := _read(reading):
                report += part
        finally:
            os.close(reading)
            os.close(writing)
        for entry in report.split(b"\n")[:-1]:
            address, length = map(int, entry.split())
            for page in range(address, address + length, 4096):
                pages[page] = pages.get(page, 0) + 1
    return _ranges([page for page, count in sorted(pages.items()) if count == len(lines)])


def compare(script: str, image: str, scratch: str) -> None:
    """Raises OperationError where the restored process does other than the normal one."""
    lines = command_lines(scratch, "test")
    normal = [_run([script, *line]) for line in lines]
    shutil.rmtree(scratch + "/root-test", ignore_errors=True)
    restored = [_run([place.TOOL, "run", image, *line]) for line in lines]
    for line, expected, found in zip(lines, normal, restored, strict=True):
        if _timeless(expected) != _timeless(found):
            difference = f"gave {_timeless(found)}, not {_timeless(expected)}"
            raise OperationError(f"the image failed its test: {' '.join(line)!r} {difference}")


def _timeless(outcome: Outcome) -> tuple[int, list[bytes]]:
    """Without the moment that every log line begins with."""
    status, out, err = outcome
    lines = (out + err).splitlines()
    return status, [line.partition(b" ")[2] if line.startswith(b"time=") else line for line in lines]


def _run(command: list[str], report: int = -1) -> Outcome:
    def place_report() -> None:
        if report >= 0:
            os.dup2(report, _REPORT_FD)

    try:
        result = subprocess.run(
            command, env=_ENVIRONMENT, cwd="/", stdin=subprocess.DEVNULL, capture_output=True,
            timeout=_TIMEOUT, check=False, preexec_fn=place_report, close_fds=report < 0,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise OperationError(f"the image failed its test: {' '.join(command)!r} did not end") from error
    return result.returncode, result.stdout, result.stderr


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 65536)
    except BlockingIOError:
        return b""


def _ranges(pages: list[int]) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for page in pages:
        if ranges and sum(ranges[-1]) == page:
            ranges[-1] = (ranges[-1][0], ranges[-1][1] + 4096)
        else:
            ranges.append((page, 4096))
    return ranges


def _write_json(path: str, value: object) -> None:
    with open(path, "w") as file:
        json.dump(value, file)
