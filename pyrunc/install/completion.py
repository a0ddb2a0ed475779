"""Writes the shell completion files below an installation prefix.

    python -m pyrunc.install.completion PREFIX
"""

from __future__ import annotations

import sys
from pathlib import Path

from click.shell_completion import get_completion_class

from pyrunc.cli.app import COMPLETION_VARIABLE, PROGRAM, build_app

PLACES = {
    "bash": "share/bash-completion/completions/pyrunc",
    "zsh": "share/zsh/site-functions/_pyrunc",
    "fish": "share/fish/vendor_completions.d/pyrunc.fish",
}


def completion_script(shell: str) -> str:
    """The script that makes `shell` ask pyrunc for completions."""
    kind = get_completion_class(shell)
    assert kind is not None, shell
    completion = kind(build_app(), {}, PROGRAM, COMPLETION_VARIABLE)
    return str(completion.source_template % completion.source_vars())


def write_all(prefix: Path) -> None:
    """Write the files of all three shells."""
    for shell, place in PLACES.items():
        target = prefix / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(completion_script(shell))
        target.chmod(0o644)


if __name__ == "__main__":
    write_all(Path(sys.argv[1]))
