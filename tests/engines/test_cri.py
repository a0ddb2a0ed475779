"""Kubernetes' way: containerd's CRI plugin drives the runtime through a CRI client."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.conftest import need
from tests.engines.engines import cri_handler, ctr_client, start_containerd
from tests.engines.images import REFERENCE, make_oci_archive

pytest.importorskip("grpc", reason="needs the package grpcio")
from tests.engines import cri  # noqa: E402

RUNNING, EXITED = 1, 2


@pytest.fixture(scope="module")
def service(scratch: Path, runtime: str, image_tar: Path) -> Iterator[cri.Cri]:
    need("containerd", "ctr")
    directory = scratch / "cri"
    daemon = start_containerd(directory, runtime, cri=cri_handler("runc", runtime))
    try:
        ctr = ctr_client(directory, "-n", "k8s.io")
        archive = make_oci_archive(image_tar, directory / "oci.tar", ["/bin/sleep", "100000"])
        ctr.ok("images", "import", str(archive))
        yield cri.Cri(str(directory / "c.sock"))
    finally:
        daemon.stop()


@pytest.fixture
def sandbox(service: cri.Cri, tmp_path: Path) -> Iterator[tuple[str, cri.Message]]:
    config = cri.sandbox_config(f"pod-{uuid.uuid4().hex[:8]}", str(tmp_path))
    identifier = service.run_sandbox(config, "runc")
    yield identifier, config
    service.call("StopPodSandbox", [(1, identifier)])
    service.call("RemovePodSandbox", [(1, identifier)])


def test_a_container_in_a_pod(service: cri.Cri, sandbox: tuple[str, cri.Message], tmp_path: Path) -> None:
    pod, pod_config = sandbox
    config = cri.container_config("main", REFERENCE, ["/bin/sh", "-c", "echo started; exec sleep 1000"])
    container = service.create_container(pod, config, pod_config)
    service.call("StartContainer", [(1, container)])
    assert service.container_state(container) == RUNNING
    assert service.exec_sync(container, "/bin/echo", "inside") == ("inside\n", "", 0)
    assert service.exec_sync(container, "/bin/sh", "-c", "echo bad >&2; exit 9") == ("", "bad\n", 9)
    memory = Path("/sys/fs/cgroup/memory/k8s.io", container, "memory.limit_in_bytes")
    assert memory.read_text() == f"{64 << 20}\n"
    service.call("UpdateContainerResources", [(1, container), (2, [(4, 80 << 20)])])
    assert memory.read_text() == f"{80 << 20}\n"
    service.call("StopContainer", [(1, container), (2, 1)])
    assert service.container_state(container) == EXITED
    assert "started" in (tmp_path / "main.log").read_text()
    service.call("RemoveContainer", [(1, container)])
    with pytest.raises(Exception, match="not found"):
        service.container_state(container)


def test_a_failing_command_is_reported(service: cri.Cri, sandbox: tuple[str, cri.Message]) -> None:
    pod, pod_config = sandbox
    config = cri.container_config("bad", REFERENCE, ["/nonexist"])
    container = service.create_container(pod, config, pod_config)
    with pytest.raises(Exception, match="no such file or directory"):
        service.call("StartContainer", [(1, container)])
    service.call("RemoveContainer", [(1, container)])


def test_two_containers_share_the_pod(service: cri.Cri, sandbox: tuple[str, cri.Message]) -> None:
    pod, pod_config = sandbox
    containers = []
    for name in ("one", "two"):
        config = cri.container_config(name, REFERENCE, ["/bin/sleep", "1000"])
        containers.append(service.create_container(pod, config, pod_config))
        service.call("StartContainer", [(1, containers[-1])])
    pods = service.call("ListPodSandbox", [])[1]
    assert any(pod.encode() in found for found in pods if isinstance(found, bytes))
    links = [
        service.exec_sync(container, "/bin/readlink", "/proc/self/ns/ipc")[0] for container in containers
    ]
    assert links[0] == links[1]
