/* Operations that make, change and attach mounts. The root's own are in op_root.c. */
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "init.h"
#include "path.h"
#include "syscalls.h"

enum { FS_STRING_MAX = 255 }; /* fsconfig(2) refuses longer strings */

int op_open_tree(struct context *context, const struct op *op)
{
    unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (arg_int(op, 2) ? AT_RECURSIVE : 0);
    int fd = sys_open_tree(AT_FDCWD, arg_str(op, 1), flags);

    return fd < 0 ? fd : slot_put(context, op, 0, fd);
}

int op_open_source(struct context *context, const struct op *op)
{
    int fd = result(open(arg_str(op, 1), O_PATH | O_CLOEXEC));

    return fd < 0 ? fd : slot_put(context, op, 0, fd);
}

int op_clone_mount(struct context *context, const struct op *op)
{
    int fd = slot_get(context, op, 0);

    if (fd >= 0)
        fd = mount_clone(fd, (int)arg_int(op, 1));
    return fd < 0 ? fd : slot_put(context, op, 0, fd);
}

/* A slave: as a peer it would carry to the host what the container mounts over it. */
static int clone_device(int fd)
{
    struct sys_mount_attr slave = {.propagation = MS_SLAVE};
    int copy = mount_clone(fd, 0);
    int error = copy < 0 ? copy : sys_mount_setattr(copy, "", AT_EMPTY_PATH, &slave);

    if (error < 0 && copy >= 0)
        close(copy);
    return error < 0 ? error : copy;
}

int op_open_device(struct context *context, const struct op *op)
{
    int fd = result(open(arg_str(op, 1), O_PATH | O_CLOEXEC));
    struct stat file;
    int error;

    if (fd < 0)
        return fd;
    if (fstat(fd, &file) < 0)
        error = -errno;
    else if ((file.st_mode & S_IFMT) != (mode_t)arg_int(op, 2) || major(file.st_rdev) != arg_int(op, 3) ||
             minor(file.st_rdev) != arg_int(op, 4))
        error = -ENODEV;
    else
        error = clone_device(fd);
    close(fd);
    return error < 0 ? error : slot_put(context, op, 0, error);
}

/* The kernel's own words on what was wrong with a mount, one message per read. */
static void add_kernel_log(struct context *context, int fs)
{
    char line[160];
    ssize_t length;

    while ((length = read(fs, line, sizeof line - 1)) > 0) {
        if (line[length - 1] == '\n')
            length--;
        line[length] = 0;
        if (context->detail[0])
            detail_add(context, "; ");
        /* "e text", "w text" or "i text" */
        detail_add(context, length > 2 && line[1] == ' ' ? line + 2 : line);
    }
}

/* One `key` or `key=value`; the '=' is put back. */
static int set_option(struct context *context, int fs, char *option)
{
    char *equals = strchr(option, '=');
    int error;

    if (!equals)
        error = sys_fsconfig(fs, SYS_FSCONFIG_SET_FLAG, option, NULL);
    else {
        *equals = 0;
        error = sys_fsconfig(fs, SYS_FSCONFIG_SET_STRING, option, equals + 1);
        *equals = '=';
    }
    if (error < 0) {
        detail_set(context, "option ");
        detail_add(context, option);
        if (equals && strlen(equals + 1) > FS_STRING_MAX)
            detail_add(context, ": longer than 255 bytes");
    }
    return error;
}

/* Sets all options, gives `command` and leaves the kernel's log in the detail if it fails. */
static int configure(struct context *context, int fs, char **options, unsigned command)
{
    int error = 0;

    for (; *options && !error; options++)
        error = set_option(context, fs, *options);
    if (!error)
        error = sys_fsconfig(fs, command, NULL, NULL);
    if (error < 0)
        add_kernel_log(context, fs);
    return error;
}

int op_new_mount(struct context *context, const struct op *op)
{
    const char *source = arg_str(op, 2);
    int fs = sys_fsopen(arg_str(op, 1));
    int error = 0, fd;

    if (fs < 0) {
        detail_set(context, "filesystem type ");
        detail_add(context, arg_str(op, 1));
        return fs;
    }
    if (*source)
        error = sys_fsconfig(fs, SYS_FSCONFIG_SET_STRING, "source", source);
    if (!error)
        error = configure(context, fs, arg_list(op, 3), SYS_FSCONFIG_CMD_CREATE);
    fd = error < 0 ? error : sys_fsmount(fs, (unsigned)arg_int(op, 4));
    if (fd < 0 && !context->detail[0])
        add_kernel_log(context, fs);
    close(fs);
    return fd < 0 ? fd : slot_put(context, op, 0, fd);
}

int op_mount_setattr(struct context *context, const struct op *op)
{
    struct sys_mount_attr attr = {
        .set = (uint64_t)arg_int(op, 1),
        .clear = (uint64_t)arg_int(op, 2),
        .propagation = (uint64_t)arg_int(op, 3),
    };
    int fd = slot_get(context, op, 0);

    return fd < 0 ? fd : sys_mount_setattr(fd, "", AT_EMPTY_PATH | (arg_int(op, 4) ? AT_RECURSIVE : 0), &attr);
}

int op_idmap_mount(struct context *context, const struct op *op)
{
    int fd = slot_get(context, op, 0), user_namespace = slot_get(context, op, 1);
    struct sys_mount_attr attr = {.set = SYS_MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)user_namespace};

    if (fd < 0 || user_namespace < 0)
        return -EBADF;
    return sys_mount_setattr(fd, "", AT_EMPTY_PATH | (arg_int(op, 2) ? AT_RECURSIVE : 0), &attr);
}

int op_require_proc(struct context *context, const struct op *op)
{
    int fd = slot_get(context, op, 0);

    return fd < 0 ? fd : path_check_magic(fd, SYS_MAGIC_PROC);
}

/* -EPERM if `fd` lies on the container's /proc. A procfs elsewhere may be covered, as the host's in /host/proc. */
static int check_outside_proc(struct context *context, int fd, const char *target)
{
    struct sys_statx here, there;
    int proc, error;

    if (path_check_magic(fd, SYS_MAGIC_PROC) < 0)
        return 0;
    proc = path_open(context, "/proc", PATH_DIRECTORY);
    if (proc < 0)
        return proc == -ENOENT || proc == -ENOTDIR ? 0 : proc;
    error = sys_statx(fd, &here);
    if (error >= 0)
        error = sys_statx(proc, &there);
    close(proc);
    if (error < 0 || here.mount_id != there.mount_id)
        return error;
    detail_set(context, "\"");
    detail_add(context, target);
    detail_add(context, "\" cannot be mounted because it is inside /proc");
    return -EPERM;
}

int op_move_mount(struct context *context, const struct op *op)
{
    int fd = slot_get(context, op, 0);
    unsigned flags = arg_int(op, 2) ? PATH_NO_SYMLINKS : 0;
    struct stat file;
    int target, error = 0;

    if (fd < 0)
        return fd;
    if (fstat(fd, &file) < 0)
        return -errno;
    target = path_mount_point(context, arg_str(op, 1), S_ISDIR(file.st_mode), flags);
    if (target < 0)
        return target;
    if (!arg_int(op, 3))
        error = check_outside_proc(context, target, arg_str(op, 1));
    if (!error)
        error = mount_attach(fd, target);
    close(target);
    return error;
}

int op_remount(struct context *context, const struct op *op)
{
    struct sys_mount_attr attr = {.set = (uint64_t)arg_int(op, 1), .clear = (uint64_t)arg_int(op, 2)};
    int fd = path_open(context, arg_str(op, 0), 0);
    int error = 0, fs;

    if (fd < 0)
        return fd;
    if (attr.set || attr.clear)
        error = sys_mount_setattr(fd, "", AT_EMPTY_PATH, &attr);
    if (!error && arg_count(op, 3)) {
        fs = sys_call(SYS_fspick, fd, "", SYS_FSPICK_CLOEXEC | SYS_FSPICK_EMPTY_PATH);
        error = fs < 0 ? fs : configure(context, fs, arg_list(op, 3), SYS_FSCONFIG_CMD_RECONFIGURE);
        if (fs >= 0)
            close(fs);
    }
    close(fd);
    return error;
}
