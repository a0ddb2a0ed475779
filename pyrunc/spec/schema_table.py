"""Our schema as the tuples that `pyrunc.spec.schema` interprets.

Generated from spec-fixtures/schema by spec-fixtures/generate_schema_table.py: change those.
"""

# ruff: noqa
from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Node = tuple[Any, ...]

BOOLEAN, INTEGER, STRING, ENUM, ARRAY, OBJECT = range(6)

COMMON_VERSION = (2, 0, -1, False, (('0123456789', False, 1, -1), ('.', False, 1, 1), ('0123456789', False, 1, -1), ('.', False, 1, 1), ('0123456789', False, 1, -1)), False)  # type: Node
COMMON_NONEMPTYTEXT = (2, 1, -1, True, None, False)  # type: Node
COMMON_TEXT = (2, 0, -1, True, None, False)  # type: Node
COMMON_UINT32 = (1, 0, 4294967295)  # type: Node
COMMON_IDMAPPINGS = (4, (5, {'containerID': COMMON_UINT32, 'hostID': COMMON_UINT32, 'size': (1, 1, 4294967295)}, ('containerID', 'hostID', 'size'), None, None), 0, -1)  # type: Node
MOUNTS_MOUNT = (5, {'destination': COMMON_NONEMPTYTEXT, 'source': COMMON_TEXT, 'type': (2, 0, -1, True, None, False), 'options': (4, COMMON_TEXT, 0, -1), 'uidMappings': COMMON_IDMAPPINGS, 'gidMappings': COMMON_IDMAPPINGS}, ('destination',), None, None)  # type: Node
MOUNTS_MOUNTS = (4, MOUNTS_MOUNT, 0, -1)  # type: Node
COMMON_UINT64 = (1, 0, 18446744073709551615)  # type: Node
COMMON_ABSOLUTEPATH = (2, 0, -1, False, (('/', False, 1, 1), ('\x00', True, 0, -1)), True)  # type: Node
COMMON_ID = (1, 0, 4294967294)  # type: Node
COMMON_IDS = (4, COMMON_ID, 0, -1)  # type: Node
PROCESS_USER = (5, {'uid': COMMON_ID, 'gid': COMMON_ID, 'umask': (1, 0, 511), 'additionalGids': COMMON_IDS}, ('uid', 'gid'), None, None)  # type: Node
PROCESS_RLIMITS = (4, (5, {'type': (3, frozenset(('RLIMIT_AS', 'RLIMIT_CORE', 'RLIMIT_CPU', 'RLIMIT_DATA', 'RLIMIT_FSIZE', 'RLIMIT_LOCKS', 'RLIMIT_MEMLOCK', 'RLIMIT_MSGQUEUE', 'RLIMIT_NICE', 'RLIMIT_NOFILE', 'RLIMIT_NPROC', 'RLIMIT_RSS', 'RLIMIT_RTPRIO', 'RLIMIT_RTTIME', 'RLIMIT_SIGPENDING', 'RLIMIT_STACK'))), 'soft': COMMON_UINT64, 'hard': COMMON_UINT64}, ('type', 'soft', 'hard'), None, None), 0, -1)  # type: Node
PROCESS_CAPABILITYLIST = (4, (2, 0, -1, False, None, False), 0, -1)  # type: Node
PROCESS_CAPABILITIES = (5, {'bounding': PROCESS_CAPABILITYLIST, 'effective': PROCESS_CAPABILITYLIST, 'permitted': PROCESS_CAPABILITYLIST, 'inheritable': PROCESS_CAPABILITYLIST, 'ambient': PROCESS_CAPABILITYLIST}, (), None, None)  # type: Node
PROCESS_SCHEDULER = (5, {'policy': (3, frozenset(('SCHED_OTHER', 'SCHED_FIFO', 'SCHED_RR', 'SCHED_BATCH', 'SCHED_ISO', 'SCHED_IDLE', 'SCHED_DEADLINE'))), 'nice': (1, -20, 19), 'priority': (1, 0, 99), 'flags': (4, (3, frozenset(('SCHED_FLAG_RESET_ON_FORK', 'SCHED_FLAG_RECLAIM', 'SCHED_FLAG_DL_OVERRUN', 'SCHED_FLAG_KEEP_POLICY', 'SCHED_FLAG_KEEP_PARAMS', 'SCHED_FLAG_UTIL_CLAMP_MIN', 'SCHED_FLAG_UTIL_CLAMP_MAX'))), 0, -1), 'runtime': COMMON_UINT64, 'deadline': COMMON_UINT64, 'period': COMMON_UINT64}, ('policy',), None, None)  # type: Node
PROCESS_IOPRIORITY = (5, {'class': (3, frozenset(('IOPRIO_CLASS_RT', 'IOPRIO_CLASS_BE', 'IOPRIO_CLASS_IDLE'))), 'priority': (1, 0, 7)}, ('class', 'priority'), None, None)  # type: Node
COMMON_NUMBERLIST = (2, 0, -1, False, (('0123456789, -', False, 0, -1),), True)  # type: Node
PROCESS = (5, {'terminal': (0,), 'consoleSize': (5, {'height': COMMON_UINT64, 'width': COMMON_UINT64}, ('height', 'width'), None, None), 'cwd': COMMON_ABSOLUTEPATH, 'env': (4, (2, 0, -1, False, (('=\x00', True, 1, -1), ('=', False, 1, 1), ('\x00', True, 0, -1)), True), 0, -1), 'args': (4, COMMON_TEXT, 1, -1), 'user': PROCESS_USER, 'rlimits': PROCESS_RLIMITS, 'capabilities': PROCESS_CAPABILITIES, 'noNewPrivileges': (0,), 'apparmorProfile': (2, 0, -1, True, None, False), 'selinuxLabel': (2, 0, -1, True, None, False), 'oomScoreAdj': (1, -1000, 1000), 'scheduler': PROCESS_SCHEDULER, 'ioPriority': PROCESS_IOPRIORITY, 'execCPUAffinity': (5, {'initial': COMMON_NUMBERLIST, 'final': COMMON_NUMBERLIST}, (), None, None)}, ('cwd', 'args'), None, None)  # type: Node
COMMON_TEXTS = (4, COMMON_TEXT, 0, -1)  # type: Node
HOOKS_HOOK = (5, {'path': COMMON_ABSOLUTEPATH, 'args': COMMON_TEXTS, 'env': COMMON_TEXTS, 'timeout': (1, 1, 2147483647)}, ('path',), None, None)  # type: Node
HOOKS_HOOKLIST = (4, HOOKS_HOOK, 0, -1)  # type: Node
HOOKS_HOOKS = (5, {'prestart': HOOKS_HOOKLIST, 'createRuntime': HOOKS_HOOKLIST, 'createContainer': HOOKS_HOOKLIST, 'startContainer': HOOKS_HOOKLIST, 'poststart': HOOKS_HOOKLIST, 'poststop': HOOKS_HOOKLIST}, (), None, None)  # type: Node
COMMON_ANNOTATIONS = (5, {}, (), (2, 1, -1, False, None, False), (2, 0, -1, False, None, False))  # type: Node
LINUX_NAMESPACES = (4, (5, {'type': (3, frozenset(('pid', 'network', 'mount', 'ipc', 'uts', 'user', 'cgroup', 'time'))), 'path': COMMON_ABSOLUTEPATH}, ('type',), None, None), 0, -1)  # type: Node
COMMON_INT64 = (1, -9223372036854775808, 9223372036854775807)  # type: Node
LINUX_TIMEOFFSETS = (5, {}, (), (3, frozenset(('monotonic', 'boottime'))), (5, {'secs': COMMON_INT64, 'nanosecs': (1, 0, 999999999)}, (), None, None))  # type: Node
DEVICES_MAJOR = (1, 0, 4095)  # type: Node
DEVICES_MINOR = (1, 0, 1048575)  # type: Node
DEVICES_DEVICES = (4, (5, {'type': (3, frozenset(('c', 'b', 'u', 'p'))), 'path': COMMON_ABSOLUTEPATH, 'major': DEVICES_MAJOR, 'minor': DEVICES_MINOR, 'fileMode': (1, 0, 65535), 'uid': COMMON_ID, 'gid': COMMON_ID}, ('type', 'path'), None, None), 0, -1)  # type: Node
DEVICES_INTERFACENAME = (2, 1, 15, False, (('\x00/: \t\n', True, 0, -1),), True)  # type: Node
DEVICES_NETDEVICES = (5, {}, (), DEVICES_INTERFACENAME, (5, {'name': DEVICES_INTERFACENAME}, (), None, None))  # type: Node
RESOURCES_NUMBER = (1, -1, 4294967295)  # type: Node
RESOURCES_DEVICERULES = (4, (5, {'allow': (0,), 'type': (3, frozenset(('a', 'c', 'b'))), 'major': RESOURCES_NUMBER, 'minor': RESOURCES_NUMBER, 'access': (2, 0, -1, False, (('rwm', False, 0, -1),), True)}, ('allow',), None, None), 0, -1)  # type: Node
RESOURCES_AMOUNT = (1, -1, 9223372036854775807)  # type: Node
RESOURCES_MEMORY = (5, {'limit': RESOURCES_AMOUNT, 'reservation': RESOURCES_AMOUNT, 'swap': RESOURCES_AMOUNT, 'kernel': RESOURCES_AMOUNT, 'kernelTCP': RESOURCES_AMOUNT, 'swappiness': (1, 0, 100), 'disableOOMKiller': (0,), 'useHierarchy': (0,), 'checkBeforeUpdate': (0,)}, (), None, None)  # type: Node
RESOURCES_CPU = (5, {'shares': COMMON_UINT64, 'quota': COMMON_INT64, 'burst': COMMON_UINT64, 'period': COMMON_UINT64, 'realtimeRuntime': COMMON_INT64, 'realtimePeriod': COMMON_UINT64, 'cpus': COMMON_NUMBERLIST, 'mems': COMMON_NUMBERLIST, 'idle': (1, 0, 1)}, (), None, None)  # type: Node
RESOURCES_WEIGHT = (1, 0, 1000)  # type: Node
RESOURCES_THROTTLES = (4, (5, {'major': DEVICES_MAJOR, 'minor': DEVICES_MINOR, 'rate': COMMON_UINT64}, ('major', 'minor', 'rate'), None, None), 0, -1)  # type: Node
RESOURCES_BLOCKIO = (5, {'weight': RESOURCES_WEIGHT, 'leafWeight': RESOURCES_WEIGHT, 'weightDevice': (4, (5, {'major': DEVICES_MAJOR, 'minor': DEVICES_MINOR, 'weight': RESOURCES_WEIGHT, 'leafWeight': RESOURCES_WEIGHT}, ('major', 'minor'), None, None), 0, -1), 'throttleReadBpsDevice': RESOURCES_THROTTLES, 'throttleWriteBpsDevice': RESOURCES_THROTTLES, 'throttleReadIOPSDevice': RESOURCES_THROTTLES, 'throttleWriteIOPSDevice': RESOURCES_THROTTLES}, (), None, None)  # type: Node
RESOURCES_HUGEPAGELIMITS = (4, (5, {'pageSize': (2, 0, -1, False, (('123456789', False, 1, 1), ('0123456789', False, 0, -1), ('KMG', False, 1, 1), ('B', False, 1, 1)), True), 'limit': COMMON_UINT64}, ('pageSize', 'limit'), None, None), 0, -1)  # type: Node
RESOURCES_NETWORK = (5, {'classID': COMMON_UINT32, 'priorities': (4, (5, {'name': DEVICES_INTERFACENAME, 'priority': COMMON_UINT32}, ('name', 'priority'), None, None), 0, -1)}, (), None, None)  # type: Node
RESOURCES_RDMA = (5, {}, (), (2, 1, -1, False, (('\x00 \t\n', True, 0, -1),), True), (5, {'hcaHandles': COMMON_UINT32, 'hcaObjects': COMMON_UINT32}, (), None, None))  # type: Node
RESOURCES = (5, {'devices': RESOURCES_DEVICERULES, 'memory': RESOURCES_MEMORY, 'cpu': RESOURCES_CPU, 'blockIO': RESOURCES_BLOCKIO, 'hugepageLimits': RESOURCES_HUGEPAGELIMITS, 'network': RESOURCES_NETWORK, 'pids': (5, {'limit': RESOURCES_AMOUNT}, (), None, None), 'rdma': RESOURCES_RDMA, 'unified': (5, {}, (), (2, 1, -1, False, (('\x00/', True, 0, -1),), True), COMMON_TEXT)}, (), None, None)  # type: Node
LINUX_INTELRDT = (5, {'closID': COMMON_NONEMPTYTEXT, 'schemata': (4, (2, 0, -1, False, (('\x00\n', True, 0, -1),), True), 0, -1), 'l3CacheSchema': COMMON_TEXT, 'memBwSchema': (2, 0, -1, False, (('M', False, 1, 1), ('B', False, 1, 1), (':', False, 1, 1), ('\x00\n', True, 0, -1)), True), 'enableMonitoring': (0,)}, (), None, None)  # type: Node
LINUX_MEMORYPOLICY = (5, {'mode': (3, frozenset(('MPOL_DEFAULT', 'MPOL_BIND', 'MPOL_INTERLEAVE', 'MPOL_WEIGHTED_INTERLEAVE', 'MPOL_PREFERRED', 'MPOL_PREFERRED_MANY', 'MPOL_LOCAL'))), 'nodes': COMMON_NUMBERLIST, 'flags': (4, (3, frozenset(('MPOL_F_NUMA_BALANCING', 'MPOL_F_RELATIVE_NODES', 'MPOL_F_STATIC_NODES'))), 0, -1)}, ('mode',), None, None)  # type: Node
SECCOMP_ACTION = (3, frozenset(('SCMP_ACT_KILL', 'SCMP_ACT_KILL_PROCESS', 'SCMP_ACT_KILL_THREAD', 'SCMP_ACT_TRAP', 'SCMP_ACT_ERRNO', 'SCMP_ACT_TRACE', 'SCMP_ACT_ALLOW', 'SCMP_ACT_LOG', 'SCMP_ACT_NOTIFY')))  # type: Node
SECCOMP_ERRNORET = (1, 0, 65535)  # type: Node
SECCOMP_ARCHITECTURE = (3, frozenset(('SCMP_ARCH_X86', 'SCMP_ARCH_X86_64', 'SCMP_ARCH_X32', 'SCMP_ARCH_ARM', 'SCMP_ARCH_AARCH64', 'SCMP_ARCH_MIPS', 'SCMP_ARCH_MIPS64', 'SCMP_ARCH_MIPS64N32', 'SCMP_ARCH_MIPSEL', 'SCMP_ARCH_MIPSEL64', 'SCMP_ARCH_MIPSEL64N32', 'SCMP_ARCH_PPC', 'SCMP_ARCH_PPC64', 'SCMP_ARCH_PPC64LE', 'SCMP_ARCH_S390', 'SCMP_ARCH_S390X', 'SCMP_ARCH_PARISC', 'SCMP_ARCH_PARISC64', 'SCMP_ARCH_RISCV64', 'SCMP_ARCH_LOONGARCH64', 'SCMP_ARCH_M68K', 'SCMP_ARCH_SH', 'SCMP_ARCH_SHEB')))  # type: Node
SECCOMP_FLAG = (3, frozenset(('SECCOMP_FILTER_FLAG_TSYNC', 'SECCOMP_FILTER_FLAG_LOG', 'SECCOMP_FILTER_FLAG_SPEC_ALLOW', 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV')))  # type: Node
SECCOMP_OPERATOR = (3, frozenset(('SCMP_CMP_NE', 'SCMP_CMP_LT', 'SCMP_CMP_LE', 'SCMP_CMP_EQ', 'SCMP_CMP_GE', 'SCMP_CMP_GT', 'SCMP_CMP_MASKED_EQ')))  # type: Node
SECCOMP_ARGUMENT = (5, {'index': (1, 0, 5), 'value': COMMON_UINT64, 'valueTwo': COMMON_UINT64, 'op': SECCOMP_OPERATOR}, ('index', 'value', 'op'), None, None)  # type: Node
SECCOMP_RULE = (5, {'names': (4, COMMON_NONEMPTYTEXT, 1, -1), 'action': SECCOMP_ACTION, 'errnoRet': SECCOMP_ERRNORET, 'args': (4, SECCOMP_ARGUMENT, 0, -1)}, ('names', 'action'), None, None)  # type: Node
SECCOMP_SECCOMP = (5, {'defaultAction': SECCOMP_ACTION, 'defaultErrnoRet': SECCOMP_ERRNORET, 'architectures': (4, SECCOMP_ARCHITECTURE, 0, -1), 'flags': (4, SECCOMP_FLAG, 0, -1), 'listenerPath': COMMON_TEXT, 'listenerMetadata': (2, 0, -1, False, None, False), 'syscalls': (4, SECCOMP_RULE, 0, -1)}, ('defaultAction',), None, None)  # type: Node
LINUX_PERSONALITY = (5, {'domain': (3, frozenset(('LINUX', 'LINUX32'))), 'flags': (4, (2, 0, -1, False, None, False), 0, 0)}, ('domain',), None, None)  # type: Node
LINUX_LINUX = (5, {'namespaces': LINUX_NAMESPACES, 'uidMappings': COMMON_IDMAPPINGS, 'gidMappings': COMMON_IDMAPPINGS, 'timeOffsets': LINUX_TIMEOFFSETS, 'devices': DEVICES_DEVICES, 'netDevices': DEVICES_NETDEVICES, 'cgroupsPath': (2, 0, -1, True, None, False), 'resources': RESOURCES, 'intelRdt': LINUX_INTELRDT, 'memoryPolicy': LINUX_MEMORYPOLICY, 'sysctl': (5, {}, (), (2, 1, -1, False, None, False), COMMON_TEXT), 'seccomp': SECCOMP_SECCOMP, 'rootfsPropagation': (3, frozenset(('shared', 'slave', 'private', 'unbindable', 'rshared', 'rslave', 'rprivate', 'runbindable'))), 'maskedPaths': (4, COMMON_ABSOLUTEPATH, 0, -1), 'readonlyPaths': (4, COMMON_ABSOLUTEPATH, 0, -1), 'mountLabel': (2, 0, -1, True, None, False), 'personality': LINUX_PERSONALITY}, (), None, None)  # type: Node
CONFIG = (5, {'ociVersion': COMMON_VERSION, 'root': (5, {'path': (2, 1, -1, True, None, False), 'readonly': (0,)}, ('path',), None, None), 'mounts': MOUNTS_MOUNTS, 'process': PROCESS, 'hostname': (2, 0, 64, True, None, False), 'domainname': (2, 0, 64, True, None, False), 'hooks': HOOKS_HOOKS, 'annotations': COMMON_ANNOTATIONS, 'linux': LINUX_LINUX}, ('ociVersion', 'root'), None, None)  # type: Node
