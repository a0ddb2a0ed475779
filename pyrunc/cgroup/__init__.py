"""cgroups: where they are and what is written (pure), and the drivers that do it.

Pure: `path`, `limits` with `limits_v1` and `limits_v2`, `device_rules`.  With
effects: `driver` (the only chooser), `cgroupfs` with `cgroupfs_v1` and
`cgroupfs_v2`, `processes`; `change` (limits of a living cgroup), `stats`, `oom`.
"""
