"""The decoder, the conversation and the generated tables."""

from __future__ import annotations

import errno
import os
import struct
import subprocess
import sys

import pytest

from pyrunc.plan import ops
from pyrunc.plan.opcodes import CODES
from pyrunc.plan.ops import Op, Slot
from pyrunc.plan.plan import Plan
from pyrunc.plan.wire import encode_plan
from tests.native.init_process import CHECKOUT, PROGRAM, InitError, InitProcess, error_of
from tests.processes import DEADLINE

SAMPLE = [ops.set_umask(0), ops.run_hook("/x", ["a", ""], ["A=1"], 5, "{}"), ops.wait("end")]


def encode(operations: list[Op]) -> bytes:
    plan = Plan()
    plan.init = operations
    return encode_plan(plan, {})


def refusal(data: bytes) -> InitError:
    with InitProcess.of_bytes(data) as init:
        try:
            init.receive()
        except InitError as error:
            return error
    raise AssertionError("not refused")


def test_generated_files_are_up_to_date() -> None:
    subprocess.run([sys.executable, CHECKOUT / "csrc" / "generate_ops.py", "--check"], check=True)


def test_codes_are_the_init_operations() -> None:
    assert "write_record" not in CODES
    assert list(CODES.values()) == list(range(1, len(CODES) + 1))


def test_program_is_small_and_static() -> None:
    assert PROGRAM.stat().st_size < 100_000
    assert b"ld-linux" not in PROGRAM.read_bytes() and b"ld-musl" not in PROGRAM.read_bytes()


@pytest.mark.needs("make")
def test_decoder_survives_mutations() -> None:
    subprocess.run(["make", "-s", "-C", CHECKOUT / "csrc", "fuzz"], check=True)
    subprocess.run([CHECKOUT / "build" / "fuzz_plan", "300000", str(os.getpid())], check=True)


@pytest.mark.parametrize("cut", [0, 8, 24, 32, -8])
def test_cut_plans(cut: int) -> None:
    error = refusal(encode(SAMPLE)[:cut])
    assert (error.op, error.errno) == ("", errno.EINVAL)


@pytest.mark.parametrize(
    ("offset", "form", "value"),
    [
        (0, "<B", 0x71),  # magic
        (8, "<I", 9999),  # total size
        (12, "<I", 4),  # more operations than there are
        (12, "<I", 2),  # fewer
        (16, "<I", 0x4000_0000),  # slots beyond the end
        (24, "<H", 0),  # no such code
        (24, "<H", 9999),
        (26, "<H", 2),  # argument count
        (28, "<I", 24),  # size of arguments
        (28, "<I", 0xFFFF_FFF8),
        (32, "<I", 2),  # kind
        (36, "<I", 16),  # length of an int
        (36, "<I", 0xFFFF_FFFF),
    ],
)
def test_broken_plans(offset: int, form: str, value: int) -> None:
    data = bytearray(encode(SAMPLE))
    struct.pack_into(form, data, offset, value)
    error = refusal(bytes(data))
    assert (error.op, error.errno) == ("", errno.EINVAL)
    assert error.text.startswith("plan: ")


def test_slot_number_out_of_range() -> None:
    data = bytearray(encode([ops.setns(Slot("x"), 0)]))
    place = len(data) - 32 + 8
    assert struct.unpack_from("<q", data, place) == (0,)
    struct.pack_into("<q", data, place, 1)
    assert refusal(bytes(data)).errno == errno.EINVAL


def test_inner_nul() -> None:
    data = encode([ops.set_hostname("abc")]).replace(b"abc", b"a\0c")
    assert refusal(data).errno == errno.EINVAL


def test_slot_without_descriptor() -> None:
    plan = Plan()
    plan.init, plan.provided = [ops.setns(Slot("x"), 0)], [Slot("x")]
    error = refusal(encode_plan(plan, {"x": 77}))
    assert (error.op, error.errno) == ("", errno.EBADF)


def test_nothing_happens_before_signal_plan() -> None:
    with InitProcess([ops.signal("look"), ops.wait("end")], begin=False) as init:
        init.socket.settimeout(0.1)
        with pytest.raises(TimeoutError):
            init.receive()
        init.socket.settimeout(DEADLINE)
        init.signal("plan")
        init.until("look")


def test_wrong_signal_is_an_error() -> None:
    with InitProcess([ops.wait("mapped")]) as init, pytest.raises(InitError) as caught:
        init.signal("something else")
        init.receive()
    assert (caught.value.op, caught.value.errno) == ("wait", errno.EPROTO)


def test_end_of_the_socket_ends_it_silently() -> None:
    with InitProcess([ops.wait("mapped")]) as init:
        init.socket.close()
        assert init.process.wait(DEADLINE) == 1


def test_trace_names_every_operation() -> None:
    with InitProcess([ops.set_umask(0), ops.signal("look"), ops.wait("end")], trace=True) as init:
        init.until("look")
        init.receive()
        assert init.traced == [0, 1, 2]


def test_error_ends_the_plan() -> None:
    error = error_of([ops.set_umask(0), ops.setns(Slot("x"), 0), ops.signal("look")])
    assert (error.op, error.errno) == ("setns", errno.EBADF)


def test_descriptors_are_close_on_exec() -> None:
    read_end, write_end = os.pipe()
    try:
        with InitProcess([ops.signal("look"), ops.wait("end")], {"start": read_end}) as init:
            init.until("look")
            for name in os.listdir(f"/proc/{init.pid}/fd"):
                text = open(f"/proc/{init.pid}/fdinfo/{name}").read()
                flags = int(
                    next(line for line in text.splitlines() if line.startswith("flags:")).split()[1], 8
                )
                assert int(name) < 3 or flags & os.O_CLOEXEC, name
    finally:
        os.close(read_end)
        os.close(write_end)
