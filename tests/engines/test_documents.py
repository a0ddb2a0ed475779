"""The documentation's files and commands, tried with the real engines.

Paths of the pages are replaced by ones of the scratch folder; in PATH stand
clients that talk to the scratch engine.  `pull` has nothing to do: the image
is there under the pages' name.
"""

from __future__ import annotations

import os
import shutil
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents import PROGRAM, Block, blocks, page, run_console, write_program
from tests.engines.conftest import need
from tests.engines.daemon import Client, wait_for
from tests.engines.engines import Containerd, Docker, ctr_client, podman_in, start_containerd
from tests.engines.images import REFERENCE, make_oci_archive

IMAGE = "docker.io/library/busybox:latest"


@pytest.fixture(scope="module", autouse=True)
def ours(runtime: str) -> None:
    if Path(runtime).name != "pyrunc":
        pytest.skip("the documentation is about our runtime")


def prepare(directory: Path, runtime: str, client: Client, name: str) -> dict[str, str]:
    """The environment in which a page's commands find pyrunc and the client `name` of a scratch engine."""
    prefix = " ".join(f"'{word}'" for word in client.prefix)
    first = shutil.which(client.prefix[0]) or client.prefix[0]
    skip = 'case "$*" in "image pull "*) exit 0 ;; esac\n' if name == "ctr" else ""
    write_program(directory / f"docbin/{name}", f"{skip}exec '{first}' {prefix.partition(' ')[2]} \"$@\"")
    write_program(directory / "docbin/pyrunc", f'exec {runtime} "$@"')
    return {**client.environment, "PATH": f"{directory}/docbin:{client.environment['PATH']}"}


def located(block: Block, runtime: str) -> Block:
    """The block with the runtime under test in place of the installed one."""
    made = Block(block.language, block.text.replace(PROGRAM, runtime))
    made.title = block.title
    return made


def test_containerd(containerd: Containerd, runtime: str) -> None:
    containerd.ctr("images", "tag", "--force", REFERENCE, IMAGE)
    env = prepare(containerd.directory, runtime, containerd.ctr, "ctr")
    for block in blocks(page("containerd.md"), "console"):
        run_console(located(block, runtime), containerd.directory, env)


@pytest.fixture
def reloaded(scratch: Path, runtime: str, image_tar: Path) -> Iterator[Client]:
    """A dockerd that read the page's daemon.json on reload."""
    need("containerd", "dockerd", "docker")
    engine = Docker(scratch / "docs-dk", runtime)
    try:
        engine.docker.ok("import", str(image_tar), "busybox:latest")
        [file] = blocks(page("docker.md"), "json")
        engine.config.write_text(located(file, runtime).text)
        engine.daemon.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "pyrunc" in engine.docker.ok("info", "--format", "{{json .Runtimes}}"))
        yield engine.docker
    finally:
        engine.stop()


def test_docker(reloaded: Client, runtime: str, scratch: Path) -> None:
    env = prepare(scratch / "docs-dk", runtime, reloaded, "docker")
    for block in blocks(page("docker.md"), "console"):
        run_console(located(block, runtime), scratch, env)


def test_podman(scratch: Path, runtime: str, image_tar: Path) -> None:
    need("podman", "conmon")
    [file] = blocks(page("podman.md"), "toml")
    directory = scratch / "docs-pm"
    with podman_in(directory, located(file, runtime).text) as podman:
        podman.ok("import", str(image_tar), IMAGE)
        for block in blocks(page("podman.md"), "console"):
            run_console(located(block, runtime), directory, prepare(directory, runtime, podman, "podman"))


@pytest.fixture
def cri_directory(scratch: Path, runtime: str) -> Iterator[Path]:
    """A containerd with CRI whose runtimes are those of the page's config.toml."""
    need("containerd", "ctr")
    directory = scratch / "docs-cri"
    file = located(blocks(page("containerd.md"), "toml")[0], runtime)
    daemon = start_containerd(directory, runtime, cri=file.text.replace("version = 2\n", ""))
    yield directory
    daemon.stop()


def test_kubernetes(cri_directory: Path, image_tar: Path, tmp_path: Path) -> None:
    pytest.importorskip("grpc", reason="needs the package grpcio")
    from tests.engines import cri

    ctr = ctr_client(cri_directory, "-n", "k8s.io")
    archive = make_oci_archive(image_tar, cri_directory / "oci.tar", ["/bin/sleep", "100000"])
    ctr.ok("images", "import", str(archive))
    service = cri.Cri(f"{cri_directory}/c.sock")
    config = cri.sandbox_config(f"pod-{uuid.uuid4().hex[:8]}", str(tmp_path))
    with pytest.raises(Exception, match='no runtime for "nonsense" is configured'):
        service.run_sandbox(config, "nonsense")
    handler = page("kubernetes.md").read_text().partition("\nhandler: ")[2].split()[0]
    pod = service.run_sandbox(config, handler)
    try:
        container = service.create_container(
            pod, cri.container_config("hello", REFERENCE, ["/bin/sleep", "1000"]), config
        )
        service.call("StartContainer", [(1, container)])
        assert service.exec_sync(container, "/bin/echo", "inside") == ("inside\n", "", 0)
        assert os.path.isdir(f"/run/containerd/runc/k8s.io/{container}")
    finally:
        service.call("StopPodSandbox", [(1, pod)])
        service.call("RemovePodSandbox", [(1, pod)])


def test_what_is_left_for_troubleshooting(containerd: Containerd, runtime: str, scratch: Path) -> None:
    """The page's program in pyrunc's place: a create fails, and its log and configuration are still there."""
    [block] = [block for block in blocks(page("troubleshooting.md"), "sh") if block.title]
    text = located(block, runtime).text.replace("/run/", f"{scratch}/")
    write_program(scratch / "pyrunc-debug", text.removeprefix("#!/bin/sh\n"))
    done = containerd.ctr("run", "--rm", "--runc-binary", str(scratch / "pyrunc-debug"), REFERENCE, "box", "nonsense")
    assert done.returncode == 1
    *_, last, error = (scratch / "pyrunc-debug.log").read_text().splitlines()
    assert '"level":"debug"' in last and "find_executable" in last
    assert '"pointer":"/process/args"' in error
    assert "nonsense" in (scratch / "pyrunc-debug.json").read_text()
