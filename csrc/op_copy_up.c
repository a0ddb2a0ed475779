/* copy_up: fill a fresh mount with what its target holds (tmpcopyup); copy_mode: only the mode. */
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

#include "init.h"
#include "path.h"
#include "syscalls.h"

enum {
    DEPTH_LIMIT = 64, /* two descriptors and one buffer a level */
    COPY_CHUNK = 1 << 20,
};

/* struct linux_dirent64 */
struct entry {
    uint64_t inode;
    int64_t offset;
    uint16_t size;
    uint8_t type;
    char name[];
};

static int copy_directory(int from, int to, int depth);

static int set_owner_and_times(int dir, const char *name, const struct stat *file)
{
    const struct timespec times[2] = {file->st_atim, file->st_mtim};
    int error = result(fchownat(dir, name, file->st_uid, file->st_gid, AT_SYMLINK_NOFOLLOW));

    return error < 0 ? error : result(utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW));
}

/* The same for an open file; the mode comes after the owner, which may clear bits of it. */
static int set_attributes(int fd, const struct stat *file)
{
    const struct timespec times[2] = {file->st_atim, file->st_mtim};
    int error = result(fchown(fd, file->st_uid, file->st_gid));

    if (!error)
        error = result(fchmod(fd, file->st_mode & 07777));
    return error < 0 ? error : result(futimens(fd, times));
}

static int copy_file(int from, int to)
{
    ssize_t copied;

    do
        copied = sendfile(to, from, NULL, COPY_CHUNK);
    while (copied > 0 || (copied < 0 && errno == EINTR));
    return copied < 0 ? -errno : 0;
}

static int copy_symlink(int from, int to, const char *name, const struct stat *file)
{
    char text[4096];
    ssize_t length = readlinkat(from, name, text, sizeof text - 1);
    int error;

    if (length < 0)
        return -errno;
    text[length] = 0;
    error = result(symlinkat(text, to, name));
    return error < 0 ? error : set_owner_and_times(to, name, file);
}

/* Makes the directory or file `name` in `to`, not yet with its final mode, and opens it. */
static int make_copy(int to, const char *name, int directory)
{
    int error;

    if (!directory)
        return result(openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    error = result(mkdirat(to, name, 0700));
    return error < 0 ? error : result(openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

/* Copies a directory or regular file. What is opened is described again: it may be another
 * file than the one that was listed. */
static int copy_opened(int from, int to, const char *name, int depth)
{
    int source = result(openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat file;
    int error, copy = -1, directory;

    if (source < 0)
        return source;
    error = result(fstat(source, &file));
    directory = !error && S_ISDIR(file.st_mode);
    if (!error && !directory && !S_ISREG(file.st_mode))
        error = -ESTALE;
    if (!error)
        error = copy = make_copy(to, name, directory);
    if (copy >= 0) {
        error = directory ? copy_directory(source, copy, depth + 1) : copy_file(source, copy);
        if (!error)
            error = set_attributes(copy, &file);
        close(copy);
    }
    close(source);
    return error;
}

/* Other kinds of files (devices, sockets, FIFOs) are left out. */
static int copy_entry(int from, int to, const char *name, int depth)
{
    struct stat file;

    if (fstatat(from, name, &file, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (S_ISLNK(file.st_mode))
        return copy_symlink(from, to, name, &file);
    if (S_ISDIR(file.st_mode) || S_ISREG(file.st_mode))
        return copy_opened(from, to, name, depth);
    return 0;
}

static int copy_directory(int from, int to, int depth)
{
    _Alignas(8) char buffer[1024];
    int length, error = 0;

    if (depth > DEPTH_LIMIT)
        return -ELOOP;
    while (!error && (length = sys_call(SYS_getdents64, from, buffer, sizeof buffer)) != 0) {
        if (length < 0)
            return length;
        for (int at = 0; at < length && !error; at += ((struct entry *)(buffer + at))->size) {
            const char *name = ((struct entry *)(buffer + at))->name;

            if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
                error = copy_entry(from, to, name, depth);
        }
    }
    return error;
}

/* Copies the directory `target` (O_PATH) with its attributes into the mount `to`. */
static int copy_top(int target, int to)
{
    int from = result(openat(target, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    int top = result(openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat file;
    int error = from < 0 ? from : top < 0 ? top : result(fstat(from, &file));

    if (!error)
        error = copy_directory(from, top, 0);
    if (!error)
        error = set_attributes(top, &file);
    if (from >= 0)
        close(from);
    if (top >= 0)
        close(top);
    return error;
}

/* Gives the mount `to` the mode of the directory `target` (O_PATH). */
static int copy_top_mode(int target, int to)
{
    int top = result(openat(to, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct stat file;
    int error = top < 0 ? top : result(fstat(target, &file));

    if (!error)
        error = result(fchmod(top, file.st_mode & 07777));
    if (top >= 0)
        close(top);
    return error;
}

/* Copies from the target of `op` into the mount of its slot; from a missing one nothing. */
static int copy_target(struct context *context, const struct op *op, int (*copy)(int target, int to))
{
    int to = slot_get(context, op, 0), target, error;

    if (to < 0)
        return to;
    target = path_open(context, arg_str(op, 1), PATH_DIRECTORY);
    if (target < 0)
        return target == -ENOENT || target == -ENOTDIR ? 0 : target;
    error = copy(target, to);
    close(target);
    return error;
}

int op_copy_up(struct context *context, const struct op *op)
{
    return copy_target(context, op, copy_top);
}

int op_copy_mode(struct context *context, const struct op *op)
{
    return copy_target(context, op, copy_top_mode);
}
