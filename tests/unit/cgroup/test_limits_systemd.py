"""Limits and device rules as properties of a unit."""

from __future__ import annotations

from typing import Any

import pytest

from pyrunc.cgroup.device_rules import normalise
from pyrunc.cgroup.gvariant import parse
from pyrunc.cgroup.limits_systemd import (
    annotated_properties,
    bit_mask,
    device_properties,
    quote,
    unit_properties,
)
from pyrunc.cgroup.limits_v1 import limits_v1
from pyrunc.cgroup.limits_v2 import limits_v2
from pyrunc.cgroup.path import unit_place
from pyrunc.errors import SpecError
from pyrunc.host.facts import Facts

INFINITY = 2**64 - 1
V2: list[tuple[dict[str, Any], list[str]]] = [
    (
        {"memory": {"limit": 100, "swap": 150, "reservation": 50}},
        ["MemorySwapMax=uint64 50", "MemoryMax=uint64 100", "MemoryLow=uint64 50"],
    ),
    ({"memory": {"limit": -1}}, [f"MemorySwapMax=uint64 {INFINITY}", f"MemoryMax=uint64 {INFINITY}"]),
    ({"cpu": {"shares": 1024}}, ["CPUWeight=uint64 100"]),
    ({"cpu": {"idle": 1}}, ["CPUWeight=uint64 0"]),
    (
        {"cpu": {"quota": 12345, "period": 100000}},
        ["CPUQuotaPerSecUSec=uint64 130000", "CPUQuotaPeriodUSec=uint64 100000"],
    ),
    ({"cpu": {"quota": -1}}, [f"CPUQuotaPerSecUSec=uint64 {INFINITY}", "CPUQuotaPeriodUSec=uint64 100000"]),
    (
        {"cpu": {"cpus": "0-1,9", "mems": "0"}},
        ["AllowedCPUs=@ay [0x03, 0x02]", "AllowedMemoryNodes=@ay [0x01]"],
    ),
    ({"pids": {"limit": 0}}, ["TasksMax=uint64 2"]),
    ({"pids": {"limit": 1}}, ["TasksMax=uint64 2"]),
    ({"pids": {"limit": 3}}, ["TasksMax=uint64 3"]),
    ({"pids": {"limit": -1}}, [f"TasksMax=uint64 {INFINITY}"]),
    (
        {
            "blockIO": {
                "weight": 10,
                "throttleReadBpsDevice": [
                    {"major": 8, "minor": 0, "rate": 7},
                    {"major": 8, "minor": 1, "rate": 0},
                ],
            }
        },
        [
            "IOWeight=uint64 1",
            f"IOReadBandwidthMax=@a(st) [('/dev/block/8:0', 7), ('/dev/block/8:1', {INFINITY})]",
        ],
    ),
    ({"unified": {"memory.high": "5", "hugetlb.2MB.max": "0"}}, ["MemoryHigh=uint64 5"]),
    ({"unified": {"memory.max": "64M", "memory.high": "0"}}, ["MemoryMax=uint64 67108864", "MemoryHigh=uint64 1"]),
    ({"unified": {"memory.max": "lots", "cpu.max": "x y", "io.max": "x rbps=1", "cpu.weight": ""}}, []),
    ({"unified": {"memory.max": "16E", "memory.high": "9" * 5000, "pids.max": str(2**64), "io.max": f"8:0 rbps={2**64}"}}, []),
    ({"cpu": {"quota": 2**63 - 1, "period": 1000}}, []),
    ({"unified": {"io.weight": "default 5\n8:0 7"}}, ["IOWeight=uint64 5", "IODeviceWeight=@a(st) [('/dev/block/8:0', 7)]"]),
    ({"unified": {"io.max": "8:0 rbps=max wiops=5 new=1"}},
     [f"IOReadBandwidthMax=@a(st) [('/dev/block/8:0', {INFINITY})]", "IOWriteIOPSMax=@a(st) [('/dev/block/8:0', 5)]"]),
    ({"unified": {"cpu.max": "max"}}, [f"CPUQuotaPerSecUSec=uint64 {INFINITY}", "CPUQuotaPeriodUSec=uint64 100000"]),
    ({"cpu": {"idle": 0}}, [f"CPUWeight=uint64 {INFINITY}"]),
    ({"cpu": {"idle": 0, "shares": 1024}}, ["CPUWeight=uint64 100"]),
    ({"cpu": {"cpus": "0-7:1/4"}}, ["AllowedCPUs=@ay [0x11]"]),
    ({"hugepageLimits": [{"pageSize": "2MB", "limit": 5}]}, []),
]


@pytest.mark.parametrize(("resources", "properties"), V2, ids=[str(case[0]) for case in V2])
def test_v2(resources: dict[str, Any], properties: list[str]) -> None:
    found = unit_properties(limits_v2(resources, "/r"), 2)
    assert found == properties
    for text in found:
        parse(text.partition("=")[2])


def test_v1() -> None:
    resources = {
        "memory": {"limit": 100},
        "cpu": {"shares": 5, "quota": 50000, "period": 100000, "cpus": "0"},
        "pids": {"limit": 4},
    }
    assert sorted(unit_properties(limits_v1(resources, "/r"), 1)) == [
        "CPUQuotaPerSecUSec=uint64 500000",
        "CPUQuotaPeriodUSec=uint64 100000",
        "CPUShares=uint64 5",
        "MemoryLimit=uint64 100",
        "TasksMax=uint64 4",
    ]


def test_bfq_weights_are_stretched() -> None:
    resources = {"blockIO": {"weight": 1000, "weightDevice": [{"major": 8, "minor": 0, "weight": 50}]}}
    assert unit_properties(limits_v2(resources, "/r", bfq=True), 2) == [
        "IOWeight=uint64 10000",
        "IODeviceWeight=@a(st) [('/dev/block/8:0', 50)]",
    ]


def test_bit_mask_of_many() -> None:
    assert parse(bit_mask("64")) == ("ay", [0] * 8 + [1])


@pytest.mark.parametrize("text", ["5-1", "x", "9999", "0-3:2/1", "0-3:0/2", "0-3:1"])
def test_what_is_no_list(text: str) -> None:
    with pytest.raises(SpecError, match="not a list") as caught:
        unit_properties(limits_v2({"unified": {"cpuset.cpus": text}}, "/r"), 2)
    assert caught.value.pointer == "/r/unified/cpuset.cpus"


def test_devices() -> None:
    rules = [
        {"allow": False, "access": "rwm"},
        {"allow": True, "type": "b", "major": 8, "minor": 0, "access": "r"},
    ]
    policy, allowed = device_properties(normalise(rules, "/d"))
    assert policy == "DevicePolicy='strict'"
    kind, pairs = parse(allowed.partition("=")[2])
    assert kind == "a(ss)"
    assert {("/dev/block/8:0", "r"), ("/dev/char/1:3", "rwm"), ("char-pts", "rwm"), ("char-*", "m")} <= {
        (name, "".join(sorted(access, key="rwm".index))) for name, access in pairs
    }
    assert device_properties(normalise([{"allow": True}], "/d"))[0] == "DevicePolicy='auto'"


def test_annotations() -> None:
    found = annotated_properties(
        {
            "org.systemd.property.TimeoutStopSec": "5",
            "org.systemd.property.CollectMode": "'inactive'",
            "x": "y",
        }
    )
    assert found == ["TimeoutStopUSec=uint64 5000000", "CollectMode='inactive'"]
    for key, value in (("a-b", "1"), ("Name", "word"), ("WaitSec", "'x'")):
        with pytest.raises(SpecError):
            annotated_properties({f"org.systemd.property.{key}": value})


def facts(euid: int = 0, own: str = "/") -> Facts:
    made = Facts()
    made.euid, made.own_cgroups = euid, {"": own}
    return made


@pytest.mark.parametrize(
    ("path", "slice", "name", "below"),
    [
        ("", "system.slice", "pyrunc-c.scope", "/system.slice/pyrunc-c.scope"),
        ("a-b.slice:p:n", "a-b.slice", "p-n.scope", "/a.slice/a-b.slice/p-n.scope"),
        ("-.slice::n", "-.slice", "n.scope", "/n.scope"),
        (
            r"system-a\x2db.slice:p:n",
            r"system-a\x2db.slice",
            "p-n.scope",
            r"/system.slice/system-a\x2db.slice/p-n.scope",
        ),
        (":p:a+b", "system.slice", r"p-a\x2bb.scope", r"/system.slice/p-a\x2bb.scope"),
    ],
)
def test_places(path: str, slice: str, name: str, below: str) -> None:
    place = unit_place({"linux": {"cgroupsPath": path}}, facts(), "c")
    assert (place.slice, place.name, place.below, place.user) == (slice, name, below, False)
    assert parse(quote(place.name)) == ("s", name)


def test_places_of_users() -> None:
    own = "/user.slice/user-5.slice/user@5.service"
    assert (
        unit_place({}, facts(5, f"{own}/app.slice/x.service"), "c").below
        == f"{own}/user.slice/pyrunc-c.scope"
    )
    assert (
        unit_place({}, facts(5, "/user.slice/user-5.slice/session-1.scope"), "c").below
        == f"{own}/user.slice/pyrunc-c.scope"
    )


@pytest.mark.parametrize("path", ["/a/b", "a:b", "a:b:c:d", "a:b:c", "a--b.slice:b:c", "a/b.slice:b:c"])
def test_bad_places(path: str) -> None:
    with pytest.raises(SpecError):
        unit_place({"linux": {"cgroupsPath": path}}, facts(), "c")
