"""Finding and executing the program, waiting for start (csrc/op_program.c)."""

from __future__ import annotations

import errno
import os
import select
import signal
from pathlib import Path

import pytest

from pyrunc.execute import conversation
from pyrunc.execute.conversation import parse_message
from pyrunc.execute.seccomp import compile_filter
from pyrunc.plan import ops
from pyrunc.plan.ops import Op, Slot
from tests.native.init_process import InitError, InitProcess, error_of, in_root
from tests.processes import DEADLINE, wait_until


def script(path: Path, text: str = "", mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}")
    path.chmod(mode)
    return path


def run(*operations: Op) -> int:
    """Carry the operations out to the end; the program's exit code."""
    with InitProcess(list(operations)) as init:
        while init.receive():
            pass
        return init.process.wait(DEADLINE)


def execute(name: str, path: str = "", args: list[str] | None = None, env: list[str] | None = None) -> int:
    return run(ops.find_executable(name, path), ops.exec(args or [name], env or []))


# --- find_executable ---


def test_name_with_a_slash(tmp_path: Path) -> None:
    program = script(tmp_path / "bin" / "tool", "exit 7")
    assert execute(str(program)) == 7
    assert run(ops.change_directory(str(tmp_path)), ops.find_executable("bin/tool", "/nowhere"), ops.exec(["x"], [])) == 7


def test_the_path_is_searched_in_order(tmp_path: Path) -> None:
    """A directory and a file without x permission are passed over."""
    (tmp_path / "a" / "tool").mkdir(parents=True)
    script(tmp_path / "b" / "tool", mode=0o644)
    script(tmp_path / "c" / "tool", "exit 3")
    script(tmp_path / "d" / "tool", "exit 4")
    (tmp_path / "file").write_text("")
    path = ":".join(str(tmp_path / name) for name in ("gone", "file", "a", "b", "c", "d"))
    assert execute("tool", path) == 3


def test_an_empty_element_is_the_working_directory(tmp_path: Path) -> None:
    script(tmp_path / "tool", "exit 5")
    for path in ("", ":/nowhere", "/nowhere:", "/nowhere::/gone"):
        assert run(ops.change_directory(str(tmp_path)), ops.find_executable("tool", path), ops.exec(["t"], [])) == 5


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("gone", errno.ENOENT), ("", errno.ENOENT), ("plain", errno.EACCES), ("directory", errno.EACCES),
        ("/gone", errno.ENOENT), ("{}/plain", errno.EACCES), ("{}/directory", errno.EACCES),
        ("{}/plain/x", errno.ENOTDIR), ("{}/loop", errno.ELOOP), ("x" * 300, errno.ENOENT),
        ("/" + "x" * 5000, errno.ENAMETOOLONG),
    ],
)  # fmt: skip
def test_not_found(name: str, number: int, tmp_path: Path) -> None:
    script(tmp_path / "plain", mode=0o644)
    (tmp_path / "directory").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    error = error_of([ops.find_executable(name.format(tmp_path), str(tmp_path))])
    assert (error.op, error.errno) == ("find_executable", number)


def test_permissions_are_those_of_the_effective_user(tmp_path: Path) -> None:
    program = script(tmp_path / "tool", "exit 9", mode=0o700)
    for directory in (tmp_path, *tmp_path.parents):
        if not directory.stat().st_mode & 1:
            directory.chmod(directory.stat().st_mode | 0o011)
    assert error_of([ops.set_user(1000, 1000), ops.find_executable(str(program), "")]).errno == errno.EACCES


# --- exec ---


def test_arguments_and_environment(tmp_path: Path) -> None:
    program = script(tmp_path / "tool", f'printf "%s|" "$@" "$A" "${{HOME-none}}" > {tmp_path}/out')
    assert execute(str(program), args=["zero", "", "one two", "ü"], env=["A=b=c", "B="]) == 0
    assert (tmp_path / "out").read_text() == "|one two|ü|b=c|none|"


def test_a_file_without_a_format_is_an_error(tmp_path: Path) -> None:
    """No shell is tried in its place."""
    program = tmp_path / "tool"
    program.write_text("exit 0\n")
    program.chmod(0o755)
    with pytest.raises(InitError) as caught:
        execute(str(program))
    assert (caught.value.op, caught.value.errno) == ("exec", errno.ENOEXEC)


def test_close_fds_keeps_what_is_preserved(tmp_path: Path) -> None:
    program = script(tmp_path / "tool", f"exec ls /proc/self/fd > {tmp_path}/out")
    leak = os.open("/", os.O_RDONLY)
    find = ops.find_executable(str(program), "")
    operations = [find, ops.close_fds(0), ops.exec(["x"], ["PATH=/usr/bin:/bin"])]
    with InitProcess(operations, leaked=[leak]) as init:
        assert init.receive() is None
        init.process.wait(DEADLINE)
    os.close(leak)
    assert (tmp_path / "out").read_text().split() == ["0", "1", "2", "3"]  # 3 is the directory ls reads


def test_close_fds_closes_at_once_what_no_later_operation_uses() -> None:
    """While a directory is open, /proc/self/fd leads out of the root."""
    used, unused, tree = Slot("used"), Slot("unused"), Slot("tree")
    leak = os.open("/", os.O_RDONLY)
    operations = [
        ops.open_source(unused, "/usr"), ops.open_source(used, "/tmp"), ops.open_source(tree, "/etc"),
        ops.open_root(), ops.close_fds(0), ops.signal("look"), ops.wait("end"), ops.send_fd(used),
        ops.make_directory("/tmp", 0o755),
    ]  # fmt: skip
    with InitProcess(operations, leaked=[leak]) as init:
        init.until("look")
        folder = Path(f"/proc/{init.pid}/fd")
        found = {number.readlink() for number in folder.iterdir() if number.is_dir()}
        assert found == {Path("/tmp")}
        init.signal("end")
        with pytest.raises(InitError) as caught:
            while init.receive():
                pass
        assert (caught.value.op, caught.value.errno) == ("make_directory", errno.EBADF)
    os.close(leak)


def test_close_fds_closes_between_what_is_kept() -> None:
    first, second = Slot("first"), Slot("second")
    operations = [
        ops.open_source(Slot("a"), "/"), ops.open_source(first, "/tmp"), ops.open_source(Slot("b"), "/"),
        ops.open_source(second, "/etc"), ops.open_source(Slot("c"), "/"),
        ops.close_fds(0), ops.signal("look"), ops.wait("end"), ops.send_fd(first), ops.send_fd(second),
    ]  # fmt: skip
    with InitProcess(operations) as init:
        init.until("look")
        folder = Path(f"/proc/{init.pid}/fd")
        found = sorted(str(number.readlink()) for number in folder.iterdir() if number.is_dir())
        assert found == ["/etc", "/tmp"]


# --- HOME ---

PASSWD = "root:x:0:0:root:/root:/bin/sh\nbad line\nshort:x:5\ntext:x:5x:0::/wrong:/x\nuser:x:1000:1000:a user:/home/user:/x"


@pytest.mark.parametrize(
    ("passwd", "uid", "env", "home"),
    [
        (PASSWD, 0, [], "/root"), (PASSWD, 1000, [], "/home/user"), (PASSWD, 5, [], "/"), (PASSWD, 7, [], "/"),
        ("", 0, [], "/"), (None, 0, [], "/"), ("x:x:0:0::\n", 0, [], "/"), ("x:x:0:0:::/sh\n", 0, [], "/"),
        ("a:x:0:0::/first:\nb:x:0:0::/second:\n", 0, [], "/first"),
        ("#" * 9000 + "\n" + PASSWD, 1000, [], "/home/user"), ("x:x:18446744073709551616:0::/wrong:\n", 0, [], "/"),
        (f"x:x:3:3::/{'h' * 5000}:/sh\n{PASSWD}", 0, [], "/root"),
        (PASSWD, 0, ["HOME=/given"], "/given"), (PASSWD, 0, ["A=b", "HOME=", "C=d"], "/root"),
    ],
)  # fmt: skip
def test_find_home(passwd: str | None, uid: int, env: list[str], home: str, root: Path, tmp_path: Path) -> None:
    (root / "etc" / "passwd").unlink()
    if passwd is not None:
        (root / "etc" / "passwd").write_text(passwd)
    program = script(tmp_path / "tool", f"exec cat /proc/self/environ > {tmp_path}/out")
    operations = in_root(root, ops.find_home(uid), swap=False)[:-2]  # the host's / stays the root: sh is there
    operations += [ops.find_executable(str(program), ""), ops.exec(["x"], env)]
    assert run(*operations) == 0
    variables = (tmp_path / "out").read_text().split("\0")
    assert [line for line in variables if line.startswith("HOME=")] == [f"HOME={home}"]


@pytest.mark.parametrize("kind", ["fifo", "directory", "symlink to a secret"])
def test_find_home_is_not_fooled(kind: str, root: Path, tmp_path: Path) -> None:
    passwd = root / "etc" / "passwd"
    passwd.unlink()
    if kind == "fifo":
        os.mkfifo(passwd)
    elif kind == "directory":
        passwd.mkdir()
    else:
        (tmp_path / "secret").write_text(PASSWD)
        passwd.symlink_to(f"../../{tmp_path.name}/secret")
    program = script(tmp_path / "tool", f"exec cat /proc/self/environ > {tmp_path}/out")
    operations = in_root(root, ops.find_home(0), swap=False)[:-2]
    assert run(*operations, ops.find_executable(str(program), ""), ops.exec(["x"], [])) == 0
    assert "HOME=/\0" in (tmp_path / "out").read_text()


# --- await_start ---


class Fifos:
    """start.fifo and reply.fifo as create opens them; `init` are the descriptors for pyrunc-init."""

    def __init__(self, directory: Path) -> None:
        self.start, self.reply = str(directory / "start.fifo"), str(directory / "reply.fifo")
        os.mkfifo(self.start)
        os.mkfifo(self.reply)
        self.reader = os.open(self.reply, os.O_RDONLY | os.O_NONBLOCK)
        self.init = {"start": os.open(self.start, os.O_RDWR), "reply": os.open(self.reply, os.O_WRONLY)}

    def created(self, init: InitProcess) -> None:
        """Read until `created`, as create does, and leave only pyrunc-init's descriptors open."""
        init.until("created")
        assert init.receive() is None
        for fd in self.init.values():
            os.close(fd)

    def answer(self) -> bytes:
        """What comes before the end of file."""
        select.select([self.reader], [], [], DEADLINE)
        data = os.read(self.reader, 4096)
        if data:
            select.select([self.reader], [], [], DEADLINE)
            assert os.read(self.reader, 4096) == b""
        os.close(self.reader)
        return data


def begin(path: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    os.write(fd, b"\0")
    os.close(fd)


def has_no_reader(path: str) -> bool:
    """The program runs: execve closes both FIFOs, one after the other."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    except OSError as error:
        return error.errno == errno.ENXIO
    return False


def test_await_start(tmp_path: Path) -> None:
    fifos = Fifos(tmp_path)
    program = script(tmp_path / "tool", f"echo > {tmp_path}/ran; exec sleep 30")
    operations = [
        ops.set_parent_death_signal(9), ops.find_executable(str(program), ""), ops.close_fds(0),
        ops.await_start(Slot("start"), Slot("reply")), ops.exec(["x"], ["PATH=/usr/bin:/bin"]),
    ]  # fmt: skip
    with InitProcess(operations, fifos.init) as init:
        fifos.created(init)
        assert not (tmp_path / "ran").exists()
        begin(fifos.start)
        assert fifos.answer() == b""
        wait_until(lambda: has_no_reader(fifos.start), what="execve")
        init.process.kill()


def test_failures_after_created_go_to_the_fifo(tmp_path: Path) -> None:
    fifos = Fifos(tmp_path)
    program = tmp_path / "tool"
    program.write_text("no program")
    program.chmod(0o755)
    operations = [
        ops.find_executable(str(program), ""), ops.await_start(Slot("start"), Slot("reply")), ops.exec(["x"], []),
    ]  # fmt: skip
    with InitProcess(operations, fifos.init) as init:
        fifos.created(init)
        begin(fifos.start)
        message = parse_message(fifos.answer())
        assert (message.kind, message.op, message.error) == (conversation.ERROR, 2, errno.ENOEXEC)
        assert init.process.wait(DEADLINE) != 0


def test_a_created_container_outlives_its_runtime(tmp_path: Path) -> None:
    """Before `created` it dies with it: tests of set_parent_death_signal and of wait."""
    fifos = Fifos(tmp_path)
    program = script(tmp_path / "tool", "exit 6")
    operations = [
        ops.find_executable(str(program), ""), ops.await_start(Slot("start"), Slot("reply")), ops.exec(["x"], []),
    ]  # fmt: skip
    with InitProcess(operations, fifos.init) as init:
        fifos.created(init)
        init.socket.close()
        assert init.process.poll() is None
        begin(fifos.start)
        assert fifos.answer() == b""
        assert init.process.wait(DEADLINE) == 6


def test_little_is_called_behind_the_filter(tmp_path: Path) -> None:
    """A filter that kills for anything but these calls, as the least of what every program needs."""
    fifos = Fifos(tmp_path)
    allowed = ["read", "write", "close", "execve", "exit_group"]
    profile = {"defaultAction": "SCMP_ACT_KILL_PROCESS", "syscalls": [{"names": allowed, "action": "SCMP_ACT_ALLOW"}]}
    operations = [
        ops.set_parent_death_signal(9), ops.find_executable("/bin/true", ""), ops.set_no_new_privs(),
        ops.load_seccomp(compile_filter(profile), 0, 0), ops.await_start(Slot("start"), Slot("reply")),
        ops.exec(["true"], []),
    ]  # fmt: skip
    with InitProcess(operations, fifos.init) as init:
        fifos.created(init)
        begin(fifos.start)
        assert fifos.answer() == b""  # it came as far as execve; the program itself needs more calls
        assert init.process.wait(DEADLINE) in (0, -signal.SIGSYS)
