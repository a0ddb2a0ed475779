"""A run in the foreground: its input, terminal, signals and arguments, restored as normally started."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import termios
from pathlib import Path

import pytest

from tests.snapshot.world import CLEAN, Outcome, World, compare, make_bundle, run, runs, shell, timeless
from tests.terminals import read_all, read_until


@pytest.mark.parametrize("kind", ["nothing", "pipe", "file", "closed"])
def test_standard_input(made: World, tmp_path: Path, kind: str) -> None:
    shell(tmp_path / "bundle", "md5sum; ls -l /proc/self/fd | cut -c1; exit 4")
    (tmp_path / "data").write_bytes(os.urandom(1 << 20))
    paths = {"nothing": "/dev/null", "file": str(tmp_path / "data")}

    def fed(program: str) -> object:
        if kind == "pipe":
            return runs(program, tmp_path, "sh", "-c", 'cat "$0" | "$@"', str(tmp_path / "data"))
        if kind == "closed":
            return runs(program, tmp_path, "sh", "-c", 'exec "$@" <&-', "-")
        stdin = os.open(paths[kind], os.O_RDONLY)
        try:
            return runs(program, tmp_path, stdin=stdin)
        finally:
            os.close(stdin)

    compare(made, fed)


@pytest.mark.parametrize("closed", ["0>&-", "1>&-", "2>&-", "0>&- 1>&-", "0>&- 1>&- 2>&-"])
def test_closed_streams(made: World, tmp_path: Path, closed: str) -> None:
    """Of a run: its program may have them closed or open, but alike."""
    shell(tmp_path / "bundle", "ls -l /proc/self/fd | cut -c1 | wc -l; echo error >&2; exit 3")
    compare(made, lambda program: runs(program, tmp_path, "sh", "-c", f'exec "$@" {closed}', "-"))


def test_update_from_standard_input(made: World, tmp_path: Path) -> None:
    (tmp_path / "resources").write_text('{"memory": {"limit": 3}}')

    def updated(program: str) -> object:
        with open(tmp_path / "resources") as file:
            return timeless(
                run([program, "--root", str(tmp_path), "update", "-r", "-", "nobody"], stdin=file)
            )

    compare(made, updated)


@pytest.mark.parametrize(
    "number",
    [1, 2, 3, 10, 12, 14, 15, 17, 28, 40],
    ids=lambda number: signal.Signals(number).name if number < 32 else "realtime",
)
def test_signal_is_forwarded(made: World, tmp_path: Path, number: int) -> None:
    """To a program that notes it and goes on; then one that ends it."""
    names = "HUP INT QUIT USR1 USR2 ALRM TERM CHLD WINCH 40"
    traps = "".join(f"trap 'echo got {name}' {name}\n" for name in names.split())
    shell(tmp_path / "bundle", f"{traps}echo ready\nread line; read line\necho went on with $?; exit 5")
    command = ["--root", str(tmp_path / "root"), "run", "-b", str(tmp_path / "bundle"), "c"]

    def signalled(program: str) -> object:
        process = subprocess.Popen(
            [program, *command],
            env=CLEAN,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert process.stdout and process.stdin
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        heard = process.stdout.readline() if number not in (signal.SIGCHLD, signal.SIGWINCH) else b""
        out, _ = process.communicate(b"line\nline\n", timeout=60)
        return heard, out, process.returncode

    compare(made, signalled)


@pytest.mark.parametrize("number", [2, 15, 9])
def test_signal_that_ends_the_program(made: World, tmp_path: Path, number: int) -> None:
    shell(tmp_path / "bundle", "trap - INT TERM; echo ready; read line")
    root = ["--root", str(tmp_path / "root")]

    def ended(program: str) -> object:
        process = subprocess.Popen(
            [program, *root, "run", "-b", str(tmp_path / "bundle"), "c"],
            env=CLEAN,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert process.stdout
        assert process.stdout.readline() == b"ready\n"
        run([program, *root, "kill", "c", str(number)])
        if number != 9:  # pid 1 ignores what it has no handler for
            process.send_signal(number)
            run([program, *root, "kill", "c", "KILL"])
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err, timeless(run([program, *root, "list", "-q"]))

    compare(made, ended)


@pytest.mark.parametrize("verb", ["run", "create"])
def test_interrupted_before_the_program_runs(made: World, tmp_path: Path, verb: str) -> None:
    """While a hook runs that then is let go on."""
    bundle = shell(tmp_path / "bundle", "echo ran")
    config = json.loads((bundle / "config.json").read_text())
    begun, go = tmp_path / "begun", tmp_path / "go"
    script = f"echo >{begun}; read line <{go}"
    config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", script]}]}
    (bundle / "config.json").write_text(json.dumps(config))
    os.mkfifo(begun)
    root = ["--root", str(tmp_path / "root")]

    def interrupted(program: str, number: int) -> object:
        os.mkfifo(go)
        with open(tmp_path / "out", "w+b") as out:  # the container may keep its streams
            command = [program, *root, verb, "-b", str(bundle), "c"]
            process = subprocess.Popen(command, env=CLEAN, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
            begun.read_text()
            process.send_signal(number)
            gate = os.open(go, os.O_RDWR)
            os.write(gate, b"go\n")
            code = process.wait(60)
            os.close(gate)
            go.unlink()
            out.seek(0)
            said = timeless((code, out.read(), b""))
        return said, timeless(run([program, *root, "delete", "--force", "c"]))

    compare(
        made, lambda program: [interrupted(program, number) for number in (signal.SIGINT, signal.SIGTERM)]
    )


def on_terminal(
    program: str, words: list[str], typed: list[tuple[str, bytes]], env: dict[str, str] | None = None
) -> Outcome:
    """Exit code and output; each of `typed` once the text before it was seen."""
    pid, primary = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 44, 0, 0))
        os.execve(program, [program, *words], CLEAN if env is None else env)
    seen = ""
    for text, keys in typed:
        seen += read_until(primary, text)
        os.write(primary, keys)
    seen += read_all(primary)
    os.close(primary)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return timeless((code, seen.encode(), b""))


@pytest.mark.parametrize(
    "keys", [b"hello\n", b"\x03", b"\x04", b"\x1c"], ids=["line", "interrupt", "end", "quit"]
)
def test_terminal(made: World, tmp_path: Path, keys: bytes) -> None:
    """A program with a terminal of its own gets its size, what is typed, and the keys that are signals."""
    script = "trap 'echo interrupted; exit 9' INT; trap 'echo quit; exit 8' QUIT\nbusybox stty size; tty; echo ready; read line; echo got $line $?"
    make_bundle(tmp_path / "bundle", ["/bin/busybox", "sh", "-c", script])
    config = json.loads((tmp_path / "bundle/config.json").read_text())
    config["process"]["terminal"] = True
    (tmp_path / "bundle/config.json").write_text(json.dumps(config))
    words = ["--root", str(tmp_path / "root"), "run", "-b", str(tmp_path / "bundle"), "c"]
    compare(made, lambda program: on_terminal(program, words, [("ready", keys)]))


def test_terminal_that_is_not_the_program_s(made: World, tmp_path: Path) -> None:
    shell(tmp_path / "bundle", "for fd in 0 1 2; do [ -t $fd ] && echo $fd; done; read line; echo $line")
    words = ["--root", str(tmp_path / "root"), "run", "-b", str(tmp_path / "bundle"), "c"]
    compare(made, lambda program: on_terminal(program, words, [("2", b"typed\n")]))


@pytest.mark.parametrize("env", [{}, {"COLUMNS": "50", "TERM": "xterm"}], ids=["its width", "COLUMNS"])
def test_help_on_a_terminal(made: World, env: dict[str, str]) -> None:
    for words in (["--help"], ["exec", "--help"], ["nonsense"], ["state"]):
        compare(made, lambda program, words=words: on_terminal(program, words, [], CLEAN | env))


def test_exec_with_a_terminal(made: World, tmp_path: Path) -> None:
    shell(tmp_path / "bundle", "sleep() { busybox sleep $1; }; sleep 100")
    root = ["--root", str(tmp_path / "root")]
    command = [str(made.script), *root, "run", "-d", "-b", str(tmp_path / "bundle"), "c"]
    subprocess.run(command, env=CLEAN, stdin=-3, stdout=-3, stderr=-3, check=True, timeout=60)
    try:
        words = [
            *root,
            "exec",
            "-t",
            "c",
            "/bin/busybox",
            "sh",
            "-c",
            "echo ready; read line; echo $line; exit 6",
        ]
        compare(made, lambda program: on_terminal(program, words, [("ready", b"typed\n")]))
    finally:
        made.normal(*root, "delete", "--force", "c")


def test_large_arguments(made: World, tmp_path: Path) -> None:
    """Of the program, and in its environment: a plan of megabytes."""
    env = [f"V{n}={'x' * 1000}" for n in range(500)]
    args = ["/bin/busybox", "sh", "-c", "echo $# ${#1} ${#V499}", "-", "y" * 100_000, *["z"] * 20_000]
    make_bundle(tmp_path / "bundle", args, env=["PATH=/bin", *env])
    compare(made, lambda program: runs(program, tmp_path))


def test_name_of_the_program(made: World) -> None:
    """argv[0] is whatever the caller says, or nothing."""
    for name in ("pyrunc", "runc", "", "/no/such", "-"):
        compare(made, lambda program, name=name: run([name, "--version"], executable=program))  # type: ignore[misc]
