"""The C sources compile for aarch64, too.  What runs there runs in nobody's test yet."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
COMPILER = "aarch64-linux-gnu-gcc"
FLAGS = [
    "-std=gnu11",
    "-O2",
    "-fPIC",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-Wshadow",
    "-idirafter",
    "/usr/include",
]
MODULES = sorted(
    path.name for path in (CHECKOUT / "csrc").glob("*.c") if path.name.startswith(("native", "seccomp"))
)

pytestmark = pytest.mark.needs(COMPILER)


def test_init(tmp_path: Path) -> None:
    command = ["make", "-s", "-C", str(CHECKOUT / "csrc"), f"BUILD={tmp_path}", f"INIT_CC={COMPILER}"]
    subprocess.run(command, check=True, capture_output=True)
    assert (tmp_path / "pyrunc-init").read_bytes()[18:20] == b"\xb7\x00"  # EM_AARCH64


@pytest.mark.parametrize("name", MODULES)
def test_source_of_a_module(tmp_path: Path, name: str) -> None:
    if name.startswith("seccomp") and not Path("/usr/include/seccomp.h").exists():
        pytest.skip("needs seccomp.h")
    linked = f'-DPYRUNC_INIT="{__file__}"'  # whatever bytes
    command = [COMPILER, *FLAGS, linked, "-c", str(CHECKOUT / "csrc" / name), "-o", str(tmp_path / "object")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
