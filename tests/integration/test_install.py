"""make install, make uninstall and the wheel, each into a scratch folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv/bin/python"

pytestmark = [
    pytest.mark.needs("make", "gcc", "native"),
    pytest.mark.skipif(not VENV.exists(), reason="needs make build"),
]


def make(*arguments: str, umask: int = 0o22) -> None:
    command = ["make", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, umask=umask)
    assert done.returncode == 0, done.stdout + done.stderr


def run(*command: str | Path) -> str:
    done = subprocess.run(command, env={}, cwd="/", capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    prefix = tmp_path_factory.mktemp("installed")
    make("install", f"PREFIX={prefix}")
    return prefix


def test_program(installed: Path) -> None:
    assert run(installed / "bin/pyrunc", "--version").startswith("pyrunc version ")
    assert "Usage: pyrunc state" in run(installed / "bin/pyrunc", "state", "--help")


def test_without_an_environment_and_through_a_link(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "runc").symlink_to(installed / "bin/pyrunc")
    (tmp_path / "root").mkdir()
    assert run(tmp_path / "runc", "--root", str(tmp_path / "root"), "list", "-f", "json") == "null\n"


def test_it_does_not_need_the_checkout(installed: Path) -> None:
    script = installed / "lib/pyrunc/bin/pyrunc"  # behind a launcher, where there is one for this machine
    launcher = (script if script.exists() else installed / "bin/pyrunc").read_text()
    assert str(ROOT) not in launcher
    assert launcher.splitlines()[0].endswith(" -IS")
    assert str(ROOT).encode() not in (installed / "lib/pyrunc/pyrunc.modules").read_bytes()


def test_files(installed: Path) -> None:
    for place in (
        "share/man/man8/pyrunc.8",
        "share/bash-completion/completions/pyrunc",
        "share/zsh/site-functions/_pyrunc",
        "share/fish/vendor_completions.d/pyrunc.fish",
    ):
        assert (installed / place).stat().st_mode & 0o777 == 0o644
    subprocess.run(["bash", "-n", installed / "share/bash-completion/completions/pyrunc"], check=True)
    for path in installed.rglob("*"):
        mode = path.lstat().st_mode
        assert not mode & 0o022 or path.is_symlink(), f"{path} may be changed by others"
        assert mode & 0o004, f"{path} may not be read by all"


def test_a_plan_as_an_ordinary_user(installed: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "rootfs").mkdir()
    run(installed / "bin/pyrunc", "spec", "-b", bundle)
    for path in (*tmp_path.parents, tmp_path, bundle):
        if path.stat().st_uid == os.getuid() and str(path).startswith("/tmp/"):
            path.chmod(0o755)
    command = [installed / "bin/pyrunc", "plan", "-b", bundle]
    if os.getuid() == 0:
        for path in installed.parents:
            if str(path).startswith("/tmp/"):
                path.chmod(0o755)
        installed.chmod(0o755)
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *command]
    assert "start_init" in subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_staged_and_uninstalled(tmp_path: Path) -> None:
    make("install", f"DESTDIR={tmp_path}", "PREFIX=/opt/pyrunc", umask=0o77)
    entries = [path for path in (tmp_path / "opt").rglob("*") if not path.is_symlink()]
    closed = [path for path in entries if ~path.stat().st_mode & (0o555 if path.is_dir() else 0o444)]
    assert closed == []  # to ordinary users
    programs = [tmp_path / "opt/pyrunc" / place for place in ("bin/pyrunc", "lib/pyrunc/bin/pyrunc")]
    for program in filter(Path.exists, programs):
        assert b"/opt/pyrunc/lib/pyrunc" in program.read_bytes()
        assert str(tmp_path).encode() not in program.read_bytes()
    make("uninstall", f"DESTDIR={tmp_path}", "PREFIX=/opt/pyrunc")
    assert [path for path in tmp_path.rglob("*") if not path.is_dir()] == []


def test_wheel(tmp_path: Path) -> None:
    source = tmp_path / "source"
    subprocess.run(["git", "clone", "-q", ROOT, source], check=True)
    base = getattr(sys, "_base_executable", sys.executable)
    subprocess.run([base, "-m", "venv", tmp_path / "venv"], check=True)
    pip = [tmp_path / "venv/bin/pip", "install", "-q", "--disable-pip-version-check", "."]
    done = subprocess.run(pip, cwd=source, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    program = tmp_path / "venv/bin/pyrunc"
    assert run(program, "--version").startswith("pyrunc version ")
    (tmp_path / "link").symlink_to(program)
    assert run(tmp_path / "link", "features").startswith("{")
    packages = next((tmp_path / "venv/lib").glob("python*/site-packages/pyrunc"))
    assert sorted(path.name for path in packages.glob("*.so")) == ["_native.abi3.so", "_seccomp.abi3.so"]
