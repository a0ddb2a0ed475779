"""Limits and device rules as properties of a systemd unit, so that systemd restores what was written.

Pure.  A property is a text `Name=value`, the value in the text form of GVariant.
What systemd has no property for, it does not touch either.
See systemd.resource-control(5) and org.freedesktop.systemd1(5).
"""

from __future__ import annotations

from pyrunc.errors import SpecError
from pyrunc.spec.schema import escape

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pyrunc.cgroup.device_rules import DeviceRule, DeviceRules
    from pyrunc.cgroup.limits import Limit

INFINITY = (1 << 64) - 1
ANNOTATION = "org.systemd.property."
_NUMBERS = {
    "memory.max": "MemoryMax", "memory.high": "MemoryHigh", "memory.low": "MemoryLow",
    "memory.min": "MemoryMin", "memory.swap.max": "MemorySwapMax", "cpu.weight": "CPUWeight",
    "pids.max": "TasksMax",
    "memory.limit_in_bytes": "MemoryLimit", "cpu.shares": "CPUShares", "blkio.weight": "BlockIOWeight",
}  # fmt: skip
_SETS = {"cpuset.cpus": "AllowedCPUs", "cpuset.mems": "AllowedMemoryNodes"}
_RATES = {
    "rbps": "IOReadBandwidthMax", "wbps": "IOWriteBandwidthMax", "riops": "IOReadIOPSMax",
    "wiops": "IOWriteIOPSMax",
}  # fmt: skip
# The init in a new scope is two tasks for a moment; its file has the limit itself.
_MINIMA = {"TasksMax": 2, "CPUWeight": 1, "MemoryMax": 1, "MemoryHigh": 1}
_SUFFIXES = "kmgtpe"


def unit_properties(limits: Iterable[Limit], version: int) -> list[str]:
    """The properties that stand for the limits; the last value of a file holds.

    A value that the kernel would not take has no property: its write says what is wrong with it.
    """
    values: dict[str, str] = {}
    devices: dict[str, dict[str, str]] = {}
    for limit in limits:
        file, value = limit.file, limit.value.strip()
        if file in _NUMBERS and (number := _number(value)) is not None:
            name = _NUMBERS[file]
            values[name] = f"uint64 {max(number, _MINIMA.get(name, 0))}"
        elif file in _SETS and version == 2:
            values[_SETS[file]] = bit_mask(value, limit.pointer)
        elif file == "cpu.idle":
            weight = values.get("CPUWeight", f"uint64 {INFINITY}")
            values["CPUWeight"] = "uint64 0" if value == "1" else weight
        elif file in ("cpu.max", "cpu.cfs_quota_us", "cpu.cfs_period_us"):
            _put_quota(values, file, value)
        elif file in ("io.weight", "io.bfq.weight"):
            _put_weight(values, devices, file, value)
        elif file == "io.max":
            _put_rates(devices, value)
    result = [f"{name}={value}" for name, value in values.items() if name[0] != "."]
    for name, entries in devices.items():
        pairs = ", ".join(f"('/dev/block/{device}', {value})" for device, value in entries.items())
        result.append(f"{name}=@a(st) [{pairs}]")
    return result


def quote(text: str) -> str:
    """The text as a string of GVariant."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _number(text: str) -> int | None:
    """A number as cgroup files take it, `max` and 64M too; None: it is none, or has more than 64 bits."""
    if text in ("max", "-1"):
        return INFINITY
    power = _SUFFIXES.find(text[-1:].lower()) + 1 if text else 0
    digits = text[:-1] if power else text
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= len(str(INFINITY))):
        return None
    number = int(digits) << 10 * power
    return number if number <= INFINITY else None


def _put_quota(values: dict[str, str], file: str, value: str) -> None:
    """Quota and period; systemd wants microseconds per second, in steps of 10 ms."""
    quota, _, period = value.partition(" ") if file == "cpu.max" else ("", "", "")
    values[".quota"] = quota or (value if file == "cpu.cfs_quota_us" else values.get(".quota", "max"))
    values[".period"] = period or (value if file == "cpu.cfs_period_us" else values.get(".period", "100000"))
    part, whole = _number(values[".quota"]), _number(values[".period"])
    if part is None or not whole:
        return
    per_second = part
    if part != INFINITY:
        per_second = part * 1000000 // whole
        per_second += -per_second % 10000
    if per_second > INFINITY:
        return
    values["CPUQuotaPerSecUSec"] = f"uint64 {per_second}"
    values["CPUQuotaPeriodUSec"] = f"uint64 {whole}"


def _put_weight(values: dict[str, str], devices: dict[str, dict[str, str]], file: str, value: str) -> None:
    """`WEIGHT`, `default WEIGHT` or `MAJOR:MINOR WEIGHT`."""
    device, _, text = value.rpartition(" ")
    weight = _number(text)
    if weight is None:
        return
    if file == "io.bfq.weight" and weight > 100:  # systemd squeezes 100..10000 into 100..1000 for BFQ
        weight = 100 + (weight - 100) * 11
    if device in ("", "default"):
        values["IOWeight"] = f"uint64 {weight}"
    elif _is_device(device):
        devices.setdefault("IODeviceWeight", {})[device] = str(weight)


def _put_rates(devices: dict[str, dict[str, str]], value: str) -> None:
    """`MAJOR:MINOR KEY=RATE ..`."""
    device, _, rest = value.partition(" ")
    for word in rest.split():
        key, _, text = word.partition("=")
        rate = _number(text)
        if key in _RATES and rate is not None and _is_device(device):
            devices.setdefault(_RATES[key], {})[device] = str(rate)


def _is_device(text: str) -> bool:
    major, _, minor = text.partition(":")
    return major.isdecimal() and minor.isdecimal()


def bit_mask(text: str, pointer: str = "") -> str:
    """A list of numbers as the array of bytes that has those bits set. SpecError: it is none.

    As the kernel reads it: `0-2,5`, and `0-7:1/4` for the first one of each four.
    """
    mask = 0
    for word in text.replace(",", " ").split():
        numbers, _, pattern = word.partition(":")
        first, dash, last = numbers.partition("-")
        used, _, group = pattern.partition("/") if pattern else ("1", "", "1")
        try:
            low, high, some, all = int(first), int(last if dash else first), int(used), int(group)
            if high > 8191 or low > high or not 0 < some <= all:
                raise ValueError
        except ValueError as error:
            raise SpecError(f"{text!r} is not a list of CPUs or memory nodes", pointer=pointer) from error
        for number in range(low, high + 1):
            mask |= ((number - low) % all < some) << number
    data = mask.to_bytes((mask.bit_length() + 7) // 8, "little")
    return "@ay [" + ", ".join(f"0x{byte:02x}" for byte in data) + "]"


def device_properties(devices: DeviceRules) -> list[str]:
    """DevicePolicy and DeviceAllow; never narrower than the rules, which our own program enforces on v2."""
    if devices.allow_all:
        return ["DevicePolicy='auto'", "DeviceAllow=@a(ss) []"]
    allowed: dict[str, int] = {}
    for rule in devices.rules:
        if rule.allow:
            name = _device_name(rule)
            allowed[name] = allowed.get(name, 0) | rule.access
    from pyrunc.cgroup.device_rules import render_access

    pairs = ", ".join(f"('{name}', '{render_access(access)}')" for name, access in allowed.items())
    return ["DevicePolicy='strict'", f"DeviceAllow=@a(ss) [{pairs}]"]


def _device_name(rule: DeviceRule) -> str:
    """A node by its numbers; what stands for more is its whole class, for groups have the host's names."""
    kind = "char" if rule.kind == "c" else "block"
    if rule.kind == "c" and rule.major == 136 and rule.minor < 0:
        return "char-pts"
    if rule.major < 0 or rule.minor < 0:
        return f"{kind}-*"
    return f"/dev/{kind}/{rule.major}:{rule.minor}"


def annotated_properties(annotations: Mapping[str, str]) -> list[str]:
    """The properties of `org.systemd.property.NAME` annotations.

    A name that ends with Sec is in seconds and becomes its USec, as runc has it.
    SpecError: no name of a property, or no value in GVariant's text form.
    """
    from pyrunc.cgroup.gvariant import parse

    result = []
    for key, text in annotations.items():
        if not key.startswith(ANNOTATION):
            continue
        name, pointer = key[len(ANNOTATION) :], f"/annotations/{escape(key)}"
        if len(name) < 3 or not (name.isalnum() and name.isascii()):
            raise SpecError(
                f"annotation {key} does not end with the name of a unit's property", pointer=pointer
            )
        try:
            kind, value = parse(text)
            if name.endswith("Sec") and not name.endswith("USec"):
                if kind not in "nqiuxtd":
                    raise ValueError(f"{text} is not a number of seconds")
                name, value = f"{name[:-3]}USec", f"uint64 {int(value * 1000000)}"
            else:
                value = text
        except ValueError as error:
            raise SpecError(
                f"annotation {key} is no value in GVariant's text form: {error}", pointer=pointer
            ) from error
        result.append(f"{name}={value}")
    return result
