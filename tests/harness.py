"""Bundles, containers and leak checks for tests that need a real runtime.

The runtime under test is `$RUNTIME` (a path or a name in PATH, also runc or
crun), by default `$PYRUNC` or the checkout's `.venv/bin/pyrunc`.  Every call
has a deadline; every container has an id of its own below a state root of its
own; `Box.close` deletes what is left and says what the runtime left behind.

Bundles are in `bundle`, root file systems in `rootfs`, cgroup paths in `cgroups`, waiting in `processes`.
"""

from __future__ import annotations

import copy
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from tests import cgroups, rootfs
from tests.base_config import base_config
from tests.bundle import Bundle
from tests.processes import DEADLINE, alive, descendants, describe, reap, wait_child, wait_until

__all__ = [
    "CGROUP_PARENT",
    "CHECKOUT",
    "DEADLINE",
    "Box",
    "Bundle",
    "Container",
    "Result",
    "Runtime",
    "alive",
    "descendants",
    "describe",
    "find_runtime",
    "only_ours",
    "peer_differs",
    "reap",
    "wait_child",
    "wait_until",
]

CHECKOUT = Path(__file__).resolve().parents[1]
CGROUP_PARENT = f"/pyrunc-test-{os.getpid()}"
# crun takes a host with both versions of cgroups for one whose every controller is mounted; it is shown version 1 only
WITHOUT_UNIFIED = 'mount --make-rprivate /sys/fs/cgroup && umount /sys/fs/cgroup/unified && exec "$0" "$@"'
GRACE = DEADLINE / 6  # seconds for what was killed to be gone
_numbers = itertools.count(1)


class Runtime:
    """The command that is tested: `command` (its argv), `name` (pyrunc, runc or crun), `version`."""

    def __init__(self, command: list[str]) -> None:
        self.command = command
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=DEADLINE)
        if done.returncode:
            raise rootfs.Missing(
                f"a runtime: {' '.join(command)} --version failed: {done.stderr.strip()[-500:]}"
            )
        self.name, _, self.version = done.stdout.split("\n")[0].replace(" version", "").partition(" ")

    @property
    def is_ours(self) -> bool:
        return self.name == "pyrunc"


def find_runtime(choice: str = "") -> Runtime:
    """The runtime under test; raises Missing when there is none."""
    choice = choice or os.environ.get("RUNTIME", "") or os.environ.get("PYRUNC", "")
    if not choice:
        built = CHECKOUT / ".venv/bin/pyrunc"
        if not built.exists():
            raise rootfs.Missing(f"{built} (run `make build`, or set RUNTIME)")
        choice = str(built)
    if choice == "module":  # the checkout itself, for work on it
        os.environ["PYTHONPATH"] = str(CHECKOUT)
        return Runtime([sys.executable, "-m", "pyrunc"])
    found = shutil.which(choice) or shutil.which(choice, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if found is None:
        raise rootfs.Missing(f"the runtime {choice}")
    runtime = Runtime([found])
    if runtime.name == "crun" and Path("/sys/fs/cgroup/unified/cgroup.procs").exists():
        alone = ["unshare", "--mount", "--propagation", "unchanged", "sh", "-c", WITHOUT_UNIFIED]
        runtime.command = [*alone, found]
    return runtime


class Result:
    """What one call gave: `rc`, `out`, `err`, and `log`, the JSON lines of --log."""

    def __init__(
        self, argv: list[str], rc: int, out: bytes, err: bytes, log: list[dict[str, Any]], peer: str = ""
    ) -> None:
        self.argv = argv
        self.peer = peer
        self.rc = rc
        self.out = out.decode("utf-8", "replace")
        self.err = err.decode("utf-8", "replace")
        self.log = log

    @property
    def message(self) -> str:
        """The last error of the log, else the standard error."""
        errors = [str(line.get("msg")) for line in self.log if line.get("level") == "error"]
        return errors[-1] if errors else self.err.strip()

    def json(self) -> Any:
        """Standard output as JSON."""
        try:
            return json.loads(self.out)
        except ValueError:
            raise AssertionError(f"no JSON from {self}") from None

    def ok(self) -> Result:
        """Itself, if the call succeeded."""
        assert self.rc == 0, f"rc {self.rc} from {self}"
        return self

    def failed(self, *texts: str, rc: int = 1) -> Result:
        """Itself, if it failed with that exit code and a message that holds each text (any case).

        crun has words and exit codes of its own, which no caller relies on.
        """
        if self.peer == "crun":
            assert self.rc != 0, f"expected a failure of {self}"
            return self
        assert self.rc == rc, f"expected rc {rc}, got {self.rc} from {self}"
        for text in texts:
            assert text.lower() in self.message.lower(), f"{text!r} not in {self}"
        return self

    def __repr__(self) -> str:
        return f"{' '.join(self.argv)}\n rc={self.rc}\n out={self.out[-1500:]!r}\n err={self.err[-1500:]!r}\n log={self.log[-3:]}"


class Container:
    """A container that `create` or `run -d` made; `output` is what its program wrote so far."""

    def __init__(self, box: Box, name: str, bundle: Bundle, pid: int, stdio: tuple[Path, Path]) -> None:
        self.box = box
        self.id = name
        self.bundle = bundle
        self.pid = pid
        self.stdio = stdio

    @property
    def output(self) -> str:
        return self.stdio[0].read_text(errors="replace")

    @property
    def errors(self) -> str:
        return self.stdio[1].read_text(errors="replace")

    def call(self, command: str, *args: str, **options: Any) -> Result:
        """`command ID args…`."""
        return self.box.call(command, self.id, *args, **options)

    def start(self) -> Container:
        self.call("start").ok()
        return self

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = self.call("state").ok().json()
        return state

    @property
    def status(self) -> str:
        return str(self.state()["status"])

    def exec(self, *args: str, flags: tuple[str, ...] = (), **options: Any) -> Result:
        return self.box.call("exec", *flags, self.id, *args, **options)

    def kill(self, sig: str = "KILL") -> Result:
        return self.call("kill", sig)

    def delete(self, *flags: str) -> Result:
        return self.box.call("delete", *flags, self.id)

    def wait(self, seconds: float = DEADLINE) -> int:
        """The exit code of the init (128+N on a signal), reaped by us as shims do."""
        return wait_child(self.pid, seconds)

    def wait_output(self, text: str, seconds: float = DEADLINE) -> str:
        wait_until(lambda: text in self.output, seconds, f"{text!r} in the output")
        return self.output

    def report(self) -> dict[str, Any]:
        """The probe's report, after its end."""
        self.wait()
        report: dict[str, Any] = json.loads(self.output.replace("\r\n", "\n"))
        return report


class Box:
    """One test's containers, bundles and state root."""

    def __init__(self, runtime: Runtime, directory: Path) -> None:
        self.runtime = runtime
        self.directory = directory
        self.root = directory / "state"
        self.log = directory / "log.json"
        self.names: list[str] = []
        self.children_before = set(descendants(os.getpid()))

    def name(self) -> str:
        name = f"t{os.getpid()}-{next(_numbers)}"
        self.names.append(name)
        return name

    def bundle(self, *args: str, config: dict[str, Any] | None = None, root: Path | None = None) -> Bundle:
        """A fresh bundle that runs `args` (default: true)."""
        directory = self.directory / f"bundle-{next(_numbers)}"
        bundle = Bundle(directory, copy.deepcopy(config) if config is not None else base_config(), root)
        return bundle.args(*(args or ("/bin/true",)))

    def popen(
        self, *args: str, log: bool = True, global_flags: tuple[str, ...] = (), **options: Any
    ) -> subprocess.Popen[bytes]:
        """Start the runtime with --root and --log; standard input is empty, the environment small."""
        flags = [
            "--root",
            str(self.root),
            *(["--log", str(self.log), "--log-format", "json"] if log else []),
            *global_flags,
        ]
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("env", {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")})
        if "PYTHONPATH" in os.environ:
            options["env"] = {**options["env"], "PYTHONPATH": os.environ["PYTHONPATH"]}
        return subprocess.Popen([*self.runtime.command, *flags, *args], **options)

    def call(self, *args: str, timeout: float = DEADLINE, input: bytes = b"", **options: Any) -> Result:
        """Run the runtime to its end.  Output goes through files, as a container may keep it open."""
        logged = self.log.stat().st_size if self.log.exists() else 0
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            options.setdefault("stdout", out)
            options.setdefault("stderr", err)
            if input:
                options["stdin"] = tempfile.TemporaryFile()
                options["stdin"].write(input)
                options["stdin"].seek(0)
            process = self.popen(*args, **options)
            try:
                rc = process.wait(timeout)
            except subprocess.TimeoutExpired:
                stacks = describe(process.pid)
                process.kill()
                process.wait()
                raise AssertionError(f"{' '.join(args)} did not end within {timeout} s\n{stacks}") from None
            out.seek(0)
            err.seek(0)
            return Result(list(args), rc, out.read(), err.read(), self.log_lines(logged), self.runtime.name)

    def log_lines(self, offset: int = 0) -> list[dict[str, Any]]:
        if not self.log.exists():
            return []
        lines = self.log.read_bytes()[offset:].decode().splitlines()
        strict = self.runtime.is_ours  # crun writes plain lines among them
        return [json.loads(line) for line in lines if line.strip() and (strict or line.startswith("{"))]

    def place(self, bundle: Bundle, name: str) -> None:
        """Write config.json, with a cgroup of its own if the test named none."""
        if bundle.linux.get("cgroupsPath") == "":
            bundle.linux["cgroupsPath"] = f"{CGROUP_PARENT}/{name}"
        bundle.write()

    def run(self, bundle: Bundle, *flags: str, name: str = "", **options: Any) -> Result:
        """`run` in the foreground."""
        name = name or self.name()
        self.place(bundle, name)
        return self.call("run", "--bundle", str(bundle.directory), *flags, name, **options)

    def report(self, bundle: Bundle, *actions: str) -> dict[str, Any]:
        """The probe's report from a `run` of this bundle."""
        report: dict[str, Any] = self.run(bundle.probe(*actions)).ok().json()
        return report

    def try_create(
        self, bundle: Bundle, *flags: str, command: str = "create", name: str = "", **options: Any
    ) -> Result:
        """`create`, expected to fail: returns the result."""
        name = name or self.name()
        self.place(bundle, name)
        return self.call(command, "--bundle", str(bundle.directory), *flags, name, **options)

    def create(
        self, bundle: Bundle, *flags: str, command: str = "create", name: str = "", **options: Any
    ) -> Container:
        """`create` (or `run --detach`), its program's output in files."""
        name = name or self.name()
        stdio = (self.directory / f"{name}.out", self.directory / f"{name}.err")
        pid_file = self.directory / f"{name}.pid"
        with stdio[0].open("wb") as out, stdio[1].open("wb") as err:
            options.setdefault("stdout", out)
            options.setdefault("stderr", err)
            flags = ("--pid-file", str(pid_file), *flags)
            result = self.try_create(bundle, *flags, command=command, name=name, **options)
            result.err = stdio[1].read_text(errors="replace")
        result.ok()
        return Container(self, name, bundle, int(pid_file.read_text()), stdio)

    def started(self, bundle: Bundle, *flags: str, **options: Any) -> Container:
        """A running container."""
        return self.create(bundle, "--detach", *flags, command="run", **options)

    def close(self) -> list[str]:
        """Delete every container by force; returns what is left behind then (and removes it)."""
        left: list[str] = []
        if not self.directory.exists():
            return left
        for name in self.names:
            result = self.call("delete", "--force", name)
            if result.rc and self.runtime.is_ours:
                left.append(f"delete --force {name} failed: {result.message}")
        left += self.left()
        if left:
            self.sweep()
        shutil.rmtree(self.directory, ignore_errors=True)
        return left

    def left(self) -> list[str]:
        """What there is of this box's containers now."""
        left = [f"process {describe(pid)}" for pid in self.new_processes()]
        left += [f"mount {path}" for path in self.mounts()]
        left += [f"state {path}" for name in self.names for path in self.root.glob(name)]
        return left + [f"cgroup {path}" for path in cgroups.find(*self.names)]

    def new_processes(self, grace: float = GRACE) -> list[int]:
        """Living processes below us that were not there before; grace: seconds for those that are dying."""
        deadline = time.monotonic() + grace
        while True:
            reap()
            found = [
                pid for pid in descendants(os.getpid()) if pid not in self.children_before and alive(pid)
            ]
            if not found or time.monotonic() > deadline:
                return found
            time.sleep(0.01)

    def mounts(self) -> list[str]:
        """Mount points of our namespace below the test's directory."""
        prefix = str(self.directory)
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        return [line.split()[4] for line in lines if line.split()[4].startswith(prefix)]

    def sweep(self) -> None:
        """Remove what a broken runtime left, so that the next test starts clean."""
        for pid in self.new_processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        reap()
        for path in reversed(self.mounts()):
            subprocess.run(["umount", "-l", path], capture_output=True)
        for path in sorted(cgroups.find(*self.names), key=len, reverse=True):
            cgroups.remove(path)


def peer_differs(box: Box, **reasons: str) -> None:
    """Expect the rest of the test to fail on the named peer: `peer_differs(box, runc="why")`."""
    if box.runtime.name in reasons:
        pytest.xfail(f"{box.runtime.name}: {reasons[box.runtime.name]}")


def only_ours(box: Box, why: str) -> None:
    """Skip on peers what is a promise of pyrunc alone."""
    if not box.runtime.is_ours:
        pytest.skip(f"needs pyrunc: {why}")
