"""`python -m pyrunc`; the installed launcher calls the same entry."""

from __future__ import annotations

from pyrunc.cli.main import entry

if __name__ == "__main__":
    entry()
