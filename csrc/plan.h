/* The plan as pyrunc-init sees it: the wire bytes themselves, checked once.
 *
 * plan_decode() proves every bound, kind, count and terminator of the whole plan
 * before the first operation runs; the accessors below rely on that and check
 * nothing.  Nothing is copied or allocated: strings point into the mapping, and
 * the char * arrays of lists are filled in where the encoder left room for them.
 */
#ifndef PYRUNC_PLAN_H
#define PYRUNC_PLAN_H

#include <stddef.h>
#include <stdint.h>

enum { PLAN_TRACE = 1 };

enum arg_kind { ARG_INT = 1, ARG_STR = 2, ARG_BYTES = 3, ARG_LIST = 4, ARG_SLOT = 5 };

struct op {
    uint16_t code;
    uint16_t argc;
    uint32_t size; /* bytes of all arguments, which follow */
};

struct arg {
    uint32_t kind;
    uint32_t length; /* bytes of the payload, which follows; for ARG_STR without the NUL */
};

struct plan {
    int32_t *slot_fd; /* inside the mapping; -1 = empty */
    const struct op *first;
    uint32_t op_count;
    uint32_t slot_count;
    uint32_t flags;
};

/* Checks `size` bytes at `base` (8-byte aligned, writable) and fills in `plan`.
 * Returns 0, or -EINVAL with *why set to a constant text. */
int plan_decode(struct plan *plan, void *base, size_t size, const char **why);

const struct op *op_next(const struct op *op);

/* Argument `index`, counted from 0, of a kind that the signature says. */
const struct arg *op_arg(const struct op *op, unsigned index);
int64_t arg_int(const struct op *op, unsigned index);
const char *arg_str(const struct op *op, unsigned index);
const void *arg_bytes(const struct op *op, unsigned index);
uint32_t arg_length(const struct op *op, unsigned index); /* of a str or bytes */
char **arg_list(const struct op *op, unsigned index);     /* ends with NULL */
uint32_t arg_count(const struct op *op, unsigned index);  /* number of strings in a list */

#endif
