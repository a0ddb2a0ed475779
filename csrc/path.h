/* Container paths to descriptors: the only resolver of target paths.
 *
 * Every target is resolved by openat2(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
 * below context->root; symlinks, absolute ones too, stay inside.  The result is
 * an O_PATH descriptor; callers work on it and never resolve the path again.
 */
#ifndef PYRUNC_PATH_H
#define PYRUNC_PATH_H

#include "init.h"

/* flags of the functions below */
enum {
    PATH_NO_SYMLINKS = 1, /* -ELOOP if any component is a symlink */
    PATH_NO_FOLLOW = 2,   /* open a symlink that is the last component itself */
    PATH_DIRECTORY = 4,   /* -ENOTDIR if it is anything else */
};

/* O_PATH descriptor (CLOEXEC) of what exists at `target`, or -errno. */
int path_open(const struct context *context, const char *target, unsigned flags);

/* Opens the regular file `target` for reading; -EINVAL for anything else, and a FIFO does not block. */
int path_read_file(const struct context *context, const char *target);

/* Opens the directory `target`, creating missing components (0755, the last one `mode`). */
int path_make_directory(const struct context *context, const char *target, unsigned mode, unsigned flags);

/* Opens what is at `target`, creating an empty regular file (`mode`) if nothing is;
 * missing parents are made with 0755. */
int path_make_file(const struct context *context, const char *target, unsigned mode, unsigned flags);

/* Opens the directory that holds the last component of `target`, creating it if
 * missing (0755), and sets *name to the last component (it points into `target`).
 * -EINVAL if the last component is empty, "." or "..". */
int path_parent(const struct context *context, const char *target, const char **name);

/* A mount point for a directory (or file): as the two above, but "/" is -EBUSY and the wrong type -ENOTDIR. */
int path_mount_point(const struct context *context, const char *target, int directory, unsigned flags);

/* 0 if `fd` lies on a filesystem with this statfs magic, -EPERM if not, or -errno. */
int path_check_magic(int fd, uint32_t magic);

/* Same file on the same mount: 1 or 0, or -errno. */
int path_same(int fd, int other);

/* Opens `name` below the procfs root `proc`: RESOLVE_BENEATH | NO_XDEV | NO_MAGICLINKS | NO_SYMLINKS.
 * "self/..." is the calling process.  The result is verified to lie on procfs. */
int proc_open(int proc, const char *name, int flags);
/* Opens so for writing and writes all of `value` in one write(2). */
int proc_write(int proc, const char *name, const void *value, size_t length);

/* Detached clone of the mount at the O_PATH descriptor `fd`. */
int mount_clone(int fd, int recursive);
/* Attach the detached mount `fd` at the descriptor `target`. */
int mount_attach(int fd, int target);
/* The number of this process's mount namespace, 0 if it cannot be told. */
uint64_t mount_namespace(void);

#endif
