"""Single functions of the rules; whole cases are in spec-fixtures/invalid."""

from __future__ import annotations

import pytest

from pyrunc.spec.rules import RULES, check_rules, nest, version
from pyrunc.spec.rules_linux import number_ranges, sysctl_path
from tests.unit.spec.leaves import leaves


@pytest.mark.parametrize(
    "text",
    ["1.0.0", "1.3.0", "1.0.2-dev", "1.10.20", "1.0.0-rc.1", "1.0.0-alpha-2.x", "1.0.0+build.007", "1.0.0-0.3+exp.sha-1"],
)
def test_versions(text):
    assert list(version(text, {})) == []


@pytest.mark.parametrize(
    "text",
    ["", "1", "1.0", "1.0.0.0", "01.0.0", "1.0.0-", "1.0.0-rc..1", "1.0.0-01", "1.0.0+", "1.0.0+a_b", "v1.0.0", "1.0.x", "1.0.0 ", "1.0.²"],
)
def test_no_versions(text):
    ((_, message),) = version(text, {})
    assert "is not a semantic version" in message


@pytest.mark.parametrize(("text", "ranges"), [
    ("", []), ("  ", []), ("0", [(0, 0)]), ("0-3,7", [(0, 3), (7, 7)]), (" 1 , 2-2 ", [(1, 1), (2, 2)]), ("65535", [(65535, 65535)]),
])  # fmt: skip
def test_number_ranges(text, ranges):
    assert number_ranges(text) == ranges


@pytest.mark.parametrize("text", [",", "1,", "1-", "-1", "3-1", "a", "1-2-3", "1 2", "65536", "0-99999999999999999999", "٣"])
def test_no_number_ranges(text):
    with pytest.raises(ValueError):
        number_ranges(text)


@pytest.mark.parametrize(("name", "path"), [
    ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
    ("net/ipv4/conf/eth0.100/forwarding", "net/ipv4/conf/eth0.100/forwarding"),
    ("net.ipv4.conf.eth0/100.forwarding", "net/ipv4/conf/eth0.100/forwarding"),
    ("kernel", "kernel"),
])  # fmt: skip
def test_sysctl_path(name, path):
    assert sysctl_path(name) == path


def test_tolerance():
    """Rules say nothing where the schema was not kept to, unless they are asked to be strict."""
    config = {"ociVersion": "1.0.0", "process": {"rlimits": [{"type": ["x"]}]}, "linux": {"namespaces": "x"}, "hostname": 5}
    assert list(check_rules(config, tolerant=True)) == []
    with pytest.raises(TypeError):
        list(check_rules(config))


def test_nest():
    assert nest({"cwd": "/"}, "process") == {"process": {"cwd": "/"}}
    assert nest({}, "resources") == {"linux": {"resources": {}}}


def test_table():
    """Every rule looks at a property that exists and cites a section."""
    known = {path[:length] for path in leaves() for length in range(1, 5)}
    for path, section, rule in RULES:
        assert path in known
        assert section.startswith(("config.md#", "config-linux.md#"))
        assert rule.__doc__
