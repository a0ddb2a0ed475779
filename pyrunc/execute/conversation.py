"""What pyrunc-init and the runtime say to each other, as a pure state machine.

Here: the form of a message and what a series of messages amounts to.  Sockets,
processes and time are in `pyrunc.execute.init`.

    pyrunc-init, stage 1            stage 2 (the container's init)     runtime
    SIGNAL "user namespace" ------------------------------------------> wait
    wait <------------------------------------------- SIGNAL "mapped"
    PID (clone_init) -------------------------------------------------> wait "init"
                                    SIGNAL "environment" -------------> wait, hooks
                                    wait <-------------- SIGNAL "hooks"
                                    FD (console, listener) -----------> receive_fd
                                    SIGNAL "created" -----------------> wait
    ERROR, WARNING, TRACE at any time; an ERROR is the last word.
"""

from __future__ import annotations

from pyrunc.cores import pack, unpack_from

SIGNAL = 1
ERROR = 2
PID = 3
FD = 4
WARNING = 5
TRACE = 6

HEADER = "<IIiIq"  # kind, op, error, length of text, value
HEADER_SIZE = 24
MAXIMUM_SIZE = 16384
NO_OP = 0xFFFF_FFFF


class Message:
    """One message; fields that its kind does not use are 0 or empty."""

    __slots__ = ("error", "kind", "op", "text", "value")

    def __init__(self, kind: int, op: int = 0, error: int = 0, value: int = 0, text: str = "") -> None:
        self.kind = kind
        self.op = op
        self.error = error
        self.value = value
        self.text = text


def parse_message(data: bytes) -> Message:
    """The message that `data` holds; ValueError if it is none."""
    if len(data) < HEADER_SIZE:
        raise ValueError("message is too short")
    kind, op, error, length, value = unpack_from(HEADER, data)
    if length != len(data) - HEADER_SIZE or not SIGNAL <= kind <= TRACE:
        raise ValueError("message is malformed")
    return Message(kind, op, error, value, data[HEADER_SIZE:].rstrip(b"\0").decode("utf-8", "replace"))


def render_message(message: Message) -> bytes:
    """The bytes of `message`."""
    text = message.text.encode()
    return pack(HEADER, message.kind, message.op, message.error, len(text), message.value) + text


class Conversation:
    """What was said so far.

    signals: names reached ("init" stands for message PID); failure: the ERROR
    message; pid: the container's init as seen from here; descriptors: slot
    index to what came with message FD; ended: nobody is at the other end.
    """

    __slots__ = ("descriptors", "ended", "failure", "pid", "signals")

    def __init__(self) -> None:
        self.signals: set[str] = set()
        self.failure: Message | None = None
        self.pid = 0
        self.descriptors: dict[int, int] = {}
        self.ended = False

    def receive(self, message: Message, descriptors: list[int]) -> None:
        """Take in one message; ValueError if it makes no sense here."""
        if self.ended or self.failure is not None:
            raise ValueError("message after the end")
        if message.kind == SIGNAL:
            self.signals.add(message.text)
        elif message.kind == ERROR:
            self.failure = message
        elif message.kind == PID:
            if self.pid or message.value <= 0:
                raise ValueError("unexpected pid")
            self.pid = message.value
            self.signals.add("init")
        elif message.kind == FD:
            if len(descriptors) != 1 or message.value in self.descriptors:
                raise ValueError("unexpected descriptor")
            self.descriptors[message.value] = descriptors[0]

    def end(self) -> None:
        """The other end is closed."""
        self.ended = True

    def reached(self, name: str) -> bool:
        """Whether `name` was signalled."""
        return name in self.signals
