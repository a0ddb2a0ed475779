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

from tests.criu import directory_with, find_criu
from tests.engines.daemon import Client, Daemon, environment
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
    for line in reversed(Path("/proc/self/mountinfo").read_text().splitlines()):
        target = line.split()[4]
        if target.startswith(f"{directory}/"):
            subprocess.run(["umount", "--lazy", target], check=False)
    subprocess.run(["rm", "-rf", "--one-file-system", str(directory)], check=False)


@pytest.fixture(scope="session")
def image_tar(scratch: Path) -> Path:
    return make_tar(make_root(scratch / "rootfs"), scratch / "rootfs.tar")


@pytest.fixture(scope="session")
def oci_archive(image_tar: Path) -> Path:
    return make_oci_archive(image_tar, image_tar.with_name("oci.tar"))


def containerd_config(directory: Path, runtime: str, cri: bool) -> Path:
    """A containerd of its own; the runtime is also `runc` on the shim's PATH."""
    binaries = directory / "opt/bin"
    binaries.mkdir(parents=True)
    (binaries / "runc").symlink_to(runtime)
    if criu := find_criu():
        directory_with(criu, binaries)
    disabled = [
        "snapshotter.v1.btrfs",
        "snapshotter.v1.zfs",
        "snapshotter.v1.aufs",
        "snapshotter.v1.devmapper",
    ]
    if not cri:
        disabled.append("grpc.v1.cri")
    plugins = ", ".join(f'"io.containerd.{name}"' for name in disabled)
    config = directory / "containerd.toml"
    config.write_text(
        f"""version = 2
root = "{directory}/root"
state = "{directory}/state"
disabled_plugins = [{plugins}]
[grpc]
  address = "{directory}/c.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "{directory}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{REFERENCE}"
  disable_apparmor = true
  restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
  BinaryName = "{runtime}"
"""
    )
    return config


def start_containerd(directory: Path, runtime: str, cri: bool = False) -> Daemon:
    directory.mkdir(exist_ok=True)
    config = directory / "containerd.toml"
    if not config.exists():
        containerd_config(directory, runtime, cri)
    path = f"{directory}/opt/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    argv = ["containerd", "--config", str(config)]
    daemon = Daemon(argv, directory / "containerd.log", environment(directory, PATH=path))
    socket = str(directory / "c.sock")
    probe = ["ctr", "--address", socket, "version"]
    daemon.wait_until(lambda: subprocess.run(probe, capture_output=True, check=False).returncode == 0)
    return daemon


class Containerd:
    """A containerd and its `ctr`."""

    def __init__(self, directory: Path, runtime: str) -> None:
        self.directory = directory
        self.runtime = runtime
        self.daemon = start_containerd(directory, runtime)
        env = environment(directory, CONTAINERD_ADDRESS=str(directory / "c.sock"))
        self.ctr = Client(["ctr"], env)

    def restart(self) -> None:
        """Stop the daemon alone and start it again; shims live on."""
        self.daemon.stop()
        self.daemon = start_containerd(self.directory, self.runtime)


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


class Docker:
    """A dockerd on a containerd of its own, and its client."""

    def __init__(self, directory: Path, runtimes: dict[str, str]) -> None:
        first = next(iter(runtimes))
        self.containerd = start_containerd(directory, runtimes[first])
        (directory / "daemon.json").write_text("{}")
        socket = f"unix://{directory}/d.sock"
        argv = ["dockerd", "--config-file", f"{directory}/daemon.json", "--bridge=none", "--iptables=false"]
        argv += ["--ip6tables=false", "--ip-forward=false", "--ip-masq=false", "--experimental"]
        argv += ["--data-root", f"{directory}/data", "--exec-root", f"{directory}/exec"]
        argv += ["--pidfile", f"{directory}/d.pid", "-H", socket, "--containerd", f"{directory}/c.sock"]
        for name, path in runtimes.items():
            argv += ["--add-runtime", f"my{name}={path}"]
        argv += ["--default-runtime", f"my{first}"]
        env = environment(directory, PATH=f"{directory}/opt/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        self.daemon = Daemon(argv, directory / "dockerd.log", env)
        client = environment(directory, DOCKER_CONFIG=str(directory / "cfg"))
        self.docker = Client(["/usr/bin/docker", "-H", socket], client)
        self.daemon.wait_until(lambda: self.docker("version").returncode == 0)


@pytest.fixture(scope="session")
def docker(scratch: Path, runtime: str, image_tar: Path) -> Iterator[Client]:
    need("containerd", "dockerd", "docker")
    engine = Docker(scratch / "dk", {"own": runtime})
    try:
        engine.docker.ok("import", str(image_tar), "bb:latest")
        yield engine.docker
    finally:
        engine.daemon.stop()
        engine.containerd.stop()


def podman_client(directory: Path, runtime: str) -> Client:
    """podman with its own storage below `directory`, which knows the runtime under the name runc."""
    directory.mkdir()
    conf = directory / "containers.conf"
    conf.write_text(
        '[containers]\ndefault_ulimits = ["nofile=20000:20000", "nproc=30000:30000"]\n'
        '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        f'[engine.runtimes]\nrunc = ["{runtime}"]\n'
    )
    storage = directory / "storage.conf"
    storage.write_text(
        f'[storage]\ndriver = "overlay"\nrunroot = "{directory}/runroot"\ngraphroot = "{directory}/root"\n'
    )
    env = environment(directory, CONTAINERS_CONF=str(conf), CONTAINERS_STORAGE_CONF=str(storage))
    prefix = ["podman", "--root", f"{directory}/root", "--runroot", f"{directory}/runroot"]
    prefix += ["--tmpdir", f"{directory}/tmp", "--cgroup-manager", "cgroupfs", "--events-backend", "file"]
    return Client([*prefix, "--runtime", "runc"], env)


@pytest.fixture(scope="session")
def podman(scratch: Path, runtime: str, image_tar: Path) -> Iterator[Client]:
    need("podman", "conmon")
    client = podman_client(scratch / "pm", runtime)
    client.ok("import", str(image_tar), "bb")
    yield client
    client("rm", "--all", "--force", "--time", "0")
    for controller in ("net_cls", "net_prio", "perf_event"):
        stray = Path("/sys/fs/cgroup", controller)
        if stray.is_dir() and not (stray / "cgroup.procs").exists():
            for inner in [*stray.glob("*"), stray]:
                inner.rmdir()
