"""The native module: sealed memfds, starting programs, paths, maps, limits, device programs."""

from __future__ import annotations

import errno
import fcntl
import os
import resource
import signal
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pyrunc import native
from pyrunc.linux import CLONE_NEWNS, CLONE_NEWUSER

SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def run(script: str, **options: object) -> str:
    """What a shell script started through spawn writes."""
    reader, writer = os.pipe()
    fds = [(writer, 1), *options.pop("fds", [])]  # type: ignore[misc]
    pid, pidfd = native.spawn("/bin/sh", [b"sh", b"-c", script.encode()], [], fds, **options)  # type: ignore[arg-type]
    os.close(writer)
    with open(reader) as pipe:
        text = pipe.read()
    os.close(pidfd)
    os.waitpid(pid, 0)
    return text


def bpf_return(value: int) -> bytes:
    """mov r0, value; exit"""
    return struct.pack("<BBhi", 0xB7, 0, 0, value) + struct.pack("<BBhi", 0x95, 0, 0, 0)


# --- memfds ---


def test_init_memfd_is_sealed_and_runs() -> None:
    fd = native.init_memfd()
    assert fcntl.fcntl(fd, fcntl.F_GET_SEALS) & SEALS == SEALS
    assert os.fstat(fd).st_mode & 0o777 == 0o500
    assert fcntl.fcntl(fd, fcntl.F_GETFD) == fcntl.FD_CLOEXEC
    with pytest.raises(OSError, match="not permitted"):
        os.write(fd, b"x")
    assert os.pread(fd, 4, 0) == b"\x7fELF"
    built = Path(__file__).resolve().parents[2] / "build" / "pyrunc-init"
    assert os.fstat(fd).st_size == built.stat().st_size, "pyrunc/_native was built with another pyrunc-init"
    os.close(fd)


def test_sealed_memfd_holds_the_data() -> None:
    data = bytes(range(256)) * 1000
    fd = native.sealed_memfd(data, "plan")
    assert os.pread(fd, len(data) + 1, 0) == data
    assert fcntl.fcntl(fd, fcntl.F_GET_SEALS) & SEALS == SEALS
    os.close(fd)


# --- spawn ---


def test_spawn_gives_arguments_environment_directory(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    argv = [b"sh", b"-c", b'printf "%s|" "$#" "$@" "$A" "$EMPTY" "$PWD"; env | wc -l', b"0", b"", b"two words", b""]
    pid, pidfd = native.spawn(b"/bin/sh", argv, [b"A=b c", b"EMPTY="], [(writer, 1)], directory=str(tmp_path))
    os.close(writer)
    assert os.waitid(os.P_PIDFD, pidfd, os.WEXITED).si_pid == pid
    assert os.read(reader, 1000).decode().split("|") == ["3", "", "two words", "", "b c", "", str(tmp_path), "3\n"]
    os.close(reader)
    os.close(pidfd)


def test_spawn_passes_only_what_is_asked_for() -> None:
    leak = os.open("/", os.O_RDONLY)
    os.set_inheritable(leak, True)
    reader, writer = os.pipe()
    text = run("cd /proc/self/fd; echo *", fds=[(writer, 3), (reader, 4), (writer, 9)])
    listed = {int(fd) for fd in text.split()}
    assert listed >= {0, 1, 2, 3, 4, 9}
    assert len(listed) == 7  # and the shell's own descriptor of the directory
    for fd in (leak, reader, writer):
        os.close(fd)


def test_spawn_can_swap_descriptors() -> None:
    """A target may be another's source."""
    files = [os.memfd_create(name) for name in ("one", "two")]
    for fd, text in zip(files, (b"1", b"2"), strict=True):
        os.write(fd, text)
        os.lseek(fd, 0, os.SEEK_SET)
    first, second = (fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 100) for fd in files)
    script = f"cat <&{first}; cat <&{second}".replace("<&", "</proc/self/fd/")
    assert run(script, fds=[(first, second), (second, first)]) == "21"
    for fd in (*files, first, second):
        os.close(fd)


def test_spawn_program_descriptor_may_be_a_target() -> None:
    program = native.init_memfd()
    pid, pidfd = native.spawn(program, [b"pyrunc-init"], [], [(0, program)])
    os.close(pidfd)
    os.close(program)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) >= 0


def test_spawn_resets_signals() -> None:
    old = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    try:
        lines = run("exec /bin/cat /proc/self/status").splitlines()
    finally:
        signal.signal(signal.SIGTERM, old)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
    masks = {line.split()[0]: int(line.split()[1], 16) for line in lines if line.startswith("Sig") and "/" not in line}
    assert masks["SigBlk:"] == masks["SigIgn:"] == 0
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()


@pytest.mark.parametrize(
    ("program", "number"), [("/nowhere", errno.ENOENT), ("/etc/passwd", errno.EACCES), ("/dev/null", errno.EACCES)]
)
def test_spawn_returns_the_error_of_exec(program: str, number: int) -> None:
    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError) as caught:
        native.spawn(program, [b"x"], [])
    assert (caught.value.errno, caught.value.filename) == (number, program)
    assert set(os.listdir("/proc/self/fd")) == before
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


@pytest.mark.parametrize("own", [False, True])
def test_spawn_process_group(own: bool) -> None:
    pid, pidfd = native.spawn("/bin/sleep", [b"sleep", b"60"], [], own_group=own)
    assert os.getpgid(pid) == (pid if own else os.getpgrp())
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    os.close(pidfd)


def test_spawn_refuses_nul() -> None:
    with pytest.raises(ValueError, match="NUL"):
        native.spawn("/bin/true", [b"a\0b"], [])


def test_spawn_wrong_directory() -> None:
    with pytest.raises(FileNotFoundError):
        native.spawn("/bin/true", [b"true"], [], directory="/nowhere")


def test_spawn_many_times_and_from_a_thread() -> None:
    codes: list[int] = []

    def work() -> None:
        for _ in range(20):
            pid, pidfd = native.spawn("/bin/true", [b"true"], [])
            codes.append(os.waitpid(pid, 0)[1])
            os.close(pidfd)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == [0] * 60


# --- paths ---


def test_beneath(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "file").write_text("old")
    (tmp_path / "inside" / "link").symlink_to("file")
    (tmp_path / "outside").write_text("")
    directory = os.open(tmp_path / "inside", os.O_RDONLY)
    native.write_beneath(directory, "file", b"new")
    assert (tmp_path / "inside" / "file").read_text() == "new"
    fd = native.open_beneath(directory, "made", os.O_CREAT | os.O_WRONLY, 0o600)
    assert not os.get_inheritable(fd)
    os.close(fd)
    assert (tmp_path / "inside" / "made").stat().st_mode & 0o777 == 0o600
    for path, number in (
        ("../outside", errno.EXDEV), ("/etc/passwd", errno.EXDEV), ("link", errno.ELOOP), ("gone", errno.ENOENT),
    ):  # fmt: skip
        with pytest.raises(OSError) as caught:
            native.write_beneath(directory, path, b"x")
        assert (caught.value.errno, caught.value.filename) == (number, path)
    os.close(directory)


# --- processes ---


def test_prlimit() -> None:
    pid, pidfd = native.spawn("/bin/sleep", [b"sleep", b"60"], [])
    native.prlimit(pid, resource.RLIMIT_CORE, 4096, native.NO_LIMIT)
    assert resource.prlimit(pid, resource.RLIMIT_CORE) == (4096, resource.RLIM_INFINITY)
    with pytest.raises(OSError):
        native.prlimit(pid, 99, 0, 0)
    signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(pidfd)


def test_prctl_and_subreaper() -> None:
    code = (
        "from pyrunc import native; native.set_child_subreaper(); assert native.prctl(3) == 1;"
        "native.prctl(4, 0); assert native.prctl(3) == 0"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).resolve().parents[2])
    with pytest.raises(OSError):
        native.prctl(9999)


@root
def test_user_namespace_has_the_maps() -> None:
    fd = native.make_user_namespace(b"0 100000 1000\n", b"0 200000 10\n5000 5000 1\n")
    assert os.readlink(f"/proc/self/fd/{fd}").startswith("user:")
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
    code = (
        "import sys; from pyrunc import native; native.setns(int(sys.argv[1]), int(sys.argv[2]));"
        "print(open('/proc/self/uid_map').read().split(), open('/proc/self/gid_map').read().split())"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code, str(fd), str(CLONE_NEWUSER)],
        pass_fds=[fd], check=True, capture_output=True, text=True, cwd=Path(__file__).resolve().parents[2],
    )  # fmt: skip
    assert shown.stdout == "['0', '100000', '1000'] ['0', '200000', '10', '5000', '5000', '1']\n"
    with pytest.raises(OSError):
        native.setns(fd, CLONE_NEWNS)
    os.close(fd)
    with pytest.raises(OSError):
        native.make_user_namespace(b"nonsense", b"0 0 1\n")


# --- control groups ---


@pytest.fixture
def cgroup() -> object:
    """A directory descriptor of a new, empty v2 cgroup; removed again."""
    mount = next((path for path in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified")
                  if os.path.exists(f"{path}/cgroup.controllers")), None)  # fmt: skip
    if mount is None or os.geteuid() != 0:
        pytest.skip("needs root and a cgroup v2 mount")
    path = Path(mount) / f"pyrunc-native-{os.getpid()}"
    path.mkdir()
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)
    path.rmdir()


def test_spawn_into_a_cgroup(cgroup: int) -> None:
    assert f"pyrunc-native-{os.getpid()}" in run("cat /proc/self/cgroup", cgroup_fd=cgroup)


def test_device_programs(cgroup: int) -> None:
    deny, allow = (native.bpf_load_device_program(bpf_return(value)) for value in (0, 1))
    assert native.bpf_device_programs(cgroup) == []
    assert run("head -c1 /dev/zero | wc -c", cgroup_fd=cgroup).strip() == "1"
    native.bpf_attach_device(cgroup, deny)
    assert run("head -c1 /dev/zero 2>&1; :", cgroup_fd=cgroup).endswith("Operation not permitted\n")
    (attached,) = native.bpf_device_programs(cgroup)
    native.bpf_attach_device(cgroup, allow, attached)
    os.close(attached)
    assert run("head -c1 /dev/zero | wc -c", cgroup_fd=cgroup).strip() == "1"
    (attached,) = native.bpf_device_programs(cgroup)
    native.bpf_detach_device(cgroup, attached)
    assert native.bpf_device_programs(cgroup) == []
    with pytest.raises(OSError):
        native.bpf_detach_device(cgroup, attached)
    for fd in (deny, allow, attached):
        os.close(fd)


@root
def test_a_refused_program_says_why() -> None:
    with pytest.raises(OSError) as caught:
        native.bpf_load_device_program(struct.pack("<BBhi", 0xB7, 0, 0, 1))  # no exit
    assert caught.value.errno == errno.EINVAL
    assert len(str(caught.value)) > len("[Errno 22] Invalid argument")
