/* The decoder: proves the whole plan well-formed, and the accessors that rely on it. */
#include "plan.h"

#include <errno.h>
#include <string.h>

#include "ops.gen.h"

static const char MAGIC[8] = {'p', 'y', 'r', 'p', 'l', 'a', 'n', '1'};

struct header {
    char magic[8];
    uint32_t total_size, op_count, slot_count, flags;
};

struct list {
    uint32_t count, zero;
    char *strings[];
};

_Static_assert(sizeof(struct header) == 24, "wire format");
_Static_assert(sizeof(struct op) == 8 && sizeof(struct arg) == 8, "wire format");
_Static_assert(sizeof(char *) == 8, "lists leave eight bytes for each pointer");

/* What is left to check: bytes [at, end) */
struct span {
    unsigned char *at;
    size_t left;
};

static const char *signature(unsigned code)
{
#define X(number, name, letters) letters,
    static const char *const table[] = {PYRUNC_OPS(X)};
#undef X
    return code >= 1 && code <= PYRUNC_OP_COUNT ? table[code - 1] : NULL;
}

static size_t padded(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

/* Takes `size` bytes and the padding after them; NULL if there are not so many. */
static void *take(struct span *span, size_t size)
{
    void *start = span->at;

    size = padded(size);
    if (size > span->left)
        return NULL;
    span->at += size;
    span->left -= size;
    return start;
}

/* `length` bytes and a NUL, no other NUL among them. */
static int is_string(const char *text, size_t length)
{
    return memchr(text, 0, length + 1) == text + length;
}

/* Checks a list's payload and fills in its array of pointers. */
static int check_list(void *payload, uint32_t length)
{
    struct span span = {payload, length};
    struct list *list = take(&span, sizeof *list);

    if (!list || list->zero || !take(&span, ((size_t)list->count + 1) * sizeof(char *)))
        return -EINVAL;
    for (uint32_t i = 0; i < list->count; i++) {
        uint32_t size;
        char *start = (char *)span.at;

        if (span.left < sizeof size)
            return -EINVAL;
        memcpy(&size, start, sizeof size);
        if (!take(&span, sizeof size + (size_t)size + 1) || !is_string(start + sizeof size, size))
            return -EINVAL;
        list->strings[i] = start + sizeof size;
    }
    list->strings[list->count] = NULL;
    return span.left ? -EINVAL : 0;
}

static int check_payload(const struct plan *plan, char letter, uint32_t kind, void *payload, uint32_t length)
{
    switch (letter) {
    case 'i':
        return kind == ARG_INT && length == 8 ? 0 : -EINVAL;
    case 's':
        return kind == ARG_STR && is_string(payload, length) ? 0 : -EINVAL;
    case 'b':
        return kind == ARG_BYTES ? 0 : -EINVAL;
    case 'l':
        return kind == ARG_LIST && length % 8 == 0 ? check_list(payload, length) : -EINVAL;
    default:
        return kind == ARG_SLOT && length == 8 && *(uint64_t *)payload < plan->slot_count ? 0 : -EINVAL;
    }
}

static int check_op(const struct plan *plan, struct span *rest)
{
    struct op *op = take(rest, sizeof *op);
    const char *letters = op ? signature(op->code) : NULL;
    struct span span;

    if (!letters || op->argc != strlen(letters) || op->size % 8)
        return -EINVAL;
    span.left = op->size;
    span.at = take(rest, op->size);
    if (!span.at)
        return -EINVAL;
    for (; *letters; letters++) {
        struct arg *arg = take(&span, sizeof *arg);
        /* one byte more than the length: the NUL of a string */
        void *payload = arg ? take(&span, (size_t)arg->length + (arg->kind == ARG_STR)) : NULL;

        if (!payload || check_payload(plan, *letters, arg->kind, payload, arg->length) < 0)
            return -EINVAL;
    }
    return span.left ? -EINVAL : 0;
}

int plan_decode(struct plan *plan, void *base, size_t size, const char **why)
{
    struct span rest = {base, size};
    const struct header *header = take(&rest, sizeof *header);

    *why = "plan: bad header";
    if (!header || memcmp(header->magic, MAGIC, sizeof MAGIC) || header->total_size != size || size % 8)
        return -EINVAL;
    plan->op_count = header->op_count;
    plan->slot_count = header->slot_count;
    plan->flags = header->flags;
    *why = "plan: bad slot table";
    plan->slot_fd = take(&rest, (size_t)plan->slot_count * sizeof *plan->slot_fd);
    if (!plan->slot_fd)
        return -EINVAL;
    for (uint32_t i = 0; i < plan->slot_count; i++)
        if (plan->slot_fd[i] < -1)
            return -EINVAL;
    plan->first = (const struct op *)rest.at;
    *why = "plan: bad operation";
    for (uint32_t i = 0; i < plan->op_count; i++)
        if (check_op(plan, &rest) < 0)
            return -EINVAL;
    return rest.left ? -EINVAL : 0;
}

const struct op *op_next(const struct op *op)
{
    return (const struct op *)((const char *)(op + 1) + op->size);
}

const struct arg *op_arg(const struct op *op, unsigned index)
{
    const struct arg *arg = (const struct arg *)(op + 1);

    for (; index; index--)
        arg = (const struct arg *)((const char *)(arg + 1) + padded((size_t)arg->length + (arg->kind == ARG_STR)));
    return arg;
}

int64_t arg_int(const struct op *op, unsigned index)
{
    return *(const int64_t *)(op_arg(op, index) + 1);
}

const char *arg_str(const struct op *op, unsigned index)
{
    return (const char *)(op_arg(op, index) + 1);
}

const void *arg_bytes(const struct op *op, unsigned index)
{
    return op_arg(op, index) + 1;
}

uint32_t arg_length(const struct op *op, unsigned index)
{
    return op_arg(op, index)->length;
}

char **arg_list(const struct op *op, unsigned index)
{
    return (char **)((const struct list *)(op_arg(op, index) + 1))->strings;
}

uint32_t arg_count(const struct op *op, unsigned index)
{
    return ((const struct list *)(op_arg(op, index) + 1))->count;
}
