"""Values in the text form of GVariant, as `busctl` and annotations write them, and D-Bus signatures.

Pure.  `uint64 5`, `'text'`, `[('/dev/null', 'rw')]`, `@as []`, `<true>`: a value
becomes its D-Bus signature and a plain Python value; a variant (signature, value).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KEYWORDS = {
    "boolean": "b", "byte": "y", "int16": "n", "uint16": "q", "int32": "i", "uint32": "u", "handle": "h",
    "int64": "x", "uint64": "t", "double": "d", "string": "s", "objectpath": "o", "signature": "g",
}  # fmt: skip
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
_RANGES = {
    "y": (0, 255), "n": (-(1 << 15), (1 << 15) - 1), "q": (0, (1 << 16) - 1),
    "i": (-(1 << 31), (1 << 31) - 1), "u": (0, (1 << 32) - 1), "h": (0, (1 << 31) - 1),
    "x": (-(1 << 63), (1 << 63) - 1), "t": (0, (1 << 64) - 1),
}  # fmt: skip


def parse(text: str) -> tuple[str, Any]:
    """Signature and value of `text`. ValueError: it is no value."""
    reader = _Reader(text)
    signature, value = reader.value("")
    reader.skip()
    if reader.at != len(text):
        raise ValueError(f"{text!r} goes on after its value")
    return signature, value


def split_signature(signature: str) -> list[str]:
    """The complete types that a signature is made of."""
    types = []
    while signature:
        end = _type_end(signature, 0)
        types.append(signature[:end])
        signature = signature[end:]
    return types


def _type_end(signature: str, at: int) -> int:
    """Where the complete type that begins at `at` ends. ValueError: nowhere."""
    while signature[at : at + 1] == "a":
        at += 1
    opening = signature[at : at + 1]
    if not opening or opening not in "ybnqiuxtdsoghv({":
        raise ValueError(f"{signature!r} is not a signature")
    at += 1
    if opening in "({":
        while signature[at : at + 1] not in (")", "}"):
            at = _type_end(signature, at)
        at += 1
    return at


class _Reader:
    """A text and a place in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def skip(self) -> str:
        """The next character that is no space; "" at the end."""
        while self.text[self.at : self.at + 1].isspace():
            self.at += 1
        return self.text[self.at : self.at + 1]

    def word(self) -> str:
        """The characters up to the next separator."""
        start = self.at
        while self.at < len(self.text) and (self.text[self.at].isalnum() or self.text[self.at] in "+-._"):
            self.at += 1
        return self.text[start : self.at]

    def value(self, wanted: str) -> tuple[str, Any]:
        """One value, of the signature `wanted` if that is not empty."""
        first = self.skip()
        if first == "@":
            self.at += 1
            end = _type_end(self.text, self.at)
            wanted, self.at = self.text[self.at : end], end
            return self.value(wanted)
        if first and first in "'\"":
            return self._checked(wanted, "sog", self._string(first))
        if first == "[":
            return self._array(wanted)
        if first == "(":
            return self._tuple(wanted)
        if first == "<":
            self.at += 1
            inner = self.value("")
            self._expect(">")
            return self._checked(wanted, "v", inner)
        return self._plain(wanted)

    def _plain(self, wanted: str) -> tuple[str, Any]:
        word = self.word()
        if word in KEYWORDS:
            return self.value(KEYWORDS[word])
        if word in ("true", "false"):
            return self._checked(wanted, "b", word == "true")
        try:
            number = int(word, 0)
        except ValueError:
            return self._checked(wanted, "d", float(word))
        if wanted == "d":
            return wanted, float(number)
        signature, _ = self._checked(wanted, "iynquxth", number)
        low, high = _RANGES[signature]
        if not low <= number <= high:
            raise ValueError(f"{number} is out of range for {signature!r}")
        return signature, number

    def _checked(self, wanted: str, possible: str, value: Any) -> tuple[str, Any]:
        """The value with the wanted type, or with the first of the possible ones."""
        if wanted and wanted not in possible:
            raise ValueError(f"a value of type {wanted!r} was expected in {self.text!r}")
        return wanted or possible[0], value

    def _expect(self, character: str) -> None:
        if self.skip() != character:
            raise ValueError(f"{character!r} was expected in {self.text!r}")
        self.at += 1

    def _string(self, quote: str) -> str:
        self.at += 1
        parts = []
        while (character := self.text[self.at : self.at + 1]) != quote:
            if not character:
                raise ValueError(f"the string does not end in {self.text!r}")
            self.at += 1
            if character == "\\":
                escaped = self.text[self.at : self.at + 1]
                self.at += 1
                character = _ESCAPES.get(escaped, escaped)
                if escaped in ("u", "U"):
                    digits = 4 if escaped == "u" else 8
                    character = chr(int(self.text[self.at : self.at + digits], 16))
                    self.at += digits
            parts.append(character)
        self.at += 1
        return "".join(parts)

    def _array(self, wanted: str) -> tuple[str, Any]:
        self.at += 1
        if wanted and wanted[0] != "a":
            raise ValueError(f"a value of type {wanted!r} was expected in {self.text!r}")
        inner = wanted[1:]
        values = []
        while self.skip() != "]":
            inner, value = self.value(inner)
            values.append(value)
            if self.skip() != "]":
                self._expect(",")
        self.at += 1
        if not inner:
            raise ValueError(f"an empty array needs its type before it, like `@as []`: {self.text!r}")
        return "a" + inner, values

    def _tuple(self, wanted: str) -> tuple[str, Any]:
        self.at += 1
        types = split_signature(wanted[1:-1]) if wanted else []
        if wanted and wanted[0] != "(":
            raise ValueError(f"a value of type {wanted!r} was expected in {self.text!r}")
        signature = ""
        values: list[Any] = []
        while self.skip() != ")":
            inner, value = self.value(types[len(values)] if len(values) < len(types) else "")
            signature += inner
            values.append(value)
            if self.skip() != ")":
                self._expect(",")
        self.at += 1
        if wanted and f"({signature})" != wanted:
            raise ValueError(f"a value of type {wanted!r} was expected in {self.text!r}")
        return f"({signature})", tuple(values)
