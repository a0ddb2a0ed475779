"""As much of D-Bus as a call to systemd takes: the wire format and one connection.

Everything that does not depend on an answer is sent at once, authentication
included, so that a call costs one round trip.
Specification: https://dbus.freedesktop.org/doc/dbus-specification.html.
"""

from __future__ import annotations

import time

from pyrunc.cgroup.gvariant import split_signature
from pyrunc.cores import pack, unix_socket, unpack_from
from pyrunc.errors import HostError, reason_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

CALL, RETURN, ERROR, SIGNAL = 1, 2, 3, 4
SECONDS = 30.0  # that a connection may take, all its answers together
_ALIGNMENT = {"y": 1, "n": 2, "q": 2, "x": 8, "t": 8, "d": 8, "g": 1, "v": 1, "(": 8, "{": 8}
_CODES = {"y": "B", "n": "h", "q": "H", "i": "i", "u": "I", "b": "I", "h": "I", "x": "q", "t": "Q", "d": "d"}
_PATH, _INTERFACE, _MEMBER, _ERROR_NAME, _REPLY_SERIAL, _DESTINATION, _SIGNATURE = 1, 2, 3, 4, 5, 6, 8
_LARGEST = 1 << 27
_BUS = ("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus")
# an empty identity: the bus takes the one that the kernel vouches for, right in user namespaces too
_AUTHENTICATION = b"\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n"


class BusError(HostError):
    """The other side answered with an error; `name` is D-Bus's name of it."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text or name)
        self.name = name


class BusMessage:
    """One message: kind, serial, header fields by code, body as a list of values."""

    __slots__ = ("body", "fields", "kind", "serial")

    def __init__(self, kind: int, serial: int, fields: dict[int, Any], body: list[Any]) -> None:
        self.kind = kind
        self.serial = serial
        self.fields = fields
        self.body = body

    @property
    def member(self) -> str:
        """The name of the signal or method."""
        return str(self.fields.get(_MEMBER, ""))


# --- wire format -----------------------------------------------------------------


def marshal(signature: str, values: list[Any] | tuple[Any, ...], out: bytearray | None = None) -> bytearray:
    """The values as D-Bus writes them, little endian; appended to `out`, whose length gives the alignment.

    ValueError: there are more or fewer than the signature says.
    """
    out = bytearray() if out is None else out
    types = split_signature(signature)
    if len(types) != len(values):
        raise ValueError(f"{len(values)} values for the signature {signature!r}")
    for kind, value in zip(types, values, strict=True):
        _write(kind, value, out)
    return out


def _pad(out: bytearray, alignment: int) -> None:
    out.extend(bytes(-len(out) % alignment))


def _write(kind: str, value: Any, out: bytearray) -> None:
    _pad(out, _ALIGNMENT.get(kind[0], 4))
    if kind[0] == "a":
        start = len(out)
        out.extend(bytes(4))
        _pad(out, _ALIGNMENT.get(kind[1], 4))
        first = len(out)
        for item in value:
            _write(kind[1:], item, out)
        out[start : start + 4] = pack("<I", len(out) - first)
    elif kind[0] in "({":
        marshal(kind[1:-1], value, out)
    elif kind == "v":
        signature, inner = value
        _write("g", signature, out)
        _write(signature, inner, out)
    elif kind in "sog":
        data = value.encode()
        out.extend(pack("<B" if kind == "g" else "<I", len(data)) + data + b"\0")
    else:
        out.extend(pack("<" + _CODES[kind], value))


def unmarshal(signature: str, data: bytes, at: int = 0, order: str = "<") -> tuple[list[Any], int]:
    """The values of `signature` in `data` from `at` on, and where they end."""
    values = []
    for kind in split_signature(signature):
        value, at = _read(kind, data, at, order)
        values.append(value)
    return values, at


def _read(kind: str, data: bytes, at: int, order: str) -> tuple[Any, int]:
    at += -at % _ALIGNMENT.get(kind[0], 4)
    if kind[0] == "a":
        size: int = unpack_from(order + "I", data, at)[0]
        at += 4
        at += -at % _ALIGNMENT.get(kind[1], 4)
        items, end = [], at + size
        while at < end:
            item, at = _read(kind[1:], data, at, order)
            items.append(item)
        return items, at
    if kind[0] in "({":
        values, at = unmarshal(kind[1:-1], data, at, order)
        return tuple(values), at
    if kind == "v":
        signature, at = _read("g", data, at, order)
        value, at = _read(signature, data, at, order)
        return (signature, value), at
    if kind in "sog":
        size, at = _read("y" if kind == "g" else "u", data, at, order)
        return data[at : at + size].decode(), at + size + 1
    code = _CODES[kind]
    value = unpack_from(order + code, data, at)[0]
    return bool(value) if kind == "b" else value, at + {"B": 1, "h": 2, "H": 2, "q": 8, "Q": 8, "d": 8}.get(
        code, 4
    )


def render_call(
    serial: int, target: tuple[str, str, str], member: str, signature: str, values: tuple[Any, ...]
) -> bytes:
    """A method call to `target` (destination, path, interface)."""
    destination, path, interface = target
    fields: list[tuple[int, tuple[str, str]]] = [
        (_PATH, ("o", path)), (_INTERFACE, ("s", interface)), (_MEMBER, ("s", member)),
        (_DESTINATION, ("s", destination)),
    ]  # fmt: skip
    if signature:
        fields.append((_SIGNATURE, ("g", signature)))
    body = marshal(signature, values)
    header = marshal("yyyyuua(yv)", [ord("l"), CALL, 0, 1, len(body), serial, fields])
    _pad(header, 8)
    return bytes(header + body)


def parse_message(data: bytes) -> tuple[BusMessage | None, int]:
    """The first message in `data` and its length; None if it is not complete.  HostError: too large."""
    if len(data) < 16:
        return None, 0
    order = "<" if data[0] == ord("l") else ">"
    body_size, serial, fields_size = unpack_from(order + "III", data, 4)
    start = 16 + fields_size + (-fields_size % 8)
    if start + body_size > _LARGEST:
        raise HostError("the answer on D-Bus is too large to be one")
    if len(data) < start + body_size:
        return None, 0
    (listed,), _ = unmarshal("a(yv)", data, 12, order)
    fields = {code: variant[1] for code, variant in listed}
    body, _ = unmarshal(fields.get(_SIGNATURE, ""), data[start : start + body_size], 0, order)
    return BusMessage(data[1], serial, fields, body), start + body_size


# --- connection ---------------------------------------------------------------------


class Bus:
    """A connection to a message bus; HostError for what goes wrong, at the latest after SECONDS."""

    def __init__(self, address: str) -> None:
        self._deadline = time.monotonic() + SECONDS
        self._serial = 0
        self._input = b""
        self._greeted = False
        self._messages: list[BusMessage] = []
        self._socket = unix_socket()
        self._output = _AUTHENTICATION
        try:
            self._socket.connect(parse_address(address))
        except OSError as error:
            self.close()
            text = f"cannot reach D-Bus at {address}: {reason_of(error)}"
            raise HostError(text, errno=error.errno or 0) from error
        self.call(_BUS, "Hello")

    def close(self) -> None:
        """Leave the bus."""
        self._socket.close()

    def call(self, target: tuple[str, str, str], member: str, signature: str = "", *values: Any) -> int:
        """Put a call into the next message to be sent; its serial, for `reply`."""
        self._serial += 1
        self._output += render_call(self._serial, target, member, signature, values)
        return self._serial

    def match(self, rule: str) -> None:
        """Ask for signals."""
        self.call(_BUS, "AddMatch", "s", rule)

    def reply(self, serial: int) -> list[Any]:
        """The values that a call returned. BusError: it answered with an error."""
        found = self.wait(lambda message: message.fields.get(_REPLY_SERIAL) == serial)
        if found.kind == ERROR:
            text = str(found.body[0]) if found.body else ""
            raise BusError(str(found.fields.get(_ERROR_NAME, "")), text)
        return found.body

    def wait(self, wanted: Callable[[BusMessage], bool]) -> BusMessage:
        """The first message that is wanted; others are kept."""
        self._flush()
        while True:
            for index, message in enumerate(self._messages):
                if wanted(message):
                    return self._messages.pop(index)
            self._receive()

    def _flush(self) -> None:
        while self._output:
            self._arm()
            try:
                sent = self._socket.send(self._output)
            except OSError as error:
                raise self._lost(error) from error
            self._output = self._output[sent:]

    def _arm(self) -> None:
        self._socket.settimeout(max(self._deadline - time.monotonic(), 0.001))

    def _lost(self, error: OSError) -> HostError:
        if isinstance(error, TimeoutError):
            return HostError(f"no answer from systemd on D-Bus within {SECONDS:g} s")
        return HostError(f"the connection to D-Bus broke: {reason_of(error)}")

    def _receive(self) -> None:
        """Take in what comes next."""
        self._arm()
        try:
            data = self._socket.recv(65536)
        except OSError as error:
            raise self._lost(error) from error
        if not data:
            raise HostError(
                "D-Bus closed the connection: "
                + (self._input[:80].decode("ascii", "replace") or "no reason given")
            )
        self._input += data
        if not self._greeted and not self._authenticated():
            return
        while True:
            message, size = parse_message(self._input)
            if message is None:
                return
            self._messages.append(message)
            self._input = self._input[size:]

    def _authenticated(self) -> bool:
        """Whether the lines of the handshake are all there; they are taken off then."""
        while b"\r\n" in self._input:
            line, _, self._input = self._input.partition(b"\r\n")
            if line.startswith(b"OK "):
                self._greeted = True
                return True
            if line.startswith((b"REJECTED", b"ERROR")):
                raise HostError("D-Bus does not let us in: " + line.decode("ascii", "replace"))
        return False


def parse_address(address: str) -> bytes | str:
    """What connect(2) takes for the first unix socket of a D-Bus address.  HostError if it names none."""
    for entry in address.split(";"):
        transport, _, options = entry.partition(":")
        for option in options.split(","):
            key, _, value = option.partition("=")
            if transport == "unix" and key in ("path", "abstract"):
                parts = value.split("%")
                data = parts[0].encode() + b"".join(
                    bytes([int(part[:2], 16)]) + part[2:].encode() for part in parts[1:]
                )
                return data if key == "path" else b"\0" + data
    raise HostError(f"the D-Bus address {address!r} names no unix socket")
