"""CPython's C cores, used directly: JSON, sockets with descriptors, packing.

The only module that imports `_json`, `_signal`, `_socket` and `_struct`.  The public
modules `json` (which needs `re`), `socket` (which needs `enum`, `selectors`)
and `struct` would cost a command more than all the rest of pyrunc.  Where an
interpreter lacks a core, its public module takes over.
"""

from __future__ import annotations

import os
from errno import EMSGSIZE

try:
    import _socket
    import _struct
except ImportError:  # another Python than CPython
    import socket as _socket  # type: ignore[no-redef]
    import struct as _struct  # type: ignore[no-redef]

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from typing import Any, NoReturn

    Socket = _socket.socket

    signals = signal
else:
    try:
        signals = __import__("_signal")
    except ImportError:
        signals = __import__("signal")

pack = _struct.pack
unpack_from = _struct.unpack_from

_WHITESPACE = " \t\n\r"
NEWLINE = "\n"
MAXIMUM_DESCRIPTORS = 16


class _ScannerContext:
    """What the C scanner asks of a `json.JSONDecoder`."""

    __slots__ = (
        "memo", "object_hook", "object_pairs_hook", "parse_constant", "parse_float", "parse_int", "strict",
    )

    def __init__(self) -> None:
        self.strict = True
        self.object_hook: object = None
        self.object_pairs_hook: object = None
        self.parse_float = float
        self.parse_int = int
        self.parse_constant = _refuse_constant
        self.memo: dict[str, str] = {}


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _make_scanner() -> Callable[[str, int], tuple[Any, int]]:
    make: Any
    scanner: Callable[[str, int], tuple[Any, int]]
    try:
        from _json import make_scanner as make

        scanner = make(_ScannerContext())
    except ImportError:
        from json import JSONDecoder

        scanner = JSONDecoder(parse_constant=_refuse_constant).scan_once  # type: ignore[attr-defined]
    return scanner


def encode_string(text: str) -> str:
    """`text` as a JSON string; lone surrogates (bytes of file names) become escapes."""
    try:
        from _json import encode_basestring, encode_basestring_ascii
    except ImportError:
        from json.encoder import encode_basestring, encode_basestring_ascii
    quoted = encode_basestring(text)
    if not quoted.isascii():
        try:
            quoted.encode()
        except UnicodeEncodeError:
            return encode_basestring_ascii(text)
    return quoted


def parse_json(text: str | bytes) -> Any:
    """The value of one JSON text.

    Raises ValueError with `line N column M` for anything else, trailing data,
    NaN and infinities included.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    try:
        value, end = _make_scanner()(text, _skip(text, 0))
    except (StopIteration, SystemError, ValueError, RecursionError):
        raise _explained(text) from None  # the C scanner finds words only where `json` is imported
    end = _skip(text, end)
    if end != len(text):
        line, column = text.count(NEWLINE, 0, end) + 1, end - text.rfind(NEWLINE, 0, end)
        raise ValueError(f"extra data: line {line} column {column}")
    return value


def _skip(text: str, offset: int) -> int:
    while offset < len(text) and text[offset] in _WHITESPACE:
        offset += 1
    return offset


def _explained(text: str) -> ValueError:
    """What the public module says about a text that the scanner refused."""
    from json import JSONDecodeError, loads

    if text.startswith("\ufeff"):
        return ValueError("it begins with a byte order mark; save it as UTF-8 without one: line 1 column 1")
    try:
        loads(text, parse_constant=_refuse_constant)
    except JSONDecodeError as error:
        return ValueError(f"{error.msg[0].lower()}{error.msg[1:]}: line {error.lineno} column {error.colno}")
    except ValueError as error:
        return ValueError("an integer of thousands of digits") if "digits" in str(error) else error
    except RecursionError:
        return ValueError("nested too deeply")
    return ValueError("not a JSON text")


def render_json(value: object, indent: int | None = None) -> str:
    """`value` as JSON: compact, as Go prints it, or indented by `indent` spaces.

    Takes dicts with string keys, lists, tuples, strings, numbers, booleans and None.
    """
    if indent is None:
        text = _render_compact(value)
        if text is not None:
            return text
    parts: list[str] = []
    _render(value, parts, None if indent is None else " " * indent, "\n")
    return "".join(parts)


def _render_compact(value: object) -> str | None:
    """By the C encoder, ten times as fast; None for what only the other can do: text that is no Unicode."""
    try:
        from _json import encode_basestring, make_encoder
    except ImportError:
        return None
    encoder = make_encoder(None, _refuse_value, encode_basestring, None, ":", ",", False, False, False)
    text = "".join(encoder(value, 0))
    try:
        text.isascii() or text.encode()
    except UnicodeEncodeError:
        return None
    return text


def _refuse_value(value: object) -> NoReturn:
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _render(value: object, parts: list[str], indent: str | None, newline: str) -> None:
    if isinstance(value, str):
        parts.append(encode_string(value))
    elif value is None:
        parts.append("null")
    elif value is True:
        parts.append("true")
    elif value is False:
        parts.append("false")
    elif isinstance(value, (int, float)):
        parts.append(_number(value))
    elif isinstance(value, dict):
        colon = ":" if indent is None else ": "
        keys = [(encode_string(_checked_key(key)) + colon, item) for key, item in value.items()]
        _render_items("{", keys, "}", parts, indent, newline)
    elif isinstance(value, (list, tuple)):
        _render_items("[", [("", item) for item in value], "]", parts, indent, newline)
    else:
        raise TypeError(f"{type(value).__name__} has no JSON form")


def _checked_key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError("JSON keys are strings")
    return key


def _number(value: float) -> str:
    if isinstance(value, float) and not abs(value) < float("inf"):
        raise ValueError("NaN and infinities have no JSON form")
    return repr(value)


def _render_items(
    start: str, items: list[tuple[str, object]], end: str, parts: list[str], indent: str | None, newline: str
) -> None:
    parts.append(start)
    inner = "" if indent is None else newline + indent
    separator = inner
    for key, item in items:
        parts.append(separator + key)
        _render(item, parts, indent, inner)
        separator = "," + inner
    if items and indent is not None:
        parts.append(newline)
    parts.append(end)


# --- sockets --------------------------------------------------------------------

SEND_SECONDS = 10
"""How long a peer of ours may let us wait: one that takes no connection, or does not read."""


def message_pair() -> tuple[Socket, Socket]:
    """A pair of connected AF_UNIX sockets that keep message boundaries."""
    return _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)


def unix_socket(datagram: bool = False) -> Socket:
    """A new AF_UNIX socket: a stream, or datagrams; connecting and sending end after SEND_SECONDS."""
    kind = _socket.SOCK_DGRAM if datagram else _socket.SOCK_STREAM
    made = _socket.socket(_socket.AF_UNIX, kind | _socket.SOCK_CLOEXEC)
    made.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDTIMEO, pack("ll", SEND_SECONDS, 0))
    return made


def send_with_descriptors(connection: Socket, data: bytes, descriptors: list[int]) -> None:
    """Send one message with open file descriptors (SCM_RIGHTS)."""
    rights = pack(f"{len(descriptors)}i", *descriptors)
    connection.sendmsg([data], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])


def receive_with_descriptors(connection: Socket, size: int, wait: bool = True) -> tuple[bytes, list[int]]:
    """Receive one message and the descriptors (CLOEXEC) that came with it; b"" at the end."""
    room = _socket.CMSG_SPACE(MAXIMUM_DESCRIPTORS * 4)
    flags = _socket.MSG_CMSG_CLOEXEC | (0 if wait else _socket.MSG_DONTWAIT)
    data, ancillary, result_flags, _ = connection.recvmsg(size, room, flags)
    descriptors: list[int] = []
    for level, kind, content in ancillary:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            count = len(content) // 4
            descriptors.extend(unpack_from(f"{count}i", content))
    if result_flags & (_socket.MSG_TRUNC | _socket.MSG_CTRUNC):
        for descriptor in descriptors:
            os.close(descriptor)
        raise OSError(EMSGSIZE, "message too long")
    return data, descriptors
