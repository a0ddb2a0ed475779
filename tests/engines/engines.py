"""The engines, each started by itself in a scratch folder with a runtime of our choice."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.criu import directory_with, find_criu
from tests.engines.daemon import Client, Daemon, environment
from tests.engines.images import REFERENCE

ULIMITS = '[containers]\ndefault_ulimits = ["nofile=20000:20000", "nproc=30000:30000"]\n'
"""podman asks for more descriptors and processes than every machine allows."""

UNMOUNTED = ("net_cls", "net_prio", "perf_event", "hugetlb")
UNUSED_SNAPSHOTTERS = ("btrfs", "zfs", "aufs", "devmapper")


def cri_handler(name: str, runtime: str) -> str:
    """The entry of a runtime in the CRI plugin's configuration."""
    table = f'plugins."io.containerd.grpc.v1.cri".containerd.runtimes.{name}'
    return f'[{table}]\n  runtime_type = "io.containerd.runc.v2"\n[{table}.options]\n  BinaryName = "{runtime}"\n'


def containerd_config(directory: Path, runtime: str, cri: str = "") -> Path:
    """A containerd of its own; the runtime is also `runc` on the shim's PATH.

    `cri` has the entries of CRI's runtimes; without any the plugin is off.
    """
    binaries = directory / "opt/bin"
    binaries.mkdir(parents=True)
    (binaries / "runc").symlink_to(runtime)
    if criu := find_criu():
        directory_with(criu, binaries)
    disabled = [f"snapshotter.v1.{name}" for name in UNUSED_SNAPSHOTTERS] + ([] if cri else ["grpc.v1.cri"])
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
{cri}"""
    )
    return config


def start_containerd(directory: Path, runtime: str, cri: str = "") -> Daemon:
    """Start containerd in `directory`, with the configuration that is there or a new one."""
    directory.mkdir(exist_ok=True)
    config = directory / "containerd.toml"
    if not config.exists():
        containerd_config(directory, runtime, cri)
    argv = ["containerd", "--config", str(config)]
    daemon = Daemon(argv, directory / "containerd.log", environment(directory, PATH=shim_path(directory)))
    probe = ["ctr", "--address", f"{directory}/c.sock", "version"]
    daemon.wait_until(lambda: subprocess.run(probe, capture_output=True, check=False).returncode == 0)
    return daemon


def shim_path(directory: Path) -> str:
    return f"{directory}/opt/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def ctr_client(directory: Path, *prefix: str) -> Client:
    """`ctr` of the containerd in `directory`."""
    return Client(["ctr", *prefix], environment(directory, CONTAINERD_ADDRESS=f"{directory}/c.sock"))


class Containerd:
    """A containerd and its `ctr`."""

    def __init__(self, directory: Path, runtime: str) -> None:
        self.directory = directory
        self.runtime = runtime
        self.daemon = start_containerd(directory, runtime)
        self.ctr = ctr_client(directory)

    def restart(self) -> None:
        """Stop the daemon alone and start it again; shims live on."""
        self.daemon.stop()
        self.daemon = start_containerd(self.directory, self.runtime)


class Docker:
    """A dockerd on a containerd of its own, and its client."""

    def __init__(self, directory: Path, runtime: str, *options: str) -> None:
        self.containerd = start_containerd(directory, runtime)
        self.config = directory / "daemon.json"
        self.config.write_text("{}")
        socket = f"unix://{directory}/d.sock"
        argv = ["dockerd", "--config-file", str(self.config), "--bridge=none", "--iptables=false"]
        argv += ["--ip6tables=false", "--ip-forward=false", "--ip-masq=false", "--experimental"]
        argv += ["--data-root", f"{directory}/data", "--exec-root", f"{directory}/exec"]
        argv += ["--pidfile", f"{directory}/d.pid", "-H", socket, "--containerd", f"{directory}/c.sock"]
        env = environment(directory, PATH=shim_path(directory))
        self.daemon = Daemon([*argv, *options], directory / "dockerd.log", env)
        client = environment(directory, DOCKER_CONFIG=f"{directory}/cfg")
        self.docker = Client(["/usr/bin/docker", "-H", socket], client)
        self.daemon.wait_until(lambda: self.docker("version").returncode == 0)

    def stop(self) -> None:
        """Stop both daemons; dockerd itself leaves the host's network namespace mounted."""
        self.daemon.stop()
        self.containerd.stop()
        for namespace in self.config.parent.glob("exec/netns/*"):
            subprocess.run(["umount", str(namespace)], capture_output=True, check=False)


def docker_runtimes(runtimes: Mapping[str, str]) -> list[str]:
    """dockerd's options for runtimes by name; the first is the default."""
    added = [word for name, path in runtimes.items() for word in ("--add-runtime", f"{name}={path}")]
    return [*added, "--default-runtime", next(iter(runtimes))]


@contextlib.contextmanager
def podman_in(directory: Path, engine: str, *options: str) -> Iterator[Client]:
    """podman with its own storage below `directory`; `engine` is what its containers.conf says of runtimes.

    At the end its containers are removed, the mount it keeps on its storage,
    and what it leaves of controllers that are not mounted.
    """
    directory.mkdir()
    (directory / "containers.conf").write_text(ULIMITS + engine)
    (directory / "storage.conf").write_text(
        f'[storage]\ndriver = "overlay"\nrunroot = "{directory}/runroot"\ngraphroot = "{directory}/root"\n'
    )
    files = {"CONTAINERS_CONF": "containers.conf", "CONTAINERS_STORAGE_CONF": "storage.conf"}
    env = environment(directory, **{name: f"{directory}/{file}" for name, file in files.items()})
    prefix = ["podman", "--root", f"{directory}/root", "--runroot", f"{directory}/runroot"]
    prefix += ["--tmpdir", f"{directory}/tmp", "--cgroup-manager", "cgroupfs", "--events-backend", "file"]
    client = Client([*prefix, *options], env)
    try:
        yield client
    finally:
        client("pod", "rm", "--all", "--force", "--time", "0")
        client("rm", "--all", "--force", "--time", "0")
        subprocess.run(["umount", str(directory / "root/overlay")], capture_output=True, check=False)
        for controller in UNMOUNTED:
            stray = Path("/sys/fs/cgroup", controller)
            if stray.is_dir() and not (stray / "cgroup.procs").exists():
                shutil.rmtree(stray)


def engine_table(runtime: str) -> str:
    """A containers.conf that knows the runtime under the name runc."""
    return (
        '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        f'[engine.runtimes]\nrunc = ["{runtime}"]\n'
    )
