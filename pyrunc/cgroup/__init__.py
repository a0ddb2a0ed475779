"""cgroups: where they are and what is written (pure), and the drivers that do it.

Pure: `path`, `limits_v1`, `limits_v2`, `device_rules`.  With effects: `driver`
(the only chooser), `cgroupfs` and `cgroupfs_v1`, `cgroupfs_v2`, `stats`.
"""
