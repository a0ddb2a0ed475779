/* Operations on files below the container's root and on procfs. */
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "init.h"
#include "path.h"
#include "reply.h"
#include "syscalls.h"

int op_make_directory(struct context *context, const struct op *op)
{
    int fd = path_make_directory(context, arg_str(op, 0), (unsigned)arg_int(op, 1), 0);

    if (fd < 0)
        return fd;
    close(fd);
    return 0;
}

/* 1 if there is something at `target`, itself a symlink or not */
static int exists(const struct context *context, const char *target)
{
    int fd = path_open(context, target, PATH_NO_FOLLOW);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* 1 if `name` in `parent` is a symlink to `content`, 0 if to something else, or -errno (-EINVAL: no symlink). */
static int links_to(int parent, const char *name, const char *content)
{
    size_t length = strlen(content);
    char text[256];
    ssize_t got = readlinkat(parent, name, text, sizeof text);

    if (got < 0)
        return -errno;
    return (size_t)got == length && length < sizeof text && memcmp(text, content, length) == 0;
}

int op_make_symlink(struct context *context, const struct op *op)
{
    const char *content = arg_str(op, 1), *only_if = arg_str(op, 2), *name = NULL;
    int parent, error, same;

    if (*only_if && !exists(context, only_if))
        return 0;
    parent = path_parent(context, arg_str(op, 0), &name);
    if (parent < 0)
        return parent;
    error = result(symlinkat(content, parent, name));
    if (error == -EEXIST) {
        same = links_to(parent, name, content);
        error = same < 0 && same != -EINVAL ? same : 0;
        if (same == 0) {
            error = result(unlinkat(parent, name, 0));
            if (!error)
                error = result(symlinkat(content, parent, name));
        }
    }
    close(parent);
    return error;
}

/* 1 if what `file` describes is the node that `op` (make_node) wants */
static int is_wanted_node(const struct op *op, const struct stat *file)
{
    if ((file->st_mode & S_IFMT) != (mode_t)arg_int(op, 1))
        return 0;
    if (S_ISFIFO(file->st_mode))
        return 1;
    return major(file->st_rdev) == arg_int(op, 2) && minor(file->st_rdev) == arg_int(op, 3);
}

/* Opens the node that was just made, proves that it is the one, and gives it its owner. */
static int own_node(const struct op *op, int parent, const char *name)
{
    uid_t uid = (uid_t)arg_int(op, 5);
    gid_t gid = (gid_t)arg_int(op, 6);
    int fd = result(openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat file;
    int error = 0;

    if (fd < 0)
        return fd;
    if (fstat(fd, &file) < 0)
        error = -errno;
    else if (!is_wanted_node(op, &file))
        error = -EEXIST;
    else if (file.st_uid != uid || file.st_gid != gid)
        error = result(fchownat(fd, "", uid, gid, AT_EMPTY_PATH));
    close(fd);
    return error;
}

/* 0 if the file at the target is the node wanted or, where that is allowed, a link to it; else -EEXIST. */
static int is_supplied(const struct context *context, const struct op *op)
{
    int fd = path_open(context, arg_str(op, 0), arg_int(op, 7) ? PATH_NO_FOLLOW : 0);
    struct stat file;
    int error;

    if (fd < 0)
        return fd == -ENOENT || fd == -ELOOP ? -EEXIST : fd;
    error = result(fstat(fd, &file));
    close(fd);
    return error || is_wanted_node(op, &file) ? error : -EEXIST;
}

int op_make_node(struct context *context, const struct op *op)
{
    mode_t mode = (mode_t)(arg_int(op, 1) | arg_int(op, 4)), mask;
    const char *name = NULL;
    int parent = path_parent(context, arg_str(op, 0), &name);
    int error;

    if (parent < 0)
        return parent;
    mask = umask(0);
    error = result(mknodat(parent, name, mode, makedev((unsigned)arg_int(op, 2), (unsigned)arg_int(op, 3))));
    umask(mask);
    if (!error)
        error = own_node(op, parent, name);
    else if (error == -EEXIST) {
        error = is_supplied(context, op);
        if (error == -EEXIST)
            detail_set(context, "another file is there");
    }
    close(parent);
    return error;
}

/* The container's own /proc, if it is the root directory of a procfs. */
static int open_container_proc(struct context *context)
{
    enum { PROC_ROOT_INODE = 1 };
    int fd = path_open(context, "/proc", PATH_NO_SYMLINKS | PATH_DIRECTORY);
    struct stat file;
    int error;

    if (fd < 0)
        return fd;
    error = path_check_magic(fd, SYS_MAGIC_PROC);
    if (!error)
        error = result(fstat(fd, &file));
    if (!error && file.st_ino != PROC_ROOT_INODE)
        error = -EPERM;
    if (!error)
        return fd;
    detail_set(context, "the container's /proc is not the root of a procfs");
    close(fd);
    return error;
}

int op_open_proc(struct context *context, const struct op *op)
{
    int fs = sys_fsopen("proc");
    int fd = fs < 0 ? fs : sys_fsconfig(fs, SYS_FSCONFIG_CMD_CREATE, NULL, NULL);

    if (!fd)
        fd = sys_fsmount(fs, SYS_MOUNT_ATTR_NOSUID | SYS_MOUNT_ATTR_NODEV | SYS_MOUNT_ATTR_NOEXEC);
    if (fs >= 0)
        close(fs);
    if (fd == -EPERM)
        fd = open_container_proc(context);
    return fd < 0 ? fd : slot_put(context, op, 0, fd);
}

int op_write_proc(struct context *context, const struct op *op)
{
    int proc = slot_get(context, op, 0);
    const char *name = arg_str(op, 1);
    int error = proc < 0 ? proc : proc_write(proc, name, arg_str(op, 2), arg_length(op, 2));

    if (error == -ENOENT && arg_int(op, 3)) {
        reply_warning(context, error, name);
        error = 0;
    }
    return error;
}
