"""Tries a new image: commands must give what they give after a normal start, and a container must run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile

from pyrunc.errors import OperationError
from pyrunc.snapshot import keys, place

_TIMEOUT = 20.0
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
PAGE = 4096

Outcome = tuple[int, bytes, bytes]


def make_bundles(scratch: str) -> None:
    """Bundles with a program that ends at once, with one that waits to be killed, and with mistakes."""
    from pyrunc.spec.defaults import default_config

    for name in ("dev", "proc", "sys"):
        os.makedirs(f"{scratch}/bundle/rootfs/{name}")
    for name in ("bad", "waiting"):
        os.mkdir(f"{scratch}/{name}")
    shutil.copy(place.TOOL, scratch + "/bundle/rootfs/tool")
    config = json.loads(json.dumps(default_config(False)))
    config["root"]["path"] = scratch + "/bundle/rootfs"
    for name, mode in (("bundle", "true"), ("waiting", "wait")):
        config["process"].update(args=["/tool", mode], terminal=False, cwd="/")
        _write_json(f"{scratch}/{name}/config.json", config)
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
        [*root, "run", "-b", scratch + "/bundle", f"pyrunc-snapshot-{os.getpid()}"],
        [*root, "list", "--quiet"],
    ]


def train(image: str, scratch: str) -> dict[str, keys.Ranges]:
    """What commands write to: verb → ranges, and "" for what all of them do, from trial runs."""
    root = ["--root", scratch + "/root-train"]
    name = f"pyrunc-snapshot-training-{os.getpid()}"
    written: dict[str, set[int]] = {}
    for verb, *rest in (
        ("state", "nobody"), ("create", "-b", scratch + "/waiting", name), ("state", name), ("start", name),
        ("exec", name, "/tool", "true"), ("kill", name, "KILL"), ("delete", "--force", name),
        ("run", "-b", scratch + "/bundle", name),
    ):  # fmt: skip
        written[verb] = _written_pages([place.TOOL, "train", image, *root, verb, *rest])
    common = set.intersection(*written.values())
    return {"": _ranges(common)} | {verb: _ranges(pages - common) for verb, pages in written.items()}


def _written_pages(command: list[str]) -> set[int]:
    """Those of one trial run, which reports in the file that it has for standard input.

    It prints to nobody: a container that lives on would hold a pipe open.
    """
    with tempfile.TemporaryFile() as report:
        try:
            subprocess.run(
                command, env=_ENVIRONMENT, cwd="/", stdin=report, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, timeout=_TIMEOUT, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise OperationError(f"the image failed its test: {' '.join(command)!r} did not end") from error
        report.seek(0)
        entries = [tuple(map(int, line.split())) for line in report]
    if not entries:
        raise OperationError(f"the image failed its test: {' '.join(command)!r} did not come to its end")
    return {page for address, length in entries for page in range(address, address + length, PAGE)}


def clean(script: str, scratch: str) -> None:
    """Delete what containers a build that failed has left."""
    for root in ("root", "root-train", "root-test"):
        place_of_records = f"{scratch}/{root}"
        if not os.path.isdir(place_of_records):
            continue
        for name in os.listdir(place_of_records):
            _run([script, "--root", place_of_records, "delete", "--force", name])


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


def _run(command: list[str]) -> Outcome:
    try:
        result = subprocess.run(
            command, env=_ENVIRONMENT, cwd="/", stdin=subprocess.DEVNULL, capture_output=True,
            timeout=_TIMEOUT, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise OperationError(f"the image failed its test: {' '.join(command)!r} did not end") from error
    return result.returncode, result.stdout, result.stderr


def _ranges(pages: set[int]) -> keys.Ranges:
    ranges: keys.Ranges = []
    for page in sorted(pages):
        if ranges and sum(ranges[-1]) == page:
            ranges[-1] = (ranges[-1][0], ranges[-1][1] + PAGE)
        else:
            ranges.append((page, PAGE))
    return ranges


def _write_json(path: str, value: object) -> None:
    with open(path, "w") as file:
        json.dump(value, file)
