"""What a case may use besides its bundle; all of it is gone after the case."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from tests.processes import DEADLINE

_numbers = itertools.count()


class Lab:
    """A scratch folder, mounts in it, namespaces held by a process, network devices, a listener for seccomp."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True)
        self.mounts: list[Path] = []
        self.holders: list[subprocess.Popen[bytes]] = []
        self.devices: list[str] = []
        self.listeners: list[threading.Thread] = []

    def folder(self, name: str) -> Path:
        path = self.directory / name
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o755)
        return path

    def tmpfs(self, name: str, options: str) -> Path:
        """A folder with a tmpfs mounted on it."""
        path = self.folder(name)
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "lab", path], check=True)
        self.mounts.append(path)
        return path

    def file(self, name: str, text: str = "from the host\n") -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def namespace(self, kind: str) -> str:
        """The path of a new namespace; `kind` as in config.json."""
        flag = {"network": "--net", "mount": "--mount"}.get(kind, f"--{kind}")
        extra = ["--fork", "--kill-child"] if kind == "pid" else []
        holder = subprocess.Popen(
            ["unshare", flag, *extra, "sh", "-c", "echo ready; exec sleep 1000"], stdout=subprocess.PIPE
        )
        self.holders.append(holder)
        assert holder.stdout is not None and holder.stdout.readline() == b"ready\n"
        pid = holder.pid
        if kind == "pid":
            pid = int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
        short = {"network": "net", "mount": "mnt"}.get(kind, kind)
        return f"/proc/{pid}/ns/{short}"

    def device(self) -> str:
        """A network device of the host: one end of a pair, whose other end keeps it alive."""
        if shutil.which("ip") is None:
            pytest.skip("needs ip(8)")
        name = f"pd{os.getpid() % 100000}a{next(_numbers)}"
        self.devices.append(name.replace("a", "b"))
        command = ["ip", "link", "add", name, "type", "veth", "peer", "name", self.devices[-1]]
        subprocess.run(command, check=True, capture_output=True)
        return name

    def listener(self, name: str) -> str:
        """The path of a socket; what its first connection says is kept in the file `name`, its descriptors are closed."""
        path = self.directory / f"{name}.socket"
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.bind(str(path))
        server.listen()
        server.settimeout(DEADLINE)

        def take() -> None:
            with server, server.accept()[0] as connection:
                text, descriptors, _, _ = socket.recv_fds(connection, 65536, 8)
                for descriptor in descriptors:
                    os.close(descriptor)
                while more := connection.recv(65536):
                    text += more
                self.file(name, text.decode())

        self.listeners.append(threading.Thread(target=take, daemon=True))
        self.listeners[-1].start()
        return str(path)

    def collect(self, name: str) -> str:
        """What is in a file that the case made; empty if it did not."""
        for listener in self.listeners:
            listener.join(DEADLINE)
        path = self.directory / name
        return path.read_text() if path.exists() else ""

    def close(self) -> None:
        for path in self.mounts:
            subprocess.run(["umount", path], check=True)
        for device in self.devices:
            subprocess.run(["ip", "link", "del", device], capture_output=True, check=False)
        for holder in self.holders:
            for child in _children(holder.pid):
                os.kill(child, 9)
            holder.kill()
            holder.wait()
            if holder.stdout:
                holder.stdout.close()


def _children(pid: int) -> list[int]:
    try:
        return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
