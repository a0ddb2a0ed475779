/* System calls that Python's os module lacks: memfds, openat2, prlimit, maps.
 *
 * Starting programs is in native_spawn.c, eBPF in native_bpf.c.  The bytes of
 * pyrunc-init are linked in here: there is no helper file to find at run time.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "native.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* Linux 6.3 */
#endif

#ifndef PYRUNC_INIT
#error "PYRUNC_INIT must name the file of pyrunc-init"
#endif

__asm__(".pushsection .rodata\n"
    ".balign 16\n"
    ".local native_init_begin, native_init_end\n"
    "native_init_begin:\n"
    ".incbin \"" PYRUNC_INIT "\"\n"
    "native_init_end:\n"
    ".popsection\n");

extern const char native_init_begin[] __attribute__((visibility("hidden")));
extern const char native_init_end[] __attribute__((visibility("hidden")));

static int result(long value)
{
    return value < 0 ? -errno : (int)value;
}

static int write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, data, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        data += written;
        size -= (size_t)written;
    }
    return 0;
}

/* A memfd nobody can change any more; mode 0500 if `executable`, else 0400. */
static int sealed_memfd(const char *data, size_t size, const char *name, int executable)
{
    unsigned int flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    int fd = -1, error;

    if (executable)
        fd = memfd_create(name, flags | MFD_EXEC);
    if (fd < 0) /* before Linux 6.3 every memfd is executable */
        fd = memfd_create(name, flags);
    if (fd < 0)
        return -errno;
    error = write_all(fd, data, size);
    if (error == 0 && fchmod(fd, executable ? 0500 : 0400) < 0)
        error = -errno;
    if (error == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
        error = -errno;
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

int native_init_memfd(void)
{
    return sealed_memfd(native_init_begin, (size_t)(native_init_end - native_init_begin), "pyrunc-init", 1);
}

int native_sealed_memfd(const char *data, size_t size, const char *name)
{
    return sealed_memfd(data, size, name, 0);
}

/* RESOLVE_BENEATH gives EAGAIN when a rename raced with it: a few more tries. */
int native_open_beneath(int dir_fd, const char *path, int flags, int mode)
{
    struct open_how how = {
        .flags = (uint64_t)(unsigned int)flags | O_CLOEXEC,
        .mode = (uint64_t)mode,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
    };
    long fd = -1;

    for (int attempt = 0; attempt < 32; attempt++) {
        fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof(how));
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
            break;
    }
    return result(fd);
}

/* Kernel control files take a value in one write(2) or not at all. */
int native_write_beneath(int dir_fd, const char *path, const char *data, size_t size)
{
    int fd = native_open_beneath(dir_fd, path, O_WRONLY, 0);
    ssize_t written;
    int error = 0;

    if (fd < 0)
        return fd;
    do
        written = write(fd, data, size);
    while (written < 0 && errno == EINTR);
    if (written < 0)
        error = -errno;
    else if ((size_t)written != size)
        error = -EIO;
    close(fd);
    return error;
}

int native_prlimit(int pid, int resource, uint64_t soft, uint64_t hard)
{
    struct rlimit64 limit = { .rlim_cur = soft, .rlim_max = hard };

    return result(syscall(SYS_prlimit64, pid, resource, &limit, NULL));
}

int native_setns(int fd, int flags)
{
    return result(setns(fd, flags));
}

int native_prctl(int option, unsigned long argument)
{
    return result(prctl(option, argument, 0UL, 0UL, 0UL));
}

int native_bind_mount(const char *source, const char *target, int readonly)
{
    if (mount(source, target, NULL, MS_BIND | MS_REC, NULL) < 0)
        return -errno;
    if (!readonly)
        return 0;
    return mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0 ? -errno : 0;
}

int native_detach_mount(const char *path)
{
    return umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 ? -errno : 0;
}

static int write_map(pid_t pid, const char *name, const char *map, size_t size)
{
    char path[64];
    int fd, error;

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    error = write(fd, map, size) == (ssize_t)size ? 0 : -errno;
    close(fd);
    return error;
}

/* A child that only sleeps holds the new user namespace until it is mapped. */
int native_make_user_namespace(const char *uid_map, size_t uid_size, const char *gid_map, size_t gid_size)
{
    struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
    char path[64];
    int fd;
    pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

    if (pid < 0)
        return -errno;
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0UL, 0UL, 0UL);
        for (;;)
            syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
    }
    fd = write_map(pid, "uid_map", uid_map, uid_size);
    if (fd == 0)
        fd = write_map(pid, "gid_map", gid_map, gid_size);
    if (fd == 0) {
        snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            fd = -errno;
    }
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return fd;
}
