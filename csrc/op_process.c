/* Operations on the process's own attributes: scheduling, identity, labels.
 * Capabilities are in op_capabilities.c, the filter and the program in op_program.c.
 *
 * Identity calls are raw system calls: there is one thread, and libc's wrappers
 * would signal the others.
 */
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>

#include "init.h"
#include "path.h"
#include "reply.h"
#include "syscalls.h"

enum {
    MOST_GROUPS = 65536, /* NGROUPS_MAX */
    IOPRIO_GROUP = 2, /* IOPRIO_WHO_PGRP */
    IOPRIO_SHIFT = 13,
};

/* --- scheduling and memory ------------------------------------------------------- */

int op_set_personality(struct context *context, const struct op *op)
{
    (void)context;
    return personality((unsigned long)arg_int(op, 0)) < 0 ? -errno : 0;
}

int op_set_scheduler(struct context *context, const struct op *op)
{
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
        uint32_t util_min, util_max; /* the kernel wants them to be there for SCHED_FLAG_UTIL_CLAMP_* */
    } attr = {
        .size = sizeof attr,
        .policy = (uint32_t)arg_int(op, 0),
        .nice = (int32_t)arg_int(op, 1),
        .priority = (uint32_t)arg_int(op, 2),
        .flags = (uint64_t)arg_int(op, 3),
        .runtime = (uint64_t)arg_int(op, 4),
        .deadline = (uint64_t)arg_int(op, 5),
        .period = (uint64_t)arg_int(op, 6),
    };

    (void)context;
    return sys_call(SYS_sched_setattr, 0, &attr, 0);
}

int op_set_io_priority(struct context *context, const struct op *op)
{
    long value = arg_int(op, 0) << IOPRIO_SHIFT | arg_int(op, 1);

    (void)context;
    return sys_call(SYS_ioprio_set, IOPRIO_GROUP, 0, value);
}

/* The kernel counts one bit more than it reads; the payload is padded to whole words. */
int op_set_memory_policy(struct context *context, const struct op *op)
{
    unsigned long bits = 8UL * arg_length(op, 1);

    (void)context;
    return sys_call(SYS_set_mempolicy, (long)arg_int(op, 0), bits ? arg_bytes(op, 1) : NULL, bits ? bits + 1 : 0UL);
}

int op_set_affinity(struct context *context, const struct op *op)
{
    int copied = sys_call(SYS_sched_setaffinity, 0, (unsigned long)arg_length(op, 0), arg_bytes(op, 0));

    (void)context;
    return copied < 0 ? copied : 0;
}

/* --- where and who --------------------------------------------------------------- */

/* getcwd(2) begins with "(unreachable)" when the directory is outside the root. */
int op_change_directory(struct context *context, const struct op *op)
{
    static char where[4096];
    int error;

    if (chdir(arg_str(op, 0)) < 0)
        return -errno;
    error = sys_call(SYS_getcwd, where, sizeof where);
    if (error < 0)
        return error;
    if (where[0] == '/')
        return 0;
    detail_set(context, "the working directory is outside the container's root");
    return -EPERM;
}

/* The decimal number at *text, which is moved behind it; 0, or -EINVAL. */
static int read_id(const char **text, uint32_t *id)
{
    uint64_t value = 0;
    const char *at = *text;

    while (*at >= '0' && *at <= '9' && value < UINT32_MAX)
        value = 10 * value + (uint64_t)(*at++ - '0');
    if (at == *text || value >= UINT32_MAX)
        return -EINVAL;
    *text = at;
    *id = (uint32_t)value;
    return 0;
}

int op_set_groups(struct context *context, const struct op *op)
{
    static uint32_t groups[MOST_GROUPS];
    const char *text = arg_str(op, 0);
    size_t count = 0;
    int error;

    (void)context;
    while (*text) {
        if (count > 0 && *text++ != ' ')
            return -EINVAL;
        if (count == MOST_GROUPS || read_id(&text, &groups[count++]) < 0)
            return -EINVAL;
    }
    error = sys_call(SYS_setgroups, count, groups);
    return error == -EPERM && count == 0 ? 0 : error;
}

/* A change of credentials clears the parent-death signal; when the parent died
 * in between, the runtime's end of the socket is gone. */
int op_set_user(struct context *context, const struct op *op)
{
    uint32_t uid = (uint32_t)arg_int(op, 0), gid = (uint32_t)arg_int(op, 1);
    int number = 0, error;

    if (prctl(PR_GET_PDEATHSIG, &number, 0UL, 0UL, 0UL) < 0 || prctl(PR_SET_KEEPCAPS, 1UL, 0UL, 0UL, 0UL) < 0)
        return -errno;
    error = sys_call(SYS_setresgid, gid, gid, gid);
    if (error == 0)
        error = sys_call(SYS_setresuid, uid, uid, uid);
    if (error < 0 || number == 0)
        return error;
    if (prctl(PR_SET_PDEATHSIG, (unsigned long)number, 0UL, 0UL, 0UL) < 0)
        return -errno;
    return reply_peer_alive(context) ? 0 : -ESRCH;
}

/* --- restrictions ---------------------------------------------------------------- */

int op_set_no_new_privs(struct context *context, const struct op *op)
{
    (void)context;
    (void)op;
    return result(prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL));
}

/* Kernels before 5.8 have no attr/apparmor: there attr/exec is AppArmor's if it is in force. */
int op_set_label(struct context *context, const struct op *op)
{
    static const char prefix[] = "self/attr/", module[] = "apparmor/";
    const char *attribute = arg_str(op, 1), *label = arg_str(op, 2);
    char name[64];
    int proc = slot_get(context, op, 0), error;

    if (proc < 0)
        return proc;
    if (sizeof prefix + strlen(attribute) > sizeof name)
        return -ENAMETOOLONG;
    memcpy(name, prefix, sizeof prefix);
    strcat(name, attribute);
    error = proc_write(proc, name, label, strlen(label));
    if (error != -ENOENT || strncmp(attribute, module, sizeof module - 1) != 0)
        return error;
    strcpy(name + sizeof prefix - 1, attribute + sizeof module - 1);
    return proc_write(proc, name, label, strlen(label));
}
