/* Operations on the container's program: finding it, its filter, waiting for start, exec.
 *
 * From load_seccomp on the filter judges every call made here: only read, write,
 * close and execve are left to do (and what hooks need, in op_hook.c).
 */
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "init.h"
#include "path.h"
#include "reply.h"
#include "syscalls.h"

enum {
    MOST_VARIABLES = 65536,
    MOST_PASSWD = 1 << 24, /* bytes: the container decides how long its file is */
};

#define NO_SLOT UINT32_MAX /* the listener is in no slot: it is sent as it is made */

static char program[PATH_MAX];            /* what find_executable found */
static char home[PATH_MAX] = "";          /* "HOME=…" once find_home ran */
static char *environment[MOST_VARIABLES]; /* room for HOME beside the plan's variables */
static int death_signal_cleared;

/* --- HOME -------------------------------------------------------------------------- */

/* What matters of one line of passwd(5), which is read byte by byte; its home goes into `home`. */
struct line {
    unsigned field;
    unsigned digits;
    int broken; /* the uid is no number */
    uint64_t uid;
    size_t home_length;
};

enum { HOME_PREFIX = sizeof "HOME=" - 1 };

static void line_byte(struct line *line, char byte)
{
    if (byte == ':') {
        line->field++;
    } else if (line->field == 2) {
        line->broken |= byte < '0' || byte > '9' || line->digits++ == 10;
        line->uid = 10 * line->uid + (uint64_t)(byte - '0');
    } else if (line->field == 5 && HOME_PREFIX + line->home_length + 1 < sizeof home) {
        home[HOME_PREFIX + line->home_length++] = byte;
    }
}

static int line_is(const struct line *line, uint32_t uid)
{
    return line->field >= 5 && line->digits > 0 && !line->broken && line->uid == uid;
}

/* 1 if the end of the line of `uid` is among these bytes: `line` is that line then. */
static int scan_bytes(struct line *line, const char *bytes, ssize_t count, uint32_t uid)
{
    for (ssize_t i = 0; i < count; i++) {
        if (bytes[i] != '\n') {
            line_byte(line, bytes[i]);
            continue;
        }
        if (line_is(line, uid))
            return 1;
        *line = (struct line){0};
    }
    return 0;
}

/* The length of the home of `uid`, which is behind the prefix in `home`; 0 = none. */
static size_t scan_passwd(int fd, uint32_t uid)
{
    static char buffer[4096];
    struct line line = {0};
    ssize_t got;

    for (size_t left = MOST_PASSWD; left > 0 && (got = read(fd, buffer, sizeof buffer)) > 0; left -= sizeof buffer)
        if (scan_bytes(&line, buffer, got, uid))
            return line.home_length;
    return line_is(&line, uid) ? line.home_length : 0;
}

int op_find_home(struct context *context, const struct op *op)
{
    size_t length = 0;
    int fd = path_read_file(context, "/etc/passwd");

    memcpy(home, "HOME=", HOME_PREFIX);
    if (fd >= 0) {
        length = scan_passwd(fd, (uint32_t)arg_int(op, 0));
        close(fd);
    }
    if (length == 0)
        home[HOME_PREFIX + length++] = '/';
    home[HOME_PREFIX + length] = '\0';
    return 0;
}

/* --- the program -------------------------------------------------------------------- */

/* 0 if execve(2) of `path` would not fail for its type and permissions. */
static int check_program(const char *path)
{
    struct stat status;
    int error = sys_call(SYS_faccessat2, AT_FDCWD, path, X_OK, AT_EACCESS);

    if (error < 0)
        return error;
    if (stat(path, &status) < 0)
        return -errno;
    return S_ISREG(status.st_mode) ? 0 : -EACCES;
}

/* Joins one element of PATH and the name; an empty element is the working directory. */
static int join(const char *directory, size_t length, const char *name)
{
    size_t name_length = strlen(name);

    if (length + 1 + name_length >= sizeof program)
        return -ENAMETOOLONG;
    memcpy(program, directory, length);
    if (length > 0)
        program[length++] = '/';
    memcpy(program + length, name, name_length + 1);
    return 0;
}

/* Whether the search goes on after this error, as execvp(3) does. */
static int is_absence(int error)
{
    return error == -ENOENT || error == -ENOTDIR || error == -ENAMETOOLONG || error == -ELOOP || error == -ESTALE ||
           error == -ENODEV || error == -ETIMEDOUT;
}

static int search_program(const char *name, const char *path)
{
    int outcome = -ENOENT, error;

    for (;;) {
        size_t length = strcspn(path, ":");
        error = join(path, length, name);
        if (error == 0)
            error = check_program(program);
        if (error == 0 || (error != -EACCES && !is_absence(error)))
            return error;
        if (error == -EACCES)
            outcome = error;
        if (path[length] == '\0')
            return outcome;
        path += length + 1;
    }
}

int op_find_executable(struct context *context, const struct op *op)
{
    const char *name = arg_str(op, 0);
    int error;

    if (*name == '\0')
        error = -ENOENT;
    else if (!strchr(name, '/'))
        error = search_program(name, arg_str(op, 1));
    else if ((error = join("", 0, name)) == 0)
        error = check_program(program);
    if (error < 0)
        program[0] = '\0';
    if (error < 0)
        detail_set(context, name);
    return error;
}

/* --- the filter --------------------------------------------------------------------- */

static int clear_death_signal(void)
{
    if (!death_signal_cleared && prctl(PR_SET_PDEATHSIG, 0UL, 0UL, 0UL, 0UL) < 0)
        return -errno;
    death_signal_cleared = 1;
    return 0;
}

/* The parent-death signal is cleared before: the filter may refuse prctl(2).  Should the
 * runtime die between here and `created`, sending that ends the process as well. */
int op_load_seccomp(struct context *context, const struct op *op)
{
    struct sock_fprog filter = {
        .len = (unsigned short)(arg_length(op, 0) / sizeof(struct sock_filter)),
        .filter = (struct sock_filter *)arg_bytes(op, 0),
    };
    unsigned long flags = (unsigned long)arg_int(op, 1);
    int listener, error;

    if (arg_length(op, 0) % sizeof(struct sock_filter) || arg_length(op, 0) / sizeof(struct sock_filter) > BPF_MAXINSNS)
        return -EINVAL;
    error = clear_death_signal();
    if (error < 0)
        return error;
    if (!arg_int(op, 2))
        return sys_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
    flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER;
    if (flags & SECCOMP_FILTER_FLAG_TSYNC)
        flags |= SECCOMP_FILTER_FLAG_TSYNC_ESRCH;
    listener = sys_call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
    if (listener < 0)
        return listener;
    error = reply_fd(context, NO_SLOT, listener);
    close(listener);
    return error < 0 ? error : reply_wait(context, "listener sent");
}

/* --- start and exec ----------------------------------------------------------------- */

/* A container whose runtime died before it knew of `created` must not go on. */
int op_await_start(struct context *context, const struct op *op)
{
    int start = slot_get(context, op, 0), reply = slot_get(context, op, 1);
    int error = clear_death_signal();
    char byte;
    ssize_t got;

    if (start < 0 || reply < 0)
        return -EBADF;
    if (!error)
        error = reply_switch(context, reply);
    if (error < 0)
        return error;
    do
        got = read(start, &byte, 1);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    return got == 1 ? 0 : -EPIPE;
}

/* The plan's variables, and HOME if find_home ran and they hold none that is not empty. */
static char **with_home(char **env, uint32_t count)
{
    uint32_t kept = 0;

    if (home[0] == '\0')
        return env;
    if (count > MOST_VARIABLES - 2)
        return NULL;
    for (uint32_t i = 0; i < count; i++) {
        if (strncmp(env[i], home, HOME_PREFIX) != 0)
            environment[kept++] = env[i];
        else if (env[i][HOME_PREFIX])
            return env;
    }
    environment[kept] = home;
    return environment;
}

int op_exec(struct context *context, const struct op *op)
{
    char **env = with_home(arg_list(op, 1), arg_count(op, 1));

    if (!env)
        return -E2BIG;
    if (program[0] == '\0' || arg_count(op, 0) == 0)
        return -ENOENT;
    execve(program, arg_list(op, 0), env);
    detail_set(context, program);
    return -errno;
}
