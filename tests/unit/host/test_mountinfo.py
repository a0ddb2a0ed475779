"""mountinfo lines as the kernel writes them."""

from __future__ import annotations

import pytest

from pyrunc.host.mountinfo import parse_escapes, parse_mountinfo

TEXT = r"""22 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw,errors=remount-ro
33 31 0:30 /a /sys/fs/cgroup/cpu,cpuacct rw,nosuid - cgroup cgroup rw,cpu,cpuacct
40 22 0:41 / /mnt/a\040b rw - fuse.x so\134urce rw,user_id=0
garbage
41 22 0:42 / /x rw
"""


def test_fields() -> None:
    root, cpu, odd = parse_mountinfo(TEXT)
    assert (root.root, root.target, root.fstype, root.source) == ("/", "/", "ext4", "/dev/vda")
    assert (cpu.root, cpu.target, cpu.options) == (
        "/a",
        "/sys/fs/cgroup/cpu,cpuacct",
        ["rw", "cpu", "cpuacct"],
    )
    assert (odd.target, odd.source) == ("/mnt/a b", "so\\urce")


def test_escapes() -> None:
    assert parse_escapes(r"a\011b\012c\134d") == "a\tb\nc\\d"
    assert parse_escapes(r"\8zz\01") == r"\8zz\01"
    assert parse_escapes("plain") == "plain"


@pytest.mark.parametrize("separator", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028"])
def test_only_newlines_end_a_line(separator: str) -> None:
    """A container may name its mount points with what else ends a line to Python."""
    (mount,) = parse_mountinfo(f"1 0 0:41 / /a{separator}b rw - tmpfs tmpfs rw\n")
    assert mount.target == f"/a{separator}b"
