/* System calls and structures that libc (musl or an older glibc) may not know.
 *
 * Raw system calls with this project's error convention: a value >= 0 or -errno.
 * Structures have names of their own, so that any kernel header can be included
 * beside this one.
 */
#ifndef PYRUNC_SYSCALLS_H
#define PYRUNC_SYSCALLS_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* From 424 on the numbers are the same on all architectures (alpha aside). */
#ifndef SYS_statx
#error "this libc is too old"
#endif
#ifndef SYS_open_tree
#define SYS_open_tree 428
#endif
#ifndef SYS_move_mount
#define SYS_move_mount 429
#endif
#ifndef SYS_fsopen
#define SYS_fsopen 430
#endif
#ifndef SYS_fsconfig
#define SYS_fsconfig 431
#endif
#ifndef SYS_fsmount
#define SYS_fsmount 432
#endif
#ifndef SYS_fspick
#define SYS_fspick 433
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_faccessat2
#define SYS_faccessat2 439
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

struct sys_open_how {
    uint64_t flags, mode, resolve;
};

struct sys_mount_attr {
    uint64_t set, clear, propagation, userns_fd;
};

#define SYS_CLONE_INTO_CGROUP 0x200000000ULL
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif

struct sys_clone_args {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

/* struct statx up to the mount id, and room for what newer kernels add */
struct sys_statx {
    uint32_t mask, block_size;
    uint64_t attributes;
    uint32_t links, uid, gid;
    uint16_t mode, spare;
    uint64_t ino, size, blocks, attributes_mask;
    uint64_t times[8];
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
    uint64_t mount_id;
    uint64_t more[13];
};
_Static_assert(sizeof(struct sys_statx) == 256, "the kernel's size");

enum {
    SYS_RESOLVE_NO_XDEV = 0x01,
    SYS_RESOLVE_NO_MAGICLINKS = 0x02,
    SYS_RESOLVE_NO_SYMLINKS = 0x04,
    SYS_RESOLVE_BENEATH = 0x08,
    SYS_RESOLVE_IN_ROOT = 0x10,
};

#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif
#ifndef AT_EACCESS
#define AT_EACCESS 0x200
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef O_PATH
#define O_PATH 010000000
#endif
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef OPEN_TREE_CLOEXEC
#define OPEN_TREE_CLOEXEC O_CLOEXEC
#endif
#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 0x04
#endif
#ifndef MOVE_MOUNT_T_EMPTY_PATH
#define MOVE_MOUNT_T_EMPTY_PATH 0x40
#endif
#define SYS_MOUNT_ATTR_RDONLY 0x01
#define SYS_MOUNT_ATTR_NOSUID 0x02
#define SYS_MOUNT_ATTR_NODEV 0x04
#define SYS_MOUNT_ATTR_NOEXEC 0x08
#define SYS_MOUNT_ATTR_IDMAP 0x100000
#define SYS_FSOPEN_CLOEXEC 1
#define SYS_FSMOUNT_CLOEXEC 1
#define SYS_FSPICK_CLOEXEC 1
#define SYS_FSPICK_EMPTY_PATH 8
#define SYS_FSCONFIG_SET_FLAG 0
#define SYS_FSCONFIG_SET_STRING 1
#define SYS_FSCONFIG_CMD_CREATE 6
#define SYS_FSCONFIG_CMD_RECONFIGURE 7

#define SYS_NS_GET_NSTYPE 0xb703 /* _IO(0xb7, 3) */

#define SYS_MAGIC_PROC 0x9fa0
#define SYS_MAGIC_SYSFS 0x62656572
#define SYS_MAGIC_DEVPTS 0x1cd1
#define SYS_MAGIC_PIPEFS 0x50495045

/* errno to -errno: result(open(...)) */
static inline int result(long value)
{
    return value < 0 ? -errno : (int)value;
}

#define sys_call(...) result(syscall(__VA_ARGS__))

static inline int sys_openat2(int dir, const char *path, uint64_t flags, uint64_t resolve)
{
    struct sys_open_how how = {.flags = flags | O_CLOEXEC, .resolve = resolve};
    return sys_call(SYS_openat2, dir, path, &how, sizeof how);
}

static inline int sys_statx(int fd, struct sys_statx *status)
{
    const unsigned want = 0x7ff | 0x1000; /* STATX_BASIC_STATS | STATX_MNT_ID */

    return sys_call(SYS_statx, fd, "", AT_EMPTY_PATH, want, status);
}

static inline int sys_open_tree(int dir, const char *path, unsigned flags)
{
    return sys_call(SYS_open_tree, dir, path, flags);
}

static inline int sys_move_mount(int from, const char *from_path, int to, const char *to_path, unsigned flags)
{
    return sys_call(SYS_move_mount, from, from_path, to, to_path, flags);
}

static inline int sys_mount_setattr(int dir, const char *path, unsigned flags, const struct sys_mount_attr *attr)
{
    return sys_call(SYS_mount_setattr, dir, path, flags, attr, sizeof *attr);
}

static inline int sys_fsopen(const char *kind)
{
    return sys_call(SYS_fsopen, kind, SYS_FSOPEN_CLOEXEC);
}

static inline int sys_fsconfig(int fs, unsigned command, const char *key, const char *value)
{
    return sys_call(SYS_fsconfig, fs, command, key, value, 0);
}

static inline int sys_fsmount(int fs, unsigned attributes)
{
    return sys_call(SYS_fsmount, fs, SYS_FSMOUNT_CLOEXEC, attributes);
}

/* Ends the process even where a seccomp filter refuses exit_group(2): libc would try for ever. */
static inline _Noreturn void sys_leave(int status)
{
    syscall(SYS_exit_group, status);
    __builtin_trap();
}

#endif
