"""Plans: configuration and facts in, kernel operations out.  Pure: nothing here reads or writes anything.

The value and its forms:
- `ops`           the closed set of operations; `opcodes`, their numbers, is generated from it
- `plan`          the two lists of operations, and the proof that neither side waits for ever
- `wire`          as the bytes that pyrunc-init reads; `render`: as text and JSON for people
- `options`       what the caller of create decides, beside the configuration

The stories: `create` and `exec` put in order what these make of their sections:
- `namespaces`    linux.namespaces, id mappings, time offsets, hostname
- `rootfs`        root, rootfsPropagation
- `mounts`        mounts; their words are in `mount_options`, cgroup file systems in `cgroup_mounts`
- `devices`       linux.devices, the default ones, the links in /dev
- `restrictions`  masked and read-only paths, sysctl
- `process`       process, personality, memoryPolicy; `capabilities`: names to bit masks
- `seccomp`       linux.seccomp: loading the filter, the way of its listener
- `cgroups`       cgroupsPath and resources; `cgroup_entry`: when the process comes into its cgroups
- `resctrl`       linux.intelRdt
- `network`       linux.netDevices
- `hooks`         hooks that run while a container is made
- `annotations`   those that change what is done
"""
