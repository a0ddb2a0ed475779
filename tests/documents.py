"""The pages of the user's documentation: their fenced blocks, and how console blocks are run.

A block ```console holds commands behind "# " (root) or "$ " (anybody), each
followed by all that it prints.  In what is printed "…" stands for any text,
alone on a line for any number of lines.  Blocks with `title=PATH` are files.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
PAGES = sorted([CHECKOUT / "README.md", *(CHECKOUT / "pyrunc/docs").glob("*.md")])
PROMPTS = ("# ", "$ ")
PROGRAM = "/usr/local/bin/pyrunc"


class Block:
    """One fenced block: `language`, `title` (the file it is, "" if none), `text`."""

    def __init__(self, info: str, text: str) -> None:
        self.language, _, rest = info.partition(" ")
        self.title = rest.removeprefix("title=") if rest.startswith("title=") else ""
        self.text = text

    def steps(self) -> list[tuple[str, str]]:
        """Of a console block: each command and what it prints."""
        found: list[tuple[str, str]] = []
        for line in self.text.splitlines(keepends=True):
            if line.startswith(PROMPTS):
                found.append((line[2:].strip(), ""))
            else:
                command, output = found[-1]
                found[-1] = (command, output + line)
        return found


def blocks(page: Path, language: str = "") -> list[Block]:
    """The fenced blocks of a page, of one language if it is given."""
    found = re.findall(r"^```(\S[^\n]*)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    made = [Block(info, text) for info, text in found]
    return [block for block in made if language in ("", block.language)]


def page(name: str) -> Path:
    return CHECKOUT / "pyrunc/docs" / name


def pattern(expected: str) -> re.Pattern[str]:
    """What matches the output that a page shows."""
    lines = []
    for line in expected.splitlines():
        lines.append("(?:.*\n)*" if line == "…" else re.escape(line).replace("…", "[^\0]*?") + "\n")
    return re.compile("".join(lines))


def run_console(block: Block, directory: Path, environment: Mapping[str, str], prefix: Sequence[str] = ()) -> None:
    """Run the commands of a block in `directory`; each has to print what the page says."""
    for command, expected in block.steps():
        with tempfile.TemporaryFile("w+") as sink:  # no pipe: a container may keep it
            subprocess.run(
                [*prefix, "sh", "-c", command],
                cwd=directory,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                timeout=60,
                check=False,
            )
            sink.seek(0)
            output = sink.read()
        output += "" if output.endswith("\n") or not output else "\n"
        assert pattern(expected).fullmatch(output), f"{command}\nprints:\n{output}\nnot:\n{expected}"


def write_program(path: Path, script: str) -> None:
    """A shell script that can be executed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
