"""A pytest plugin: the suite with every call of pyrunc restored from an image (`make test-snapshot`).

    python -m pytest -p tests.restored tests/integration …

It installs this checkout in a scratch directory, with a launcher and an image,
and makes that launcher the runtime under test.  Nothing falls back in silence:
the script that the launcher starts where it refuses the image notes who it was
and why, and a start for any reason that is not in EXPECTED fails the run.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import pytest

from tests.snapshot.world import IN_USE, World, compile_parts

EXPECTED = (
    "only root uses it",
    "there is no image",  # a user namespace's root cannot enter the directory
    "the image's directory is not root's alone",  # the same, where root is somebody else
)
# What the script does first.  Standard output of the tool's check is the reason.
NOTE = """\
import posix
note = posix.open({ledger!r}, posix.O_WRONLY | posix.O_APPEND | posix.O_CLOEXEC)
said, saying = posix.pipe2(posix.O_CLOEXEC)
child = posix.posix_spawn({tool!r}, ["tool", "check", {image!r}], posix.environ,
                          file_actions=[(posix.POSIX_SPAWN_DUP2, saying, 1)])
posix.close(saying)
try:
    posix.waitpid(child, 0)
except ChildProcessError:  # the caller ignores SIGCHLD
    pass
reason = posix.read(said, 4096).strip() or b"for no reason"
posix.write(note, reason + b"\\t" + repr(sys.argv[1:]).encode("ascii", "backslashreplace") + b"\\n")
posix.close(said)
posix.close(note)
"""


class Ledger:
    """The installation, and the normal starts that were noted."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.path = top / "ledger"
        self.path.touch()
        self.path.chmod(0o666)  # ordinary users start it, too
        self.world = World(top)
        self._note_starts()
        self.world.build()
        self.starts_so_far = len(self.lines())
        self.status = self.world.status_line()

    def _note_starts(self) -> None:
        note = NOTE.format(ledger=str(self.path), tool=str(self.world.tool), image=str(self.world.image))
        head, imports, rest = self.world.script.read_text().partition("import sys\n")
        self.world.script.write_text(head + imports + note + rest)

    def lines(self) -> list[str]:
        return self.path.read_text().splitlines()

    def starts(self) -> list[tuple[str, str]]:
        """Reason and arguments of each normal start since the image was made."""
        entries = [line.partition("\t") for line in self.lines()[self.starts_so_far :]]
        return [(reason, words) for reason, _, words in entries]

    def unexpected(self) -> list[str]:
        """What fails the run."""
        found = [f"{reason}: {words}" for reason, words in self.starts() if not reason.startswith(EXPECTED)]
        for line in (self.status, self.world.status_line()):
            if not line.startswith(IN_USE):
                found.append(line)
        return found


LEDGER = pytest.StashKey[Ledger]()
ACCOUNT = pytest.StashKey[list[str]]()


def pytest_sessionstart(session: pytest.Session) -> None:
    """Install, make the image, and name the launcher as the runtime."""
    if os.geteuid() != 0 or os.environ.get("RUNTIME"):
        pytest.exit("restored commands need root, and are no other RUNTIME's", 2)
    compile_parts()
    top = Path(tempfile.mkdtemp(prefix="pyrunc-restored-"))
    top.chmod(0o755)
    session.config.stash[LEDGER] = ledger = Ledger(top)
    os.environ["PYRUNC"] = str(ledger.world.launcher)
    for name in list(os.environ):  # what forbids a restored start, and tests hand on
        if name.startswith(("PYTHON", "LD_", "GLIBC_TUNABLES", "MALLOC_")):
            del os.environ[name]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a run in which something was not restored."""
    ledger = session.config.stash.get(LEDGER, None)
    if ledger is None:
        return
    counts = Counter(reason.partition(":")[0] for reason, _ in ledger.starts())
    reasons = "; ".join(f"{count} × {reason}" for reason, count in counts.most_common())
    unexpected = ledger.unexpected()
    session.config.stash[ACCOUNT] = [f"normal starts: {counts.total()} ({reasons or 'none'})"]
    session.config.stash[ACCOUNT] += [f"  not expected: {line}" for line in unexpected]
    if unexpected and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    shutil.rmtree(ledger.top)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Count the normal starts by their reason."""
    for line in config.stash.get(ACCOUNT, []):
        terminalreporter.write_line(line)
