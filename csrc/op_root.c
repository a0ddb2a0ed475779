/* Operations on the root mount, and those that restrict what lies below it. */
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "init.h"
#include "path.h"
#include "syscalls.h"

int op_set_propagation(struct context *context, const struct op *op)
{
    (void)context;
    return result(mount(NULL, "/", NULL, (unsigned long)arg_int(op, 0), NULL));
}

int op_root_propagation(struct context *context, const struct op *op)
{
    return op_set_propagation(context, op);
}

/* Makes `fd` (owned from here) the root of all target paths. */
static int set_root(struct context *context, int fd)
{
    if (fd < 0)
        return fd;
    if (context->root >= 0)
        close(context->root);
    context->root = fd;
    return 0;
}

/* Attaches the mount in the op's slot over a directory and keeps it as the root. */
static int attach(struct context *context, const struct op *op, const char *directory)
{
    int fd = slot_get(context, op, 0);
    struct stat root;
    int error = fd < 0 ? fd : result(fstat(fd, &root));

    if (!error && !S_ISDIR(root.st_mode))
        return -ENOTDIR;
    if (!error)
        error = sys_move_mount(fd, "", AT_FDCWD, directory, MOVE_MOUNT_F_EMPTY_PATH);
    return error < 0 ? error : set_root(context, result(fcntl(fd, F_DUPFD_CLOEXEC, 3)));
}

/* Over "/" of the runtime's own mount namespace it would be the end of the host. */
int op_attach_root(struct context *context, const struct op *op)
{
    if (mount_namespace() != context->mount_namespace)
        return attach(context, op, "/");
    detail_set(context, "the mount namespace is the runtime's own");
    return -EPERM;
}

int op_attach_root_at(struct context *context, const struct op *op)
{
    return attach(context, op, arg_str(op, 1));
}

int op_change_root(struct context *context, const struct op *op)
{
    int error = result(fchdir(context->root));

    (void)op;
    if (!error)
        error = result(chroot("."));
    return error < 0 ? error : result(chdir("/"));
}

int op_open_root(struct context *context, const struct op *op)
{
    (void)op;
    return set_root(context, result(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)));
}

int op_use_root(struct context *context, const struct op *op)
{
    int fd = slot_get(context, op, 0);

    return fd < 0 ? fd : set_root(context, result(fcntl(fd, F_DUPFD_CLOEXEC, 3)));
}

/* The old root ends up below the new one and is detached from there.  It is made
 * a slave first, so that nothing of that reaches the host. */
int op_pivot_root(struct context *context, const struct op *op)
{
    struct sys_mount_attr slave = {.propagation = MS_SLAVE};
    int old = result(open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    int error;

    (void)op;
    if (old < 0)
        return old;
    error = result(fchdir(context->root));
    if (!error)
        error = sys_call(SYS_pivot_root, ".", ".");
    if (!error)
        error = sys_mount_setattr(old, "", AT_EMPTY_PATH | AT_RECURSIVE, &slave);
    if (!error)
        error = result(fchdir(old));
    if (!error)
        error = result(umount2(".", MNT_DETACH));
    close(old);
    return error < 0 ? error : result(chdir("/"));
}

int op_readonly_root(struct context *context, const struct op *op)
{
    struct sys_mount_attr attr = {.set = SYS_MOUNT_ATTR_RDONLY};

    (void)op;
    return sys_mount_setattr(context->root, "", AT_EMPTY_PATH, &attr);
}

/* An O_PATH descriptor of the container's /dev/null; only the real one (c 1:3) will do. */
static int open_null(const struct context *context)
{
    int fd = path_open(context, "/dev/null", 0);
    struct stat file;

    if (fd >= 0 && (fstat(fd, &file) < 0 || !S_ISCHR(file.st_mode) || file.st_rdev != makedev(1, 3))) {
        close(fd);
        fd = -ENODEV;
    }
    return fd;
}

/* A detached tmpfs with nothing in it but, for masking files, the empty file "null". */
static int make_empty(void)
{
    int fs = sys_fsopen("tmpfs"), fd = -1, error = fs;

    if (fs < 0)
        return fs;
    error = sys_fsconfig(fs, SYS_FSCONFIG_SET_STRING, "mode", "0555");
    if (!error)
        error = sys_fsconfig(fs, SYS_FSCONFIG_SET_STRING, "nr_inodes", "3");
    if (!error)
        error = sys_fsconfig(fs, SYS_FSCONFIG_CMD_CREATE, NULL, NULL);
    fd = error < 0 ? error : sys_fsmount(fs, SYS_MOUNT_ATTR_NOSUID | SYS_MOUNT_ATTR_NODEV | SYS_MOUNT_ATTR_NOEXEC);
    close(fs);
    return fd;
}

/* The detached, read-only mount of a single empty file.  Kernels clone a file only out of
 * an attached mount: the tmpfs lies over "/" for that moment, where no lookup meets it. */
static int make_empty_file(const struct context *context)
{
    struct sys_mount_attr readonly = {.set = SYS_MOUNT_ATTR_RDONLY};
    int directory = make_empty(), file, error;

    if (directory < 0)
        return directory;
    file = result(mknodat(directory, "null", S_IFREG, 0));
    if (!file)
        file = mount_attach(directory, context->root);
    if (!file) {
        file = sys_open_tree(directory, "null", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        error = result(fchdir(directory));
        if (!error)
            error = result(umount2(".", MNT_DETACH));
        if (!error)
            error = result(chdir("/"));
        if (!error && file >= 0)
            error = sys_mount_setattr(file, "", AT_EMPTY_PATH, &readonly);
        if (error < 0 && file >= 0)
            close(file);
        file = error < 0 ? error : file;
    }
    close(directory);
    return file;
}

/* A mount to cover a file with: /dev/null, or where there is none, a file of our own,
 * which like `empty` is used itself first and cloned later. */
static int null_mount(struct context *context)
{
    int fd;

    if (context->null >= 0)
        return mount_clone(context->null, 0);
    fd = open_null(context);
    if (fd >= 0) {
        context->null = fd;
        return mount_clone(fd, 0);
    }
    context->null = make_empty_file(context);
    return context->null < 0 ? context->null : result(fcntl(context->null, F_DUPFD_CLOEXEC, 3));
}

/* A mount to cover a directory with. Kernels clone a mount only once it is attached:
 * the first is used itself and is the original of all later ones. */
static int empty_mount(struct context *context)
{
    struct sys_mount_attr readonly = {.set = SYS_MOUNT_ATTR_RDONLY};
    int error;

    if (context->empty >= 0)
        return mount_clone(context->empty, 0);
    context->empty = make_empty();
    if (context->empty < 0)
        return context->empty;
    error = sys_mount_setattr(context->empty, "", AT_EMPTY_PATH, &readonly);
    return error < 0 ? error : result(fcntl(context->empty, F_DUPFD_CLOEXEC, 3));
}

/* 1 if a missing target makes the operation a success */
static int is_missing(int error)
{
    return error == -ENOENT || error == -ENOTDIR;
}

int op_mask_path(struct context *context, const struct op *op)
{
    int target = path_open(context, arg_str(op, 0), 0);
    struct stat file;
    int cover, error;

    if (target < 0)
        return is_missing(target) ? 0 : target;
    if (fstat(target, &file) < 0) {
        error = -errno;
        close(target);
        return error;
    }
    cover = S_ISDIR(file.st_mode) ? empty_mount(context) : null_mount(context);
    error = cover < 0 ? cover : mount_attach(cover, target);
    if (cover >= 0)
        close(cover);
    close(target);
    return error;
}

int op_readonly_path(struct context *context, const struct op *op)
{
    struct sys_mount_attr readonly = {.set = SYS_MOUNT_ATTR_RDONLY};
    int target = path_open(context, arg_str(op, 0), 0);
    int clone, error;

    if (target < 0)
        return is_missing(target) ? 0 : target;
    clone = mount_clone(target, 1);
    error = clone < 0 ? clone : sys_mount_setattr(clone, "", AT_EMPTY_PATH | AT_RECURSIVE, &readonly);
    if (!error)
        error = mount_attach(clone, target);
    if (clone >= 0)
        close(clone);
    close(target);
    return error;
}
