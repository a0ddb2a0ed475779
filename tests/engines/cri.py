"""A small client of the Kubernetes container runtime interface (CRI, runtime.v1).

Messages are plain lists of (field number, value); only what the tests need of
protobuf's wire format is here: varints, strings, nested messages.
"""

from __future__ import annotations

from typing import Union

import grpc

Value = Union[int, str, bytes, "Message"]
Message = list[tuple[int, Value]]
Decoded = dict[int, list[int | bytes]]

HOST = 2  # NamespaceMode NODE


def varint(number: int) -> bytes:
    """An unsigned number, seven bits a byte, least significant first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def encode(message: Message) -> bytes:
    """A message in wire format."""
    out = b""
    for field, value in message:
        if isinstance(value, int):
            out += varint(field << 3) + varint(value)
            continue
        if isinstance(value, str):
            data = value.encode()
        elif isinstance(value, bytes):
            data = value
        else:
            data = encode(value)
        out += varint(field << 3 | 2) + varint(len(data)) + data
    return out


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at `at` and the position behind it."""
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, at


def decode(data: bytes) -> Decoded:
    """Fields by number; nested messages stay bytes."""
    fields: Decoded = {}
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        if key & 7 == 0:
            number, at = read_varint(data, at)
            fields.setdefault(key >> 3, []).append(number)
        else:
            assert key & 7 == 2, "only varints and bytes occur in CRI"
            length, at = read_varint(data, at)
            fields.setdefault(key >> 3, []).append(data[at : at + length])
            at += length
    return fields


def text(fields: Decoded, number: int) -> str:
    """The first value of a string field, "" if absent."""
    value = fields.get(number, [b""])[0]
    assert isinstance(value, bytes)
    return value.decode()


class Cri:
    """Calls of the RuntimeService over its unix socket."""

    def __init__(self, socket: str) -> None:
        self.channel = grpc.insecure_channel(f"unix://{socket}")

    def call(self, method: str, request: Message) -> Decoded:
        """One call with a deadline of a minute; raises grpc.RpcError."""
        stub = self.channel.unary_unary(
            f"/runtime.v1.RuntimeService/{method}", request_serializer=encode, response_deserializer=decode
        )
        answer: Decoded = stub(request, timeout=60)
        return answer

    def run_sandbox(self, config: Message, handler: str) -> str:
        return text(self.call("RunPodSandbox", [(1, config), (2, handler)]), 1)

    def create_container(self, sandbox: str, config: Message, sandbox_config: Message) -> str:
        return text(self.call("CreateContainer", [(1, sandbox), (2, config), (3, sandbox_config)]), 1)

    def exec_sync(self, container: str, *command: str) -> tuple[str, str, int]:
        """stdout, stderr and exit code of a command in a container."""
        answer = self.call("ExecSync", [(1, container), *((2, word) for word in command), (3, 30)])
        code = answer.get(3, [0])[0]
        assert isinstance(code, int)
        return text(answer, 1), text(answer, 2), code

    def container_state(self, container: str) -> int:
        """0 created, 1 running, 2 exited."""
        status = self.call("ContainerStatus", [(1, container)])[1][0]
        assert isinstance(status, bytes)
        state = decode(status).get(3, [0])[0]
        assert isinstance(state, int)
        return state


def sandbox_config(name: str, log_directory: str) -> Message:
    """A pod sandbox in the host's network, so that no CNI plugin is needed."""
    metadata: Message = [(1, name), (2, f"uid-{name}"), (3, "default"), (4, 0)]
    namespaces: Message = [(1, HOST)]
    return [(1, metadata), (3, log_directory), (8, [(2, [(1, namespaces)])])]


def container_config(name: str, image: str, command: list[str]) -> Message:
    """A container of the pod: its command, log file and a memory limit of 64 MiB."""
    linux: Message = [(1, [(4, 64 << 20), (3, 512)]), (2, [(3, [(1, HOST)])])]
    words: Message = [(3, word) for word in command]
    return [(1, [(1, name), (2, 0)]), (2, [(1, image)]), *words, (11, f"{name}.log"), (15, linux)]
