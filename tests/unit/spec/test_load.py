"""Reading documents: missing and unreadable files, other kinds of documents, where errors point."""

from __future__ import annotations

import json
import os
import sys

import pytest

from pyrunc.errors import SpecError
from pyrunc.spec import load
from pyrunc.spec.explain import explain
from pyrunc.spec.position import find_constant, find_line
from tests.unit.spec.fixtures import bad_values

PROCESS = {"cwd": "/", "args": ["sh"], "user": {"uid": 0, "gid": 0}}


def test_missing_file(tmp_path):
    with pytest.raises(SpecError, match=r"^JSON specification file config\.json not found in ") as caught:
        load.load_bundle(str(tmp_path))
    assert caught.value.path == str(tmp_path / "config.json")
    assert [error.text for error in load.validate_bundle(str(tmp_path))] == [caught.value.text]


def test_missing_file_of_the_current_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpecError, match=r"^JSON specification file config\.json not found in \.$"):
        load.load_bundle("")


def test_unreadable_files(tmp_path):
    (tmp_path / "config.json").mkdir()
    with pytest.raises(SpecError, match=r"^cannot read .*/config\.json: is a directory$"):
        load.load_bundle(str(tmp_path))
    with pytest.raises(SpecError, match=r"^cannot read .*: not a directory$"):
        load.load_bundle("/dev/null")
    with pytest.raises(SpecError, match=r"^cannot read .*: embedded null "):
        load.load_bundle("a\0b")


def test_a_pipe_is_read_to_its_end():
    read, write = os.pipe()
    os.write(write, json.dumps(PROCESS).encode())
    os.close(write)
    assert load.load_process(f"/dev/fd/{read}") == PROCESS
    os.close(read)


def test_deep_nesting(tmp_path):
    (tmp_path / "config.json").write_text('{"x": ' + "[" * 100_000 + "]" * 100_000 + "}")
    with pytest.raises(SpecError, match="not valid JSON"):
        load.load_bundle(str(tmp_path))


def test_endless_integer(tmp_path):
    (tmp_path / "config.json").write_text('{\n "ociVersion": ' + "1" * 5000 + "}")
    with pytest.raises(SpecError, match=r"config\.json:2:16: not valid JSON: an integer of thousands of digits$"):
        load.load_bundle(str(tmp_path))


def test_byte_order_mark(tmp_path):
    (tmp_path / "config.json").write_text("{}", "utf-8-sig")
    with pytest.raises(SpecError, match=r"config\.json:1:1: not valid JSON: .* byte order mark; save it .* without one$"):
        load.load_bundle(str(tmp_path))


@pytest.mark.parametrize(
    ("change", "pointer", "text"),
    [
        ({"cwd": "x"}, "/cwd", 'process:1: /cwd: found "x"; allowed: an absolute path (config.md#process)'),
        ({"args": None}, "/args", "process:1: /args: found null; allowed: a list of at least one string (config.md#process)"),
        (
            {"rlimits": [{"type": "RLIMIT_CORE", "soft": 2, "hard": 1}]},
            "/rlimits/0/soft",
            "process:1: /rlimits/0/soft: soft limit 2 is above the hard limit 1 (config.md#posix-process)",
        ),
    ],
)
def test_bad_process(change, pointer, text):
    with pytest.raises(SpecError) as caught:
        load.load_process(json.dumps({**PROCESS, **change}).encode())
    assert (caught.value.pointer, caught.value.text) == (pointer, text)


def test_null_is_as_good_as_absent(tmp_path):
    """For what may be absent: what is required is refused, and so are keys of the document's own choice."""
    config = {"ociVersion": "1.2.0", "root": {"path": "x", "readonly": None}, "hooks": None, "process": None}
    (tmp_path / "config.json").write_text(json.dumps(config))
    loaded = load.load_bundle(str(tmp_path))
    assert loaded.config == json.loads(loaded.text) == {"ociVersion": "1.2.0", "root": {"path": "x"}}
    assert load.validate_bundle(str(tmp_path)) == []
    assert load.load_process(json.dumps({**PROCESS, "env": None}).encode()) == PROCESS
    assert load.load_resources(b'{"memory": {"limit": null}, "pids": null}') == {"memory": {}}
    (tmp_path / "config.json").write_text(json.dumps({**config, "annotations": {"a": None}, "ociVersion": None}))
    assert [error.pointer for error in load.validate_bundle(str(tmp_path))] == ["/ociVersion", "/annotations/a"]


def test_bad_resources():
    with pytest.raises(SpecError) as caught:
        load.load_resources(b'{"memory": {"limit": 2, "swap": 1}, "pids": {"limit": "x"}}')
    assert [error.pointer for error in caught.value.violations] == ["/memory/swap", "/pids/limit"]


def test_swap_of_an_update_alone():
    """The limit in force counts; none at all cannot be below it."""
    assert load.load_resources(b'{"memory": {"swap": 5}}') == {"memory": {"swap": 5}}
    with pytest.raises(SpecError, match="without a memory limit"):
        load.load_resources(b'{"memory": {"limit": -1, "swap": 5}}')


def test_explanations_without_jsonschema(monkeypatch):
    """Then the interpreter finds the same, in the same words."""
    values = {name: (value, json.dumps(value, indent=1).encode()) for name, value in bad_values().items()}
    texts = [{name: [error.text for error in explain(*pair, "config.json", "config")] for name, pair in values.items()}]
    monkeypatch.setitem(sys.modules, "pyrunc.spec.json_schema", None)
    texts += [{name: [error.text for error in explain(*pair, "config.json", "config")] for name, pair in values.items()}]
    assert texts[0] == texts[1]


TEXT = """{
  "a": [
    1, {"b":
      2},
    "{]"
  ],
  "c/d": {"~": null}, "a\\u0062": 5,
  "twice": 1,
  "twice": {"x": 1
  }
}
"""


@pytest.mark.parametrize(
    ("pointer", "line"),
    [
        ("", 1), ("/a", 2), ("/a/0", 3), ("/a/1", 3), ("/a/1/b", 3), ("/a/2", 5), ("/c~1d", 7), ("/c~1d/~0", 7),
        ("/ab", 7), ("/twice", 9), ("/twice/x", 9), ("/missing", 1), ("/a/7", 2), ("/a/1/missing", 3), ("/a/x", 2),
    ],
)
def test_find_line(pointer, line):
    assert find_line(TEXT, pointer) == line


def test_find_constant():
    assert find_constant('{"NaN": "-Infinity", "x": -Infinity}') == 26
    assert find_constant('{"a": "\\"NaN"}') == 0
