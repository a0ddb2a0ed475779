/* The resolver of target paths, and work on procfs and mounts by descriptor. */
#include "path.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "syscalls.h"

enum {
    RACE_RETRIES = 64, /* openat2 says EAGAIN when a rename crosses a ".." */
    LINK_LIMIT = 32,   /* dangling symlinks followed while creating */
    KIND_DIRECTORY = 0,
    KIND_FILE = 1,
};

/* `mode` and `resolve` are added to what every target is opened with. */
static int resolve_in_root(const struct context *context, const char *path, uint64_t mode, uint64_t resolve)
{
    int fd = -EBADF;

    resolve |= SYS_RESOLVE_IN_ROOT | SYS_RESOLVE_NO_MAGICLINKS;
    for (int attempt = 0; context->root >= 0 && attempt < RACE_RETRIES; attempt++) {
        fd = sys_openat2(context->root, path, mode, resolve);
        if (fd != -EAGAIN && fd != -EINTR)
            break;
    }
    return fd;
}

static int open_in_root(const struct context *context, const char *path, unsigned flags)
{
    uint64_t mode = O_PATH;

    if (flags & PATH_NO_FOLLOW)
        mode |= O_NOFOLLOW;
    if (flags & PATH_DIRECTORY)
        mode |= O_DIRECTORY;
    return resolve_in_root(context, path, mode, flags & PATH_NO_SYMLINKS ? SYS_RESOLVE_NO_SYMLINKS : 0);
}

int path_open(const struct context *context, const char *target, unsigned flags)
{
    return open_in_root(context, *target ? target : "/", flags);
}

int path_read_file(const struct context *context, const char *target)
{
    struct stat file;
    int fd = resolve_in_root(context, target, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);

    if (fd < 0 || (fstat(fd, &file) == 0 && S_ISREG(file.st_mode)))
        return fd;
    close(fd);
    return -EINVAL;
}

/* The path that is being created: a copy, because dangling symlinks rewrite it. */
struct walk {
    const struct context *context;
    unsigned flags;
    int links;
    char path[PATH_MAX];
};

/* Puts the text of the symlink `name` in `dir` in the place of the component
 * path[start, end), so that what it dangles to is created inside the root. */
static int expand_link(struct walk *walk, int dir, size_t start, size_t end)
{
    char *path = walk->path;
    size_t rest = strlen(path + end) + 1;
    char text[PATH_MAX];
    char saved = path[end];
    ssize_t length;

    if (walk->flags & PATH_NO_SYMLINKS || ++walk->links > LINK_LIMIT)
        return -ELOOP;
    path[end] = 0;
    length = readlinkat(dir, path + start, text, sizeof text);
    if (length < 0)
        return errno == EINVAL ? -EEXIST : -errno;
    path[end] = saved;
    if (length > 0 && text[0] == '/')
        start = 0;
    if (start + (size_t)length + rest > sizeof walk->path)
        return -ENAMETOOLONG;
    memmove(path + start + length, path + end, rest);
    memcpy(path + start, text, (size_t)length);
    return 0;
}

/* Makes one missing component in `dir`: 0, also if somebody else was faster, or -errno. */
static int make_component(int dir, const char *name, int kind, unsigned mode)
{
    int error = kind == KIND_FILE ? result(mknodat(dir, name, S_IFREG | mode, 0)) : result(mkdirat(dir, name, mode));

    return error == -EEXIST ? 0 : error;
}

/* Opens the prefix path[0, end), of which path[start, end) may be missing in `dir`.
 * Returns a descriptor, -EAGAIN after a dangling symlink was expanded, or -errno. */
static int open_component(struct walk *walk, int dir, size_t start, size_t end, int kind, unsigned mode)
{
    char *path = walk->path;
    unsigned flags = walk->flags | (kind == KIND_DIRECTORY ? PATH_DIRECTORY : 0);
    char saved = path[end];
    int fd;

    path[end] = 0;
    fd = open_in_root(walk->context, path, flags);
    if (fd == -ENOENT) {
        fd = make_component(dir, path + start, kind, mode);
        if (!fd)
            fd = open_in_root(walk->context, path, flags);
    }
    path[end] = saved;
    if (fd != -ENOENT)
        return fd;
    fd = expand_link(walk, dir, start, end);
    return fd < 0 ? fd : -EAGAIN;
}

/* Opens target[0, length), making what is missing: parents as directories (0755), the last as `kind`. */
static int walk_and_make(const struct context *context, const char *target, size_t length, unsigned flags, int kind,
                         unsigned mode)
{
    struct walk walk; /* not zeroed as a whole: every page that is touched is charged to the container */
    size_t start = 0, end;
    int dir, fd;

    if (length >= sizeof walk.path)
        return -ENAMETOOLONG;
    dir = path_open(context, "/", 0);
    walk.context = context;
    walk.flags = flags & PATH_NO_SYMLINKS;
    walk.links = 0;
    memcpy(walk.path, target, length);
    walk.path[length] = 0;
    for (;; start = end) {
        int last;

        start += strspn(walk.path + start, "/");
        if (dir < 0 || !walk.path[start])
            return dir;
        end = start + strcspn(walk.path + start, "/");
        last = !walk.path[end + strspn(walk.path + end, "/")];
        fd = open_component(&walk, dir, start, end, last ? kind : KIND_DIRECTORY, last ? mode : 0755);
        close(dir);
        if (fd == -EAGAIN) { /* the path was rewritten: from its beginning */
            fd = path_open(context, "/", 0);
            end = 0;
        }
        dir = fd;
    }
}

static int open_or_make(const struct context *context, const char *target, int kind, unsigned mode, unsigned flags)
{
    int fd = path_open(context, target, flags);

    if (fd != -ENOENT)
        return fd;
    return walk_and_make(context, target, strlen(target), flags, kind, mode);
}

int path_make_directory(const struct context *context, const char *target, unsigned mode, unsigned flags)
{
    return open_or_make(context, target, KIND_DIRECTORY, mode, flags | PATH_DIRECTORY);
}

int path_make_file(const struct context *context, const char *target, unsigned mode, unsigned flags)
{
    return open_or_make(context, target, KIND_FILE, mode, flags);
}

int path_parent(const struct context *context, const char *target, const char **name)
{
    const char *slash = strrchr(target, '/');
    const char *last = slash ? slash + 1 : target;

    if (!*last || strcmp(last, ".") == 0 || strcmp(last, "..") == 0)
        return -EINVAL;
    *name = last;
    return walk_and_make(context, target, (size_t)(last - target), 0, KIND_DIRECTORY, 0755);
}

int path_mount_point(const struct context *context, const char *target, int directory, unsigned flags)
{
    int fd = directory ? path_make_directory(context, target, 0755, flags)
                       : path_make_file(context, target, 0644, flags);
    struct stat file;
    int error;

    if (fd < 0)
        return fd;
    error = path_same(fd, context->root);
    if (error > 0)
        error = -EBUSY;
    if (!error)
        error = result(fstat(fd, &file));
    if (!error && S_ISDIR(file.st_mode) != !!directory) /* the kernel says EINVAL for that, and for much else */
        error = -ENOTDIR;
    if (!error)
        return fd;
    close(fd);
    return error;
}

int path_check_magic(int fd, uint32_t magic)
{
    struct statfs filesystem;

    if (fstatfs(fd, &filesystem) < 0)
        return -errno;
    return (uint32_t)filesystem.f_type == magic ? 0 : -EPERM;
}

int path_same(int fd, int other)
{
    struct sys_statx first, second;
    int error = sys_statx(fd, &first);

    if (error >= 0)
        error = sys_statx(other, &second);
    if (error < 0)
        return error;
    return first.ino == second.ino && first.mount_id == second.mount_id;
}

/* "self/x" as "PID/x": the symlink is read from the procfs itself and the rest is opened without any. */
static int replace_self(int proc, const char **name, char *room, size_t size)
{
    const char *rest = *name + 4;
    ssize_t length;

    if (strncmp(*name, "self/", 5) != 0)
        return 0;
    length = readlinkat(proc, "self", room, size);
    if (length < 0)
        return -errno;
    if ((size_t)length + strlen(rest) + 1 > size)
        return -ENAMETOOLONG;
    memcpy(room + length, rest, strlen(rest) + 1);
    *name = room;
    return 0;
}

int proc_open(int proc, const char *name, int flags)
{
    const uint64_t resolve =
        SYS_RESOLVE_BENEATH | SYS_RESOLVE_NO_XDEV | SYS_RESOLVE_NO_MAGICLINKS | SYS_RESOLVE_NO_SYMLINKS;
    char room[256];
    int fd, error = replace_self(proc, &name, room, sizeof room);

    if (error < 0)
        return error;
    fd = sys_openat2(proc, name, (uint64_t)flags, resolve);
    if (fd < 0)
        return fd;
    error = path_check_magic(fd, SYS_MAGIC_PROC);
    if (error < 0) {
        close(fd);
        return error;
    }
    return fd;
}

int proc_write(int proc, const char *name, const void *value, size_t length)
{
    int fd = proc_open(proc, name, O_WRONLY);
    ssize_t written;
    int error;

    if (fd < 0)
        return fd;
    written = write(fd, value, length);
    error = written < 0 ? -errno : (size_t)written == length ? 0 : -EIO;
    close(fd);
    return error;
}

int mount_clone(int fd, int recursive)
{
    return sys_open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0));
}

int mount_attach(int fd, int target)
{
    return sys_move_mount(fd, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

uint64_t mount_namespace(void)
{
    struct stat file;

    return stat("/proc/self/ns/mnt", &file) == 0 ? file.st_ino : 0;
}
