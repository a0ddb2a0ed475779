/* pyrunc-init: run the operations of one plan inside the container's namespaces.
 *
 * argv: pyrunc-init SOCKET PLAN, both numbers of inherited descriptors.  The plan
 * is mapped privately, checked as a whole, and begun when the runtime signals
 * `plan`.  An operation that fails is reported with its number and errno, and
 * ends the process.  See README.md.
 */
#include "init.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "path.h"
#include "reply.h"
#include "syscalls.h"

typedef int operation(struct context *, const struct op *);

static operation *const OPERATIONS[] = {
#define X(code, name, letters) op_##name,
    PYRUNC_OPS(X)
#undef X
};

static struct context state = {.socket = -1, .reply = -1, .root = -1, .null = -1, .empty = -1, .op = NO_OP};

int slot_get(const struct context *context, const struct op *op, unsigned index)
{
    int fd = context->plan.slot_fd[arg_int(op, index)];

    return fd < 0 ? -EBADF : fd;
}

int slot_put(struct context *context, const struct op *op, unsigned index, int fd)
{
    int32_t *slot = &context->plan.slot_fd[arg_int(op, index)];

    if (fd < -1)
        return fd;
    if (*slot >= 0 && *slot != fd)
        close(*slot);
    *slot = fd;
    return 0;
}

uint32_t slot_index(const struct op *op, unsigned index)
{
    return (uint32_t)arg_int(op, index);
}

/* Whether an operation after `op`, the running one, has the slot among its arguments. */
static int is_used_later(const struct context *context, const struct op *op, uint32_t slot)
{
    for (uint32_t number = context->op + 1; number < context->plan.op_count; number++) {
        op = op_next(op);
        for (unsigned i = 0; i < op->argc; i++)
            if (op_arg(op, i)->kind == ARG_SLOT && arg_int(op, i) == slot)
                return 1;
    }
    return 0;
}

/* The lowest descriptor from `first` on that is a slot's or the socket; ~0U if there is none. */
static unsigned next_kept(const struct context *context, unsigned first)
{
    unsigned found = (unsigned)context->socket >= first ? (unsigned)context->socket : ~0U;

    for (uint32_t i = 0; i < context->plan.slot_count; i++) {
        unsigned fd = (unsigned)context->plan.slot_fd[i];
        if (fd >= first && fd < found)
            found = fd;
    }
    return found;
}

/* Closed, not only marked to be closed by execve(2): until then /proc/self/fd would lead to
 * them, as a working directory or in the path of a program (CVE-2024-21626). */
int op_close_fds(struct context *context, const struct op *op)
{
    unsigned first = 3U + (unsigned)arg_int(op, 0), kept;
    int error = 0;

    context->root = context->null = context->empty = -1;
    for (uint32_t i = 0; i < context->plan.slot_count; i++)
        if (!is_used_later(context, op, i))
            context->plan.slot_fd[i] = -1;
    do {
        kept = next_kept(context, first);
        if (kept > first)
            error = sys_call(SYS_close_range, first, kept == ~0U ? kept : kept - 1, 0U);
        first = kept + 1;
    } while (!error && kept != ~0U);
    return error;
}

int op_signal(struct context *context, const struct op *op)
{
    return reply_signal(context, arg_str(op, 0));
}

int op_wait(struct context *context, const struct op *op)
{
    return reply_wait(context, arg_str(op, 0));
}

/* A descriptor number: decimal digits only; -1 if it is not one. */
static int parse_descriptor(const char *text)
{
    int value = 0;

    for (; *text; text++) {
        if (*text < '0' || *text > '9' || value > 1000000)
            return -1;
        value = value * 10 + (*text - '0');
    }
    return value;
}

/* Maps the plan; its own descriptor is closed, all slots become close-on-exec. */
static int load_plan(struct context *context, int fd)
{
    const char *why = "plan: cannot be mapped";
    struct stat file;
    void *base;
    int error;

    detail_set(context, why);
    if (fstat(fd, &file) < 0)
        return -errno;
    base = mmap(NULL, (size_t)file.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (base == MAP_FAILED)
        return -errno;
    close(fd);
    error = plan_decode(&context->plan, base, (size_t)file.st_size, &why);
    detail_set(context, error < 0 ? why : "plan: a slot holds no open descriptor");
    for (uint32_t i = 0; !error && i < context->plan.slot_count; i++)
        if (context->plan.slot_fd[i] >= 0)
            error = result(fcntl(context->plan.slot_fd[i], F_SETFD, FD_CLOEXEC));
    return error;
}

static int run_plan(struct context *context)
{
    const struct op *op = context->plan.first;

    for (uint32_t number = 0; number < context->plan.op_count; number++, op = op_next(op)) {
        int error;

        context->op = number;
        if (context->plan.flags & PLAN_TRACE)
            reply_trace(context);
        context->detail[0] = 0;
        error = OPERATIONS[op->code - 1](context, op);
        if (error < 0)
            return error;
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct context *context = &state;
    int error, plan;

    if (argc != 3)
        return 2;
    context->socket = parse_descriptor(argv[1]);
    plan = parse_descriptor(argv[2]);
    if (fcntl(context->socket, F_SETFD, FD_CLOEXEC) < 0)
        return 2;
    context->mount_namespace = mount_namespace();
    error = load_plan(context, plan);
    if (!error)
        error = reply_wait(context, "plan");
    if (!error)
        error = run_plan(context);
    if (error < 0)
        reply_error(context, error);
    sys_leave(error < 0);
}
