"""config-linux.md#network-devices: devices move into the container with their addresses, up, and never back."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Iterator

import pytest

from tests.harness import Box, Bundle

_numbers = itertools.count()


def ip(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)


def exists(name: str) -> bool:
    return ip("link", "show", name).returncode == 0


@pytest.fixture
def device(box: Box) -> Iterator[str]:
    """One end of a veth pair of our own; the other end keeps the pair alive until the end."""
    if box.runtime.name != "pyrunc":
        pytest.skip("the peers here are older than netDevices")
    name = f"pt{os.getpid() % 100000}a{next(_numbers)}"
    other = name.replace("a", "b")
    try:
        made = ip("link", "add", name, "type", "veth", "peer", "name", other)
    except FileNotFoundError:
        pytest.skip("needs ip(8)")
    if made.returncode:
        pytest.skip(f"needs veth devices: {made.stderr.strip()}")
    yield name
    ip("link", "del", other)
    ip("link", "del", name)


def with_device(box: Box, device: str, name: str = "") -> Bundle:
    bundle = box.bundle("/bin/sh", "-c", "ip -o addr; ip -o link")
    bundle.linux["netDevices"] = {device: {"name": name} if name else {}}
    return bundle


def test_moves_with_its_addresses(box: Box, device: str) -> None:
    for address in ("10.99.7.3/24", "fd00:7::3/64"):
        assert ip("addr", "add", address, "dev", device).returncode == 0
    done = box.run(with_device(box, device)).ok()
    assert f"{device}    inet 10.99.7.3/24" in done.out
    assert "fd00:7::3/64" in done.out
    assert "UP" in next(line for line in done.out.splitlines() if f" {device}@" in line)
    assert not exists(device)


def test_addresses_keep_what_belongs_to_them(box: Box, device: str) -> None:
    """The runtime MUST preserve existing attributes: an address's peer, label and metric, or that it has no route."""
    for address in (
        ["10.99.8.1", "peer", "10.99.8.2/32"],
        ["10.99.9.1/24", "label", f"{device}:x", "noprefixroute"],
        ["10.99.10.1/24", "metric", "77"],
    ):
        assert ip("addr", "add", *address, "dev", device).returncode == 0
    attributes = ("mtu", "1400", "address", "02:11:22:33:44:55", "alias", "mine")
    assert ip("link", "set", device, *attributes).returncode == 0
    script = "ip -o addr; ip -o link; ip route; cat /sys/class/net/new0/ifalias"
    out = box.run(with_device(box, device, "new0").shell(script)).ok().out
    assert "inet 10.99.8.1 peer 10.99.8.2/32" in out
    assert " new0:x" in out and "10.99.9.0/24" not in out
    assert "10.99.10.0/24 dev new0 scope link  src 10.99.10.1  metric 77" in out
    assert "mtu 1400" in out and "02:11:22:33:44:55" in out and "mine" in out


@pytest.mark.parametrize(("asked", "got"), [("inside0", "inside0"), ("in%d", "in0")])
def test_renames(box: Box, device: str, asked: str, got: str) -> None:
    assert f" {got}@" in box.run(with_device(box, device, asked)).ok().out
    assert not exists(device)


def test_link_local_addresses_stay_behind(box: Box, device: str) -> None:
    ip("link", "set", device, "up")
    ip("addr", "add", "169.254.3.3/16", "scope", "link", "dev", device)
    assert "169.254.3.3" not in box.run(with_device(box, device)).ok().out


def test_name_that_is_taken(box: Box, device: str) -> None:
    box.try_create(with_device(box, device, "lo")).failed("there is a device lo in the container already")
    assert exists(device)


def test_missing_device(box: Box, device: str) -> None:
    result = box.try_create(with_device(box, "nosuchdev0")).failed("no network device nosuchdev0")
    assert result.log[-1]["pointer"] == "/linux/netDevices/nosuchdev0"


def test_needs_a_network_namespace(box: Box, device: str) -> None:
    bundle = with_device(box, device).without_namespace("network")
    box.try_create(bundle).failed("need a network namespace")
    assert exists(device)


def test_hooks_and_sysctls_see_it(box: Box, device: str) -> None:
    bundle = with_device(box, device, "ext0").shell("cat /proc/sys/net/ipv4/conf/ext0/arp_ignore")
    bundle.linux["sysctl"] = {"net.ipv4.conf.ext0.arp_ignore": "1"}
    assert box.run(bundle).ok().out == "1\n"
