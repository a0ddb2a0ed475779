"""dockerd with userns-remap: containers whose root is an ordinary id of the host."""

from __future__ import annotations

import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.conftest import need
from tests.engines.daemon import Client
from tests.engines.engines import Docker, docker_runtimes


@pytest.fixture(scope="module")
def docker(scratch: Path, runtime: str, image_tar: Path) -> Iterator[Client]:
    need("containerd", "dockerd", "docker", "useradd")
    name = f"remap{uuid.uuid4().hex[:6]}"
    subprocess.run(["useradd", "--no-create-home", name], check=True)
    engine = Docker(scratch / "dku", runtime, *docker_runtimes({"own": runtime}), "--userns-remap", name)
    try:
        engine.docker.ok("import", str(image_tar), "bb:latest")
        yield engine.docker
    finally:
        engine.stop()
        subprocess.run(["userdel", "--force", name], capture_output=True, check=False)


def test_root_is_mapped(docker: Client) -> None:
    first = docker.ok("run", "--rm", "--network=none", "bb", "cat", "/proc/self/uid_map").split()
    assert first[0] == "0" and int(first[1]) >= 100000


def test_devices_terminal_and_volume(docker: Client) -> None:
    script = "echo x >/dev/null && head -c 1 /dev/zero | wc -c && touch /v/x && id -u"
    done = docker("run", "--rm", "--network=none", "-v", "/v", "bb", "sh", "-c", script)
    assert done.stdout.split() == ["1", "0"], done.stderr
    assert "/dev/pts/0" in docker.with_terminal("run", "--rm", "-it", "--network=none", "bb", "tty").stdout


def test_exec(docker: Client) -> None:
    name = f"t{uuid.uuid4().hex[:10]}"
    docker.ok("run", "-d", "--name", name, "--network=none", "bb", "sleep", "1000")
    try:
        assert docker.ok("exec", name, "id", "-u") == "0"
        assert docker.ok("exec", "-u", "1000", name, "id", "-u") == "1000"
    finally:
        docker("rm", "-f", name)
