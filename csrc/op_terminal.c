/* Operations on the terminal and on stdio.
 *
 * The pty comes from the container's own devpts, which is checked, and the
 * replica from the kernel (TIOCGPTPEER): no path inside the container is
 * believed (CVE-2025-52565, CVE-2026-88264).
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "init.h"
#include "path.h"
#include "reply.h"
#include "syscalls.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

/* The multiplexer of the devpts at /dev/pts: a file of that filesystem cannot be replaced. */
static int open_multiplexer(struct context *context)
{
    struct stat status;
    int directory = path_open(context, "/dev/pts", PATH_DIRECTORY), fd, error;

    if (directory < 0)
        return directory;
    fd = result(openat(directory, "ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    close(directory);
    if (fd < 0)
        return fd;
    error = path_check_magic(fd, SYS_MAGIC_DEVPTS);
    if (error == 0 && fstat(fd, &status) < 0)
        error = -errno;
    if (error == 0 && !(S_ISCHR(status.st_mode) && status.st_rdev == makedev(5, 2)))
        error = -EPERM;
    if (error == 0 && fcntl(fd, F_SETFL, O_RDWR) < 0)
        error = -errno;
    if (error == 0)
        return fd;
    close(fd);
    detail_set(context, "/dev/pts/ptmx is not the multiplexer of a devpts");
    return error;
}

int op_open_pty(struct context *context, const struct op *op)
{
    int primary = open_multiplexer(context), replica, unlocked = 0;

    if (primary < 0)
        return primary;
    replica = ioctl(primary, TIOCSPTLCK, &unlocked);
    if (replica == 0)
        replica = ioctl(primary, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (replica < 0) {
        int error = -errno;
        close(primary);
        return error;
    }
    slot_put(context, op, 0, primary);
    slot_put(context, op, 1, replica);
    return 0;
}

int op_set_window_size(struct context *context, const struct op *op)
{
    struct winsize size = {.ws_row = (unsigned short)arg_int(op, 1), .ws_col = (unsigned short)arg_int(op, 2)};
    int fd = slot_get(context, op, 0);

    return fd < 0 ? fd : result(ioctl(fd, TIOCSWINSZ, &size));
}

int op_send_fd(struct context *context, const struct op *op)
{
    int fd = slot_get(context, op, 0), error;

    if (fd < 0)
        return fd;
    error = reply_fd(context, slot_index(op, 0), fd);
    slot_put(context, op, 0, -1);
    return error;
}

int op_bind_console(struct context *context, const struct op *op)
{
    int replica = slot_get(context, op, 0), mount, target, error;

    if (replica < 0)
        return replica;
    target = path_mount_point(context, arg_str(op, 1), 0, 0);
    if (target < 0)
        return target;
    error = path_check_magic(target, SYS_MAGIC_PROC) == 0 ? -EPERM : 0;
    mount = error < 0 ? error : mount_clone(replica, 0);
    error = mount < 0 ? mount : mount_attach(mount, target);
    if (mount >= 0)
        close(mount);
    close(target);
    return error;
}

/* Gives the open file to `uid`; one that is owned so is left alone (it may be read-only). */
static int own(int fd, const struct stat *status, uid_t uid)
{
    return status->st_uid == uid ? 0 : result(fchown(fd, uid, (gid_t)-1));
}

int op_use_terminal(struct context *context, const struct op *op)
{
    struct stat status;
    int replica = slot_get(context, op, 0), error;

    if (replica < 0)
        return replica;
    if (fstat(replica, &status) < 0)
        return -errno;
    error = own(replica, &status, (uid_t)arg_int(op, 1));
    if (error < 0)
        return error;
    if (ioctl(replica, TIOCSCTTY, 0) < 0)
        return -errno;
    for (int fd = 0; fd <= 2; fd++)
        if (dup2(replica, fd) < 0)
            return -errno;
    return slot_put(context, op, 0, -1);
}

/* A pipe of the caller's that cannot be given away (not mapped, not ours) stays as it is. */
int op_own_stdio(struct context *context, const struct op *op)
{
    (void)context;
    for (int fd = 0; fd <= 2; fd++) {
        struct stat status;
        int error;

        if (path_check_magic(fd, SYS_MAGIC_PIPEFS) < 0 || fstat(fd, &status) < 0 || !S_ISFIFO(status.st_mode))
            continue;
        error = own(fd, &status, (uid_t)arg_int(op, 0));
        if (error < 0 && error != -EPERM && error != -EINVAL)
            return error;
    }
    return 0;
}
