"""The D-Bus marshaller against bytes worked out by hand, and the connection against a bus of our own."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrunc.cgroup import dbus
from pyrunc.cgroup.dbus import Bus, BusError, marshal, parse_address, parse_message, render_call, unmarshal
from pyrunc.errors import HostError

TARGET = ("a.b", "/p", "a.I")


@pytest.mark.parametrize(
    ("signature", "values", "data"),
    [
        ("yu", (1, 2), "01000000 02000000"),
        ("yt", (1, 2), "01000000 00000000 02000000 00000000"),
        ("s", ("abc",), "03000000 61626300"),
        ("g", ("as",), "02617300"),
        ("b", (True,), "01000000"),
        ("as", (["a", "b"],), "0e000000 01000000 61000000 01000000 6200"),
        ("at", ([],), "00000000 00000000"),
        ("v", (("u", 7),), "01750000 07000000"),
        ("a(sv)", ([("A", ("b", False))],), "14000000 00000000 01000000 41000162 00000000 00000000"),
    ],
)
def test_bytes(signature: str, values: tuple[Any, ...], data: str) -> None:
    wanted = bytes.fromhex(data)
    if signature == "a(sv)":  # 01000000 'A\0' | 01 'b\0' pad | 00000000
        wanted = bytes.fromhex("10000000 00000000 01000000 4100 016200 000000 00000000".replace(" ", ""))
    assert bytes(marshal(signature, values)) == wanted
    assert unmarshal(signature, wanted)[0] == list(values)


LEAVES: dict[str, st.SearchStrategy[Any]] = {
    "s": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6),
    "t": st.integers(0, 2**64 - 1),
    "i": st.integers(-(2**31), 2**31 - 1),
    "y": st.integers(0, 255),
    "b": st.booleans(),
}


def typed(signature: str) -> st.SearchStrategy[tuple[str, Any]]:
    return LEAVES[signature].map(lambda value: (signature, value))


leaves = st.sampled_from(sorted(LEAVES)).flatmap(typed)


def arrays(inner: tuple[str, Any]) -> tuple[str, Any]:
    return "a" + inner[0], [inner[1], inner[1]]


def tuples(inner: list[tuple[str, Any]]) -> tuple[str, Any]:
    return "(" + "".join(item[0] for item in inner) + ")", tuple(item[1] for item in inner)


values = st.recursive(
    leaves,
    lambda inner: (
        inner.map(arrays)
        | st.lists(inner, min_size=1, max_size=3).map(tuples)
        | inner.map(lambda item: ("v", item))
    ),
    max_leaves=6,
)


@given(st.lists(values, max_size=4))
def test_what_is_read_is_what_was_written(items: list[tuple[str, Any]]) -> None:
    signature = "".join(item[0] for item in items)
    data = bytes(marshal(signature, [item[1] for item in items]))
    assert unmarshal(signature, data) == ([item[1] for item in items], len(data))


def test_a_call_is_a_message() -> None:
    data = render_call(7, TARGET, "Do", "su", ("x", 5))
    message, size = parse_message(data + b"rest")
    assert message is not None
    assert (message.kind, message.serial, message.body, size) == (dbus.CALL, 7, ["x", 5], len(data))
    assert message.fields == {1: "/p", 2: "a.I", 3: "Do", 6: "a.b", 8: "su"}
    assert [parse_message(data[:cut])[0] for cut in (0, 10, len(data) - 1)] == [None] * 3


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("unix:path=/run/bus", b"/run/bus"),
        ("tcp:host=x;unix:guid=1,path=/a%20b", b"/a b"),
        ("unix:abstract=/x", b"\0/x"),
    ],
)
def test_addresses(address: str, place: bytes) -> None:
    assert parse_address(address) == place


def test_an_address_without_a_socket() -> None:
    with pytest.raises(HostError, match="no unix socket"):
        parse_address("tcp:host=localhost")


def reply_to(
    serial: int, kind: int = dbus.RETURN, name: str = "", signature: str = "", body: tuple[Any, ...] = ()
) -> bytes:
    fields: list[tuple[int, tuple[str, Any]]] = [(5, ("u", serial))]
    fields += [(4, ("s", name))] if name else []
    fields += [(8, ("g", signature))] if signature else []
    data = marshal(signature, body)
    header = marshal("yyyyuua(yv)", [ord("l"), kind, 0, 1, len(data), 99, fields])
    header.extend(bytes(-len(header) % 8))
    return bytes(header + data)


def serve(directory: Path, answer: bytes) -> tuple[str, threading.Thread]:
    """A bus that says `answer` once it was called."""
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(directory / "bus"))
    server.listen(1)

    def run() -> None:
        connection = server.accept()[0]
        connection.recv(65536)
        if answer:
            connection.sendall(answer[:20])
            connection.sendall(answer[20:])
            connection.close()
        else:
            connection.recv(65536)
        server.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return f"unix:path={directory}/bus", thread


HELLO = b"DATA\r\nOK 1234\r\n" + reply_to(1, signature="s", body=(":1.5",))


def test_a_reply_in_pieces(tmp_path: Path) -> None:
    address, _ = serve(tmp_path, HELLO + reply_to(2, signature="o", body=("/job/1",)))
    bus = Bus(address)
    assert bus.reply(bus.call(TARGET, "Do")) == ["/job/1"]
    bus.close()


def test_an_error(tmp_path: Path) -> None:
    address, _ = serve(tmp_path, HELLO + reply_to(2, dbus.ERROR, "a.b.Bad", "s", ("it broke",)))
    bus = Bus(address)
    with pytest.raises(BusError, match="it broke") as caught:
        bus.reply(bus.call(TARGET, "Do"))
    assert caught.value.name == "a.b.Bad"
    bus.close()


def test_rejected(tmp_path: Path) -> None:
    address, _ = serve(tmp_path, b"REJECTED EXTERNAL\r\n" + bytes(10))
    bus = Bus(address)
    with pytest.raises(HostError, match="does not let us in"):
        bus.reply(1)
    bus.close()


def test_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dbus, "SECONDS", 0.2)
    address, _ = serve(tmp_path, b"")
    bus = Bus(address)
    with pytest.raises(HostError, match="within 0.2 s"):
        bus.reply(1)
    bus.close()


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(HostError, match="cannot reach D-Bus"):
        Bus(f"unix:path={tmp_path}/none")
