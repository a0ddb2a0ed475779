"""A busybox image made without any image tool: a root folder, a tar and an OCI archive of it."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

from tests.rootfs import probe_program

REFERENCE = "docker.io/library/bb:latest"


def make_root(directory: Path) -> Path:
    """A root file system with every busybox applet, the tests' probe and a passwd file."""
    binaries = directory / "bin"
    binaries.mkdir(parents=True)
    for name in ("etc", "proc", "sys", "dev", "tmp", "root"):
        (directory / name).mkdir()
    busybox = shutil.which("busybox")
    assert busybox is not None, "the package busybox-static is missing"
    shutil.copy(busybox, binaries / "busybox")
    shutil.copy(probe_program(), binaries / "probe")
    applets = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
    for applet in applets:
        if applet != "busybox":
            (binaries / applet).symlink_to("busybox")
    (directory / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\nguest:x:1000:1000::/:/bin/sh\n")
    (directory / "etc/group").write_text("root:x:0:\nguest:x:1000:\n")
    (directory / "tmp").chmod(0o1777)
    return directory


def make_tar(root: Path, target: Path) -> Path:
    """The root as a tar that `docker import` and `podman import` take."""
    with tarfile.open(target, "w") as archive:
        archive.add(root, arcname=".")
    return target


def make_oci_archive(layer: Path, target: Path, command: Sequence[str] = ("/bin/sh",)) -> Path:
    """An OCI image layout of one layer, as a tar that `ctr images import` takes."""
    blobs: dict[str, bytes] = {}

    def blob(data: bytes, media_type: str) -> dict[str, object]:
        digest = hashlib.sha256(data).hexdigest()
        blobs[digest] = data
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    prefix = "application/vnd.oci.image"
    tar = layer.read_bytes()
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/bin"], "Cmd": list(command)},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(tar).hexdigest()}"]},
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{prefix}.manifest.v1+json",
        "config": blob(json.dumps(config).encode(), f"{prefix}.config.v1+json"),
        "layers": [blob(tar, f"{prefix}.layer.v1.tar")],
    }
    entry = blob(json.dumps(manifest).encode(), f"{prefix}.manifest.v1+json")
    entry["annotations"] = {
        "io.containerd.image.name": REFERENCE,
        "org.opencontainers.image.ref.name": "latest",
    }
    with tarfile.open(target, "w") as archive:
        files = {f"blobs/sha256/{digest}": data for digest, data in blobs.items()}
        files["oci-layout"] = b'{"imageLayoutVersion":"1.0.0"}'
        files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
        for name, data in files.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return target
