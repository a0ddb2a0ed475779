"""The requests and answers of CRIU's RPC as bytes: the few protocol buffers that it takes.

Pure.  The numbers are those of criu's images/rpc.proto (criu(8), "RPC").
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DUMP, RESTORE, CHECK, PRE_DUMP = 1, 2, 3, 4
NOTIFY, FEATURE_CHECK, VERSION = 6, 9, 10

OPTIONS = {
    "images_dir_fd": 1, "pid": 2, "leave_running": 3, "ext_unix_sk": 4, "tcp_established": 5,
    "evasive_devices": 6, "shell_job": 7, "file_locks": 8, "log_level": 9, "log_file": 10, "ps": 11,
    "notify_scripts": 12, "root": 13, "parent_img": 14, "track_mem": 15, "auto_dedup": 16,
    "work_dir_fd": 17, "link_remap": 18, "ext_mnt": 23, "manage_cgroups": 24, "cg_root": 25,
    "rst_sibling": 26, "inherit_fd": 27, "manage_cgroups_mode": 34, "external": 37, "empty_ns": 38,
    "freeze_cgroup": 44, "tcp_skip_in_flight": 46, "lazy_pages": 48, "status_fd": 49,
    "orphan_pts_master": 50, "config_file": 51, "tcp_close": 52, "lsm_profile": 53, "lsm_mount_context": 63,
    "skip_file_rwx_check": 66,
}  # fmt: skip
"""criu_opts: name to number; what is a message of its own is given as a list of (number, value)."""

CGROUP_MODES = {"ignore": 0, "soft": 3, "full": 4, "strict": 5}
FEATURES = {"mem_track": 1, "lazy_pages": 2}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class Response:
    """An answer: `kind`, whether it is a `success`, and what that kind has to say."""

    __slots__ = ("errno", "features", "kind", "pid", "script", "text", "version")

    def __init__(self, data: bytes) -> None:
        """ValueError if `data` is no answer."""
        fields = decode(data)
        self.kind = _number(fields, 1)
        self.errno = _number(fields, 7) if _number(fields, 2) else _number(fields, 7) or -1
        self.text = _text(fields, 9)
        notify, restored = _message(fields, 5), _message(fields, 4)
        self.script = _text(notify, 1)
        self.pid = _number(notify, 2) or _number(restored, 1)
        features = _message(fields, 8)
        self.features = [name for name, number in FEATURES.items() if _number(features, number)]
        version = _message(fields, 10)
        self.version = (_number(version, 1), _number(version, 2), _number(version, 4))

    @property
    def success(self) -> bool:
        """Whether criu did what it was asked for."""
        return self.errno == 0


def encode_request(
    kind: int, options: dict[str, Any] | None = None, *, features: list[str] | None = None
) -> bytes:
    """A request; options by the names of OPTIONS, lists are repeated, None is left out."""
    fields: list[tuple[int, Any]] = [(1, kind)]
    if options is not None:
        inner: list[tuple[int, Any]] = []
        for name, value in options.items():
            values = value if isinstance(value, list) else [value]
            inner += [(OPTIONS[name], item) for item in values if item is not None]
        fields.append((2, Message(inner)))
    if features:
        fields.append((5, Message([(FEATURES[name], True) for name in features])))
    return encode(fields)


def encode_notified() -> bytes:
    """The answer to a notification: go on."""
    return encode([(1, NOTIFY), (3, True)])


class Message:
    """A message inside of another: its (number, value) pairs."""

    __slots__ = ("fields",)

    def __init__(self, fields: list[tuple[int, Any]]) -> None:
        self.fields = fields


def encode(fields: list[tuple[int, Any]]) -> bytes:
    """The bytes of a message of integers, booleans, strings and messages."""
    data = bytearray()
    for number, value in fields:
        if isinstance(value, int):
            data += _varint(number << 3 | _VARINT) + _varint(value)
            continue
        if isinstance(value, Message):
            content = encode(value.fields)
        else:
            content = value.encode("utf-8", "surrogateescape")
        data += _varint(number << 3 | _BYTES) + _varint(len(content)) + content
    return bytes(data)


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    data = bytearray()
    while value > 0x7F:
        data.append(value & 0x7F | 0x80)
        value >>= 7
    data.append(value)
    return bytes(data)


def decode(data: bytes) -> dict[int, list[int | bytes]]:
    """Number to values of a message; ValueError if it is none."""
    fields: dict[int, list[int | bytes]] = {}
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        value: int | bytes
        if key & 7 == _VARINT:
            value, at = _read_varint(data, at)
        else:
            if key & 7 == _BYTES:
                size, at = _read_varint(data, at)
            elif key & 7 in (_FIXED64, _FIXED32):
                size = 8 if key & 7 == _FIXED64 else 4
            else:
                raise ValueError("not a message")
            if at + size > len(data):
                raise ValueError("message is cut off")
            value, at = data[at : at + size], at + size
        fields.setdefault(key >> 3, []).append(value)
    return fields


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("message is cut off")
        value |= (data[at] & 0x7F) << shift
        at += 1
        if not data[at - 1] & 0x80:
            return value, at
        shift += 7


def _number(fields: dict[int, list[int | bytes]], number: int) -> int:
    value = fields.get(number, [0])[-1]
    if not isinstance(value, int):
        raise ValueError("a number was expected")
    value &= 0xFFFF_FFFF
    return value - (1 << 32) if value >> 31 else value


def _text(fields: dict[int, list[int | bytes]], number: int) -> str:
    value = fields.get(number, [b""])[-1]
    if not isinstance(value, bytes):
        raise ValueError("a text was expected")
    return value.decode("utf-8", "replace")


def _message(fields: dict[int, list[int | bytes]], number: int) -> dict[int, list[int | bytes]]:
    value = fields.get(number, [b""])[-1]
    if not isinstance(value, bytes):
        raise ValueError("a message was expected")
    return decode(value)
