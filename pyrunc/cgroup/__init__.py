"""cgroups: where they are and what is written (pure), and the drivers that do it.

Pure:
- `path`             cgroupsPath to directories, or to a systemd unit
- `limits`           what limits share; `limits_v1`, `limits_v2`: writes, `limits_systemd`: properties
- `device_rules`     resources.devices to lines (v1) or an eBPF program (v2)
- `gvariant`         the text form of D-Bus values

With effects:
- `driver`           what every driver can do, and the only place that chooses one
- `cgroupfs`         the drivers that write files: `cgroupfs_v1`, `cgroupfs_v2`
- `systemd`          the driver that asks systemd, over `dbus`
- `tree`             walks a cgroup and all below it; `processes`: their ends
- `change`           changes the limits of a living cgroup (update)
- `stats`            what a container uses; `oom`: when the memory limit kills (events)
"""
