"""Types of the compiled module: csrc/seccomp_filter.h as cffi shows it."""

from typing import Any

class _Lib:
    def filter_compile(
        self, rules: bytes, size: int, program: Any, capacity: int, unknown: Any, report: Any, /
    ) -> int: ...
    def filter_library_version(self) -> int: ...

class _Ffi:
    def new(self, kind: str, value: object = ..., /) -> Any: ...
    def buffer(self, data: Any, size: int = ..., /) -> Any: ...

lib: _Lib
ffi: _Ffi
