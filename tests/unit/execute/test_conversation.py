"""Messages are refused unless they make sense; an error is the last word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyrunc.execute.conversation import (
    ERROR,
    FD,
    PID,
    SIGNAL,
    TRACE,
    WARNING,
    Conversation,
    Message,
    parse_message,
    render_message,
)


def test_round_trip() -> None:
    message = parse_message(render_message(Message(ERROR, op=3, error=2, value=-1, text="ä")))
    assert (message.kind, message.op, message.error, message.value, message.text) == (ERROR, 3, 2, -1, "ä")


@pytest.mark.parametrize(
    "data",
    {
        "empty": b"",
        "short": b"\0" * 23,
        "kind 0": b"\0" * 24,
        "kind 7": b"\7" + b"\0" * 23,
        "length too big": b"\1" + b"\0" * 11 + b"\1" + b"\0" * 11,
        "length too small": b"\1" + b"\0" * 23 + b"x",
    }.values(),
)
def test_malformed(data: bytes) -> None:
    with pytest.raises(ValueError):
        parse_message(data)


@given(st.binary(max_size=64))
def test_any_bytes_are_a_message_or_a_value_error(data: bytes) -> None:
    try:
        message = parse_message(data)
    except ValueError:
        return
    assert SIGNAL <= message.kind <= TRACE


def test_signals() -> None:
    conversation = Conversation()
    assert not conversation.reached("environment")
    conversation.receive(Message(SIGNAL, text="environment"), [])
    conversation.receive(Message(TRACE, op=1), [])
    conversation.receive(Message(WARNING, op=1), [])
    assert conversation.reached("environment")


def test_pid_is_the_signal_init() -> None:
    conversation = Conversation()
    conversation.receive(Message(PID, value=42), [])
    assert conversation.pid == 42
    assert conversation.reached("init")
    with pytest.raises(ValueError):
        conversation.receive(Message(PID, value=43), [])


@pytest.mark.parametrize("pid", [0, -1])
def test_impossible_pid(pid: int) -> None:
    with pytest.raises(ValueError):
        Conversation().receive(Message(PID, value=pid), [])


def test_descriptors() -> None:
    conversation = Conversation()
    conversation.receive(Message(FD, value=5), [9])
    assert conversation.descriptors == {5: 9}
    for descriptors in ([], [1, 2], [9]):
        with pytest.raises(ValueError):
            conversation.receive(Message(FD, value=5), descriptors)


@pytest.mark.parametrize("kind", [SIGNAL, PID, TRACE])
def test_nothing_comes_after_an_error_or_the_end(kind: int) -> None:
    failed, ended = Conversation(), Conversation()
    failed.receive(Message(ERROR, op=1, error=2), [])
    ended.end()
    for conversation in (failed, ended):
        with pytest.raises(ValueError):
            conversation.receive(Message(kind, value=1, text="x"), [])
