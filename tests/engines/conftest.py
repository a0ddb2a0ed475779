"""The engines under test, each started by itself in a scratch folder and stopped again.

RUNTIME selects the runtime (default: the checkout's pyrunc); the whole folder
passes with RUNTIME=runc as well.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.census import Census, at_rest
from tests.engines.daemon import Client
from tests.engines.engines import Containerd, Docker, docker_runtimes, engine_table, podman_in
from tests.engines.images import REFERENCE, make_oci_archive, make_root, make_tar

CHECKOUT = Path(__file__).resolve().parents[2]


def need(*programs: str) -> None:
    """Skip, naming what is missing."""
    missing = [
        program for program in programs if shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") is None
    ]
    if os.geteuid() != 0:
        pytest.skip("needs root")
    if missing:
        pytest.skip(f"needs the programs {', '.join(missing)}")


@pytest.fixture(scope="session")
def runtime() -> str:
    """The absolute path of the runtime under test."""
    name = os.environ.get("RUNTIME", str(CHECKOUT / ".venv/bin/pyrunc"))
    found = shutil.which(name)
    assert found is not None, f"{name}: no such runtime"
    return os.path.abspath(found)


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder for everything, with a short path because sockets live in it."""
    directory = Path(tempfile.mkdtemp(prefix="pe-", dir="/tmp"))
    directory.chmod(0o755)
    yield directory
    subprocess.run(["rm", "-rf", "--one-file-system", str(directory)], check=False)


@pytest.fixture(scope="session", autouse=True)
def nothing_left(scratch: Path) -> Iterator[None]:
    """After the last engine's end the host is as it was."""
    before = Census(scratch)
    yield
    left = at_rest(before.left)
    before.tidy()
    for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
        target = line.split()[4]
        if target.startswith(f"{scratch}/"):
            subprocess.run(["umount", "--lazy", target], check=False)
    assert not left, "\n".join(left)


@pytest.fixture(scope="session")
def image_tar(scratch: Path) -> Path:
    return make_tar(make_root(scratch / "rootfs"), scratch / "rootfs.tar")


@pytest.fixture(scope="session")
def oci_archive(image_tar: Path) -> Path:
    return make_oci_archive(image_tar, image_tar.with_name("oci.tar"))


@pytest.fixture(scope="session")
def containerd(scratch: Path, runtime: str, oci_archive: Path) -> Iterator[Containerd]:
    need("containerd", "ctr")
    engine = Containerd(scratch / "ctrd", runtime)
    try:
        engine.ctr.ok("images", "import", str(oci_archive))
        assert REFERENCE in engine.ctr.ok("images", "ls", "-q")
        yield engine
    finally:
        engine.daemon.stop()


@pytest.fixture(scope="session")
def docker(scratch: Path, runtime: str, image_tar: Path) -> Iterator[Client]:
    need("containerd", "dockerd", "docker")
    engine = Docker(scratch / "dk", runtime, *docker_runtimes({"own": runtime}))
    try:
        engine.docker.ok("import", str(image_tar), "bb:latest")
        yield engine.docker
    finally:
        engine.stop()


@pytest.fixture(scope="session")
def podman(scratch: Path, runtime: str, image_tar: Path) -> Iterator[Client]:
    need("podman", "conmon")
    with podman_in(scratch / "pm", engine_table(runtime), "--runtime", "runc") as client:
        client.ok("import", str(image_tar), "bb")
        yield client
