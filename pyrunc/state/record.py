"""What is written down about one container.

Pure: values and their JSON form.  Where records live is `pyrunc.state.store`;
what a container is doing now is asked of the kernel (`pyrunc.execute.process`).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FORMAT = 1
_LARGEST_PID = 1 << 22
_INSIDE: dict[str, object] = {
    "annotations": {"": str},
    "cgroup": {
        "driver": str, "version": int, "paths": {"": str}, "made": [str],
        "unit": str, "user": bool, "below": str,
    },
    "hooks": {"": [{"path": str, "args": [str], "env": [str], "timeout": int}]},
    "late": {"": [str]},
    "resctrl": [str],
}  # fmt: skip
"""What is in the values that hold others: a type, [of each item], {of each known member; "": of every}."""


class Record:
    """One container.

    pid, start_time: its init (field 22 of /proc/PID/stat tells a reused pid);
    created: RFC 3339, UTC, nanoseconds; cgroup: the saved form of its driver;
    hooks: the poststart and poststop hooks, which outlive the configuration;
    resources: what `update` changed of the configuration's; resctrl: the groups
    of that file system that were made for it;
    private_pids: it has a pid namespace of its own, so that killing its init
    kills all; no_new_keyring: its processes, those of `exec` too, keep the session
    keyring of their caller; late: what pyrunc-init does after start, by operation
    number: [name, first argument, pointer]; root_mount: path and id of the mount
    that it left in the runtime's mount namespace, if it has none of its own;
    status: "creating", then "created" for good.
    """

    __slots__ = (
        "annotations", "bundle", "cgroup", "created", "hooks", "id", "late", "no_new_keyring", "notify",
        "oci_version", "owner", "pid", "private_pids", "resctrl", "resources", "root_mount", "rootfs",
        "start_time", "status",
    )  # fmt: skip

    def __init__(self, id: str, bundle: str) -> None:
        self.id = id
        self.bundle = bundle
        self.resources: dict[str, Any] = {}
        self.resctrl: list[str] = []
        self.rootfs = ""
        self.oci_version = ""
        self.created = ""
        self.annotations: dict[str, str] = {}
        self.pid = 0
        self.start_time = 0
        self.owner = 0
        self.status = "creating"
        self.cgroup: dict[str, Any] = {}
        self.hooks: dict[str, list[dict[str, Any]]] = {}
        self.private_pids = True
        self.late: dict[str, list[str]] = {}
        self.no_new_keyring = False
        self.notify = False
        self.root_mount: list[Any] = []

    def to_json(self) -> dict[str, object]:
        """The record as a JSON object."""
        value: dict[str, object] = {"format": FORMAT}
        for name in Record.__slots__:
            value[name] = getattr(self, name)
        return value

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Record:
        """The record that `to_json` gave; unknown keys are left out. Raises ValueError if it is none."""
        if not isinstance(value, dict) or value.get("format") != FORMAT:
            raise ValueError("not a record of this version")
        record = cls("", "")
        for name in cls.__slots__:
            if name in value:
                if type(value[name]) is not type(getattr(record, name)):
                    raise ValueError(f"{name} is {value[name]!r}")
                setattr(record, name, value[name])
        if not record.id or not record.bundle:
            raise ValueError("id or bundle is missing")
        if flaw := _find_flaw(record):
            raise ValueError(f"{flaw} is {getattr(record, flaw)!r}")
        return record


def _find_flaw(record: Record) -> str:
    """The name of a value that no runtime of this version wrote; "" if all are sound."""
    for name, shape in _INSIDE.items():
        if not _fits(getattr(record, name), shape):
            return name
    if not 0 <= record.pid <= _LARGEST_PID:
        return "pid"
    if record.cgroup and not {"driver", "version", "paths", "made"} <= record.cgroup.keys():
        return "cgroup"
    if any("path" not in hook for hooks in record.hooks.values() for hook in hooks):
        return "hooks"
    if any(len(words) != 3 for words in record.late.values()):
        return "late"
    return "" if [type(part) for part in record.root_mount] in ([], [str, int]) else "root_mount"


def _fits(value: object, shape: Any) -> bool:
    """Whether a value has the shape, see _INSIDE; null stands for what is not set."""
    if value is None:
        return True
    if isinstance(shape, list):
        return isinstance(value, list) and all(_fits(item, shape[0]) for item in value)
    if isinstance(shape, dict):
        every = shape.get("")
        return isinstance(value, dict) and all(
            _fits(item, inner) for key, item in value.items() if (inner := every or shape.get(key))
        )
    return type(value) is shape


def render_time(nanoseconds: int) -> str:
    """Nanoseconds since the epoch as RFC 3339 in UTC, with no trailing zeros, like Go's RFC3339Nano.

    Howard Hinnant's days-to-civil calculation; `datetime` costs a command 2 ms.
    """
    seconds, fraction = divmod(nanoseconds, 1_000_000_000)
    days, rest = divmod(seconds, 86400)
    days += 719468
    era, day_of_era = divmod(days, 146097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted + 2) // 5 + 1
    month = shifted + 3 if shifted < 10 else shifted - 9
    year = year_of_era + era * 400 + (month <= 2)
    text = f"{year:04d}-{month:02d}-{day:02d}T{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
    if fraction:
        text += f".{fraction:09d}".rstrip("0")
    return text + "Z"
