"""Restored processes under circumstances: streams, environments, signals, limits, namespaces, many at a time."""

from __future__ import annotations

import os
import pty
import signal
import socket
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.snapshot.world import CLEAN, IN_USE, World, make_bundle, run

RUNS = int(os.environ.get("PYRUNC_SNAPSHOT_RUNS", "300"))
AT_A_TIME = 50


def read_all(fd: int) -> bytes:
    data = b""
    while True:
        try:
            part = os.read(fd, 65536)
        except OSError:  # a terminal whose other end is closed
            return data
        if not part:
            return data
        data += part


# --- streams ------------------------------------------------------------------------------


@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)])
@pytest.mark.parametrize("words", [["--version"], ["--help"], ["state", "nobody"]])
def test_closed_streams(made: World, closed: tuple[int, ...], words: list[str]) -> None:
    shell = 'exec "$0" "$@" ' + " ".join(f"{fd}>&-" for fd in closed)
    outcomes = [
        run(["sh", "-c", shell, program, "--root", "/tmp/no/such", *words]) for program in programs(made)
    ]
    assert (outcomes[0][0], outcomes[0][1]) == (outcomes[1][0], outcomes[1][1])


def programs(world: World) -> list[str]:
    return [str(world.script), str(world.launcher)]


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["list"]])
def test_full_disk(made: World, words: list[str]) -> None:
    results = []
    for program in programs(made):
        with open("/dev/full", "wb") as full:
            result = subprocess.run(
                [program, *words], env=CLEAN, stdout=full, stderr=subprocess.PIPE, timeout=30
            )
        results.append((result.returncode, result.stderr.partition(b"msg=")[2]))
    assert results[0] == results[1]
    assert results[0][0] != 0


@pytest.mark.parametrize("words", [["--version"], ["--help"], ["list", "--help"]])
def test_terminal(made: World, words: list[str]) -> None:
    outputs = []
    for program in programs(made):
        ours, theirs = pty.openpty()
        process = subprocess.Popen([program, *words], env=CLEAN, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        outputs.append(read_all(ours))
        os.close(ours)
        assert process.wait(30) == 0
    assert outputs[0] == outputs[1]
    assert b"pyrunc" in outputs[0].lower()


def test_socket_and_file(made: World, tmp_path: Path) -> None:
    outputs = []
    for program in programs(made):
        ours, theirs = socket.socketpair()
        subprocess.run([program, "--version"], env=CLEAN, stdin=theirs, stdout=theirs, timeout=30, check=True)
        theirs.close()
        outputs.append(ours.recv(65536))
        ours.close()
        with open(tmp_path / "out", "ab+") as file:
            subprocess.run([program, "--help"], env=CLEAN, stdin=file, stdout=file, timeout=30, check=True)
    assert outputs[0] == outputs[1]
    text = (tmp_path / "out").read_bytes()
    assert text[: len(text) // 2] == text[len(text) // 2 :]


def test_broken_pipe(made: World) -> None:
    codes = []
    for program in programs(made):
        reading, writing = os.pipe()
        os.close(reading)
        codes.append(
            subprocess.run([program, "--help"], env=CLEAN, stdout=writing, stderr=-3, timeout=30).returncode
        )
        os.close(writing)
    assert codes[0] == codes[1]


# --- environment and arguments ------------------------------------------------------------


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"A": "x" * 120_000},
        {f"V{n}": "y" * 100 for n in range(1000)},
        {"X": "\udcff\udc80"},
        {"TZ": "Asia/Tokyo"},
    ],
)
def test_environment(made: World, env: dict[str, str]) -> None:
    assert made.status_line(env=env).startswith(IN_USE)
    assert made.restored("--version", env=env) == made.normal("--version", env=env)


@pytest.mark.parametrize("word", ["", "é", "\udcff", "x" * 100_000, "\n"])
def test_arguments(made: World, word: str) -> None:
    words = ["--root", "/tmp/no/such", "--log", "/dev/null", "state", word]
    assert made.restored(*words) == made.normal(*words)


def test_many_arguments(made: World) -> None:
    words = ["--log", "/dev/null", "exec", "nobody", *["x"] * 5000]
    assert made.restored(*words) == made.normal(*words)


# --- signals ------------------------------------------------------------------------------


def signal_state(
    program: str, bundle: Path, root: Path, ignored: list[int], blocked: list[int]
) -> dict[str, int]:
    """The masks of a runtime that waits for its container."""

    def prepare() -> None:
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, blocked)

    process = subprocess.Popen(
        [program, "--root", str(root), "run", "-b", str(bundle), "c"], env=CLEAN, preexec_fn=prepare,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, restore_signals=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    masks = {name: int(value, 16) for name, _, value in (line.partition(":\t") for line in lines) if name.startswith("Sig")
             and name != "SigQ"}  # fmt: skip
    run([program, "--root", str(root), "kill", "c", "KILL"])
    assert process.wait(30) == 137
    process.stdout.close()
    return masks


@pytest.mark.parametrize(
    ("ignored", "blocked"), [([], []), ([2], []), ([1, 3, 17], [15]), ([15, 13], [2, 12]), ([40], [41])]
)
def test_signals(made: World, tmp_path: Path, ignored: list[int], blocked: list[int]) -> None:
    bundle = make_bundle(tmp_path / "bundle", ["/bin/busybox", "sh", "-c", "echo begun; sleep 100"])
    (bundle / "rootfs/bin/sleep").symlink_to("busybox")
    normal, restored = (
        signal_state(program, bundle, tmp_path / "root", ignored, blocked) for program in programs(made)
    )
    crashes = sum(1 << number - 1 for number in (4, 6, 7, 8, 11))
    restored["SigCgt"] &= ~crashes
    assert restored == normal


# --- limits, personalities, namespaces ----------------------------------------------------


@pytest.mark.parametrize(
    "wrapper",
    [
        ["prlimit", "--stack=unlimited"], ["prlimit", "--stack=262144"], ["prlimit", "--nofile=16"],
        ["prlimit", "--core=0"], ["prlimit", "--as=unlimited"], ["setarch", "-R"], ["setarch", "-X"],
        ["setpriv", "--no-new-privs"], ["setpriv", "--bounding-set=-all"], ["nice", "-n", "5"],
        ["unshare", "--mount"], ["unshare", "--pid", "--fork"], ["unshare", "--pid", "--fork", "--mount-proc"],
        ["unshare", "--user", "--map-root-user"], ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork"],
        ["unshare", "--user", "--map-root-user", "unshare", "--user", "--map-root-user"], ["unshare", "--net", "--uts", "--ipc"],
        ["env", "-i"], ["setsid", "-w"],
    ],
)  # fmt: skip
def test_wrapped(made: World, wrapper: list[str]) -> None:
    """In use under all of these, and the answer is the same."""
    if run([*wrapper, "/bin/true"])[0] != 0:
        pytest.skip(f"{wrapper[0]} cannot do this here")
    assert made.status_line(*wrapper).startswith(IN_USE)
    normal, restored = (run([*wrapper, program, "--version"]) for program in programs(made))
    assert normal == restored


def test_legacy_layout(made: World) -> None:
    """Where libraries lie bottom-up the image's place may be taken: then, and only then, the start is normal."""
    for _ in range(20):
        status, out, _ = run(["setarch", "-L", str(made.launcher), "--version"])
        assert (status, out[:6]) == (0, b"pyrunc")


def test_command_line_is_the_process_s_own(made: World, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", ["/bin/busybox", "sh", "-c", "echo begun; sleep 100"])
    (bundle / "rootfs/bin/sleep").symlink_to("busybox")
    command = [str(made.launcher), "--root", str(tmp_path / "root"), "run", "-b", str(bundle), "c"]
    process = subprocess.Popen(command, env=CLEAN, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    proc = Path(f"/proc/{process.pid}")
    assert (proc / "cmdline").read_bytes().split(b"\0")[:-1] == [os.fsencode(word) for word in command]
    assert (proc / "comm").read_text() == "pyrunc\n"
    images = [link for link in (os.readlink(path) for path in (proc / "fd").iterdir()) if "image" in link]
    assert images == []
    run([str(made.launcher), "--root", str(tmp_path / "root"), "kill", "c", "KILL"])
    assert process.wait(30) == 137
    process.stdout.close()


# --- many ---------------------------------------------------------------------------------


def test_many_at_a_time(made: World, tmp_path: Path) -> None:
    lines = [
        ["--version"],
        ["--help"],
        ["--root", str(tmp_path), "state", "nobody"],
        ["--root", str(tmp_path), "list"],
    ]
    expected = [made.normal(*line) for line in lines]

    def once(number: int) -> str:
        index = number % len(lines)
        status, out, err = made.restored(*lines[index])
        wanted = expected[index]
        if (status, out, err.partition(b"msg=")[2]) == (
            wanted[0],
            wanted[1],
            wanted[2].partition(b"msg=")[2],
        ):
            return "same"
        return f"{lines[index]}: {status} {out!r} {err!r}"

    begin = time.monotonic()
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        results = Counter(pool.map(once, range(RUNS)))
    print(f"{RUNS} runs in {time.monotonic() - begin:.1f} s")
    assert results == {"same": RUNS}
    assert not Path(str(made.image) + ".crashed").exists()
    assert made.status_line().startswith(IN_USE)


def test_many_containers(made: World, tmp_path: Path) -> None:
    bundle = make_bundle(tmp_path / "bundle", ["/bin/busybox", "echo", "hello"])

    def once(number: int) -> tuple[int, bytes, bytes]:
        return made.restored(
            "--root", str(tmp_path / "root"), "run", "-b", str(bundle), f"many-{os.getpid()}-{number}"
        )

    with ThreadPoolExecutor(8) as pool:
        results = Counter(pool.map(once, range(max(16, RUNS // 10))))
    assert set(results) == {(0, b"hello\n", b"")}
