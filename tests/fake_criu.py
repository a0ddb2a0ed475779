"""A stand-in for criu: speaks its RPC, records what it is asked, dumps and restores nothing.

    fake_criu.py DIRECTORY BEHAVIOUR swrk FD

BEHAVIOUR: words; `fail` refuses dumps and restores after writing a log, `mute`
ends without an answer, `old` has version 2.  A restore starts sleep(1) as a
sibling, as criu does.  It has its own reading of the messages, on purpose.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

NAMES = {
    1: "images_dir_fd", 2: "pid", 3: "leave_running", 4: "ext_unix_sk", 5: "tcp_established", 6: "evasive_devices",
    7: "shell_job", 8: "file_locks", 9: "log_level", 10: "log_file", 11: "ps", 12: "notify_scripts", 13: "root",
    14: "parent_img", 15: "track_mem", 16: "auto_dedup", 17: "work_dir_fd", 18: "link_remap", 23: "ext_mnt",
    24: "manage_cgroups", 25: "cg_root", 26: "rst_sibling", 27: "inherit_fd", 34: "manage_cgroups_mode",
    37: "external", 38: "empty_ns", 44: "freeze_cgroup", 46: "tcp_skip_in_flight", 48: "lazy_pages",
    50: "orphan_pts_master", 51: "config_file", 52: "tcp_close", 53: "lsm_profile", 63: "lsm_mount_context",
    66: "skip_file_rwx_check",
}  # fmt: skip
REPEATED = {"ext_mnt", "cg_root", "inherit_fd", "external"}
MESSAGES = {"ps", "ext_mnt", "cg_root", "inherit_fd"}
KINDS = {1: "dump", 2: "restore", 3: "check", 4: "pre-dump", 9: "features", 10: "version"}


def number(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return value, at


def fields(data: bytes) -> list[tuple[int, Any]]:
    found, at = [], 0
    while at < len(data):
        key, at = number(data, at)
        value: Any
        value, at = number(data, at)
        if key & 7 == 2:
            value, at = data[at : at + value], at + value
        found.append((key >> 3, value))
    return found


def plain(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else value


def read_request(data: bytes) -> dict[str, Any]:
    request: dict[str, Any] = {"kind": "", "options": {}}
    for key, value in fields(data):
        if key == 1:
            request["kind"] = KINDS.get(value, "notified")
        elif key == 2:
            for option, content in fields(value):
                name = NAMES[option]
                content = [plain(part) for _, part in fields(content)] if name in MESSAGES else plain(content)
                if name in REPEATED:
                    request["options"].setdefault(name, []).append(content)
                else:
                    request["options"][name] = content
    return request


def varint(value: int) -> bytes:
    data = b""
    while value > 127:
        data, value = data + bytes([value & 127 | 128]), value >> 7
    return data + bytes([value])


def message(*parts: tuple[int, int | bytes]) -> bytes:
    data = b""
    for key, value in parts:
        if isinstance(value, bytes):
            data += varint(key << 3 | 2) + varint(len(value)) + value
        else:
            data += varint(key << 3) + varint(value)
    return data


def start_sibling() -> int:
    """clone(CLONE_PARENT): the new process is our parent's child."""
    pid = ctypes.CDLL(None).syscall(56, 0x8000 | 17, 0, 0, 0, 0)
    if pid == 0:
        os.closerange(3, 100)
        os.execv("/bin/sleep", ["sleep", "1000"])
    return int(pid)


class Fake:
    def __init__(self, directory: Path, behaviour: list[str], connection: socket.socket) -> None:
        self.directory = directory
        self.behaviour = behaviour
        self.connection = connection

    def notify(self, script: bytes, pid: int) -> None:
        self.connection.send(message((1, 6), (2, 1), (5, message((1, script), (2, pid)))))
        assert read_request(self.connection.recv(65536))["kind"] == "notified"

    def serve(self) -> None:
        request = read_request(self.connection.recv(65536))
        kind, options = request["kind"], request["options"]
        if kind not in ("version", "features"):
            with (self.directory / "requests.json").open("a") as file:
                file.write(json.dumps(request) + "\n")
        if kind == "version":
            version = message((1, 2 if "old" in self.behaviour else 4), (2, 1))
            self.connection.send(message((1, 10), (2, 1), (10, version)))
        elif kind == "features":
            self.connection.send(message((1, 9), (2, 1), (8, message((1, int("tracks" in self.behaviour))))))
        elif "fail" in self.behaviour:
            work = os.open(f"/proc/{os.getppid()}/fd/{options['work_dir_fd']}", os.O_RDONLY)
            log = os.open(options["log_file"], os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=work)
            os.write(log, b"(00.1) doing\n(00.2) Error (criu/x.c:1): the thing is stuck\n(00.3) Error: FAILED.\n")
            self.connection.send(message((1, 1), (2, 0), (7, 16)))
        elif "mute" not in self.behaviour:
            self.succeed(kind)

    def succeed(self, kind: str) -> None:
        if kind == "restore":
            pid = start_sibling()
            self.notify(b"setup-namespaces", pid)
            self.notify(b"post-restore", pid)
            self.connection.send(message((1, 2), (2, 1), (4, message((1, pid)))))
            return
        self.notify(b"network-lock", 0)
        self.notify(b"post-dump", 0)
        self.connection.send(message((1, 1 if kind == "dump" else 4), (2, 1)))
        if kind == "pre-dump":
            self.connection.recv(100)


if __name__ == "__main__":
    _, folder, words, command, descriptor = sys.argv
    assert command == "swrk"
    Fake(Path(folder), words.split(), socket.socket(fileno=int(descriptor))).serve()
