"""The runtime's half of a plan: effects in the runtime's own namespaces.

- `runtime_ops`    carries out the operations that create and exec share; `creation` adds those of create,
                   `joining` those of exec, `restoration` does a create with CRIU in place of pyrunc-init
- `init`           pyrunc-init as a running process; `conversation`: what it and the runtime say to each other
- `process`        any process: start time, signals, the end; the status of a container
- `claim`          which container a cgroup belongs to
- `members`        the processes of a container without a cgroup
- `foreground`     signals, terminal and exit status of `run` and `exec`; `console`: handing on a terminal
- `notify_socket`  NOTIFY_SOCKET
- `hooks`          hooks of the runtime's namespaces
- `seccomp`        compiles filters; `seccomp_cache` keeps them, `seccomp_listener` hands the listener over
- `network`        moves network devices
- `resctrl`        groups of the resctrl file system
- `root_mount`     the root of a container without a mount namespace of its own
- `criu`           a running CRIU; `criu_messages`: its wire format, `criu_external`: its external resources
- `wording`        the words for an operation that failed
"""
