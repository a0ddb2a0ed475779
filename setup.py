"""Builds the compiled parts into a wheel; everything else about the package is in pyproject.toml."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError:
    from wheel.bdist_wheel import bdist_wheel

HERE = Path(__file__).resolve().parent


class BuildWithNativeParts(build_py):
    """Compile pyrunc-init and the two cffi modules, then take them along as package data."""

    def run(self) -> None:
        """Compile into the package, then copy the package as ever."""
        environment = {**os.environ, "PYTHON": sys.executable}
        needs = "make, gcc, Python's headers and libseccomp's headers"
        for command in (
            ["make", "-s", "-C", "csrc", f"PYTHON={sys.executable}"],
            [sys.executable, "csrc/native_build.py", "--output-dir", "pyrunc"],
            [sys.executable, "csrc/seccomp_build.py", "--output-dir", "pyrunc"],
        ):
            if subprocess.run(command, cwd=HERE, env=environment, check=False).returncode != 0:
                sys.exit(f"pyrunc: `{' '.join(command)}` failed; it needs {needs}")
        super().run()


class PlatformDistribution(Distribution):
    """A distribution with compiled parts, so that its wheel is of this platform."""

    def has_ext_modules(self) -> bool:
        """Yes."""
        return True


class StableWheel(bdist_wheel):
    """One wheel for every CPython from 3.11 on."""

    def get_tag(self) -> tuple[str, str, str]:
        """The stable ABI's tag."""
        return "cp311", "abi3", super().get_tag()[2]


setup(
    cmdclass={"build_py": BuildWithNativeParts, "bdist_wheel": StableWheel},
    distclass=PlatformDistribution,
)
