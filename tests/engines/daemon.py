"""Start and stop an engine's daemon in a scratch folder; run clients against it."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

START_SECONDS = 60
CLIENT_SECONDS = 90


class Daemon:
    """One daemon process with its log; `stop` ends it by pid and waits."""

    def __init__(self, argv: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self.log = log
        with log.open("wb") as sink:
            self.process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
                env=dict(environment),
            )

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Wait for `ready`; a daemon that ends or is late fails with the tail of its log."""
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the daemon did not start:\n{self.log.read_text()[-3000:]}")
            time.sleep(0.1)

    def stop(self) -> None:
        """SIGTERM, then SIGKILL after twenty seconds."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class Client:
    """A command line with fixed leading arguments and environment."""

    def __init__(self, prefix: Sequence[str], environment: Mapping[str, str]) -> None:
        self.prefix = list(prefix)
        self.environment = dict(environment)

    def __call__(
        self, *arguments: str, stdin: str | None = None, timeout: float = CLIENT_SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Run the client; never raises on a failing exit code."""
        return subprocess.run(
            [*self.prefix, *arguments],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=self.environment,
            check=False,
        )

    def ok(self, *arguments: str, stdin: str | None = None) -> str:
        """Run the client, which has to succeed; returns its stdout without surrounding space."""
        done = self(*arguments, stdin=stdin)
        assert done.returncode == 0, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout.strip()

    def with_terminal(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the client on a terminal of its own, made by script(1)."""
        return subprocess.run(
            ["script", "-qec", shlex.join([*self.prefix, *arguments]), "/dev/null"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CLIENT_SECONDS,
            env=self.environment,
            check=False,
        )


def environment(scratch: Path, **extra: str) -> dict[str, str]:
    """The environment of daemons and clients: PATH, a HOME and a TMPDIR of their own, and what is given."""
    home, temporary = scratch / "home", scratch / "tmp"
    for directory in (home, temporary):
        directory.mkdir(exist_ok=True)
    path = extra.pop("PATH", os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"))
    return {"PATH": path, "HOME": str(home), "TMPDIR": str(temporary), "LANG": "C.UTF-8", **extra}


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until `condition` holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.1)
