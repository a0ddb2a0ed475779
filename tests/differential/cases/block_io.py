"""config-linux.md#block-io: weights and rates, read back from the cgroup of the created container."""

from __future__ import annotations

from . import Case
from .resources import files, resources

MEGA = 1 << 20
WEIGHTS = files(
    "blkio.weight",
    "blkio.bfq.weight",
    "blkio.weight_device",
    "blkio.leaf_weight",
)
LOOP = (7, 0)


def for_device(property: str, **values: int):  # type: ignore[no-untyped-def]
    return resources(blockIO={property: [{"major": LOOP[0], "minor": LOOP[1], **values}]})


LEAF = "an error either way; ours says that no scheduler knows leafWeight any more"
FORMER = "an error either way; crun does not get to the value, as it looks for the file of a former scheduler"
CASES = [
    *[
        Case(
            name,
            for_device(property, rate=rate),
            files=files(f"blkio.throttle.{file}_device"),
            needs="v1",
        )
        for name, property, file, rate in (
            ("throttle", "throttleReadBpsDevice", "read_bps", MEGA),
            ("throttle-write", "throttleWriteBpsDevice", "write_bps", 2 * MEGA),
            ("throttle-read-operations", "throttleReadIOPSDevice", "read_iops", 100),
            ("throttle-write-operations", "throttleWriteIOPSDevice", "write_iops", 200),
        )
    ],
    Case(
        "weight",
        resources(blockIO={"weight": 300}),
        files=WEIGHTS,
        needs="v1",
        crun={
            "v1:create": "config-linux.md#block-io: weight is applied, through the file of the scheduler that has one (BFQ)"
        },
    ),
    Case(
        "weight-bad",
        resources(blockIO={"weight": 3}),
        needs="v1",
        runc={
            "v1:create": "config-linux.md#block-io: weights range from 10 to 1000; runc 1.1 drops them where there is no file for them"
        },
        crun={
            "v1:error": FORMER,
            "newer:create": "config-linux.md#block-io: weights range from 10 to 1000; crun 1.27 drops them where there is no file for them",
        },
    ),
    Case(
        "weight-of-device",
        for_device("weightDevice", weight=300),
        files=WEIGHTS,
        needs="v1",
        crun={"v1:error": FORMER},
    ),
    *[
        Case(name, prepare, files=WEIGHTS, needs="v1", difference={"v1:error": LEAF})
        for name, prepare in (
            ("leaf-weight", resources(blockIO={"leafWeight": 300})),
            ("leaf-weight-of-device", for_device("weightDevice", leafWeight=300)),
        )
    ],
]
