/* What every part of pyrunc-init shares: the context and the operations.
 *
 * Convention: a function returns 0 (or a value >= 0) or -errno.  Only reply.c
 * talks to the runtime.  An operation may put a text into the context's detail
 * before it fails (detail_set); the main loop reports it with the errno.
 * No malloc, no stdio; state of one file's own is static in that file.
 */
#ifndef PYRUNC_INIT_H
#define PYRUNC_INIT_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "ops.gen.h"
#include "plan.h"

enum { DETAIL_SIZE = 512 };

/* The number that stands for "no operation" in messages. */
#define NO_OP UINT32_MAX

struct context {
    struct plan plan;
    int socket;  /* to the runtime; -1 after await_start */
    int reply;   /* FIFO for errors after await_start; -1 before */
    int root;    /* O_PATH-like fd that target paths are resolved below; -1 = none yet */
    int null;    /* hidden slot of mask_path: the container's verified /dev/null; -1 = not looked for */
    int empty;   /* hidden slot of mask_path: an empty read-only tmpfs; -1 = none yet */
    uint64_t mount_namespace; /* the runtime's */
    uint32_t op; /* number of the running operation */
    char detail[DETAIL_SIZE];
};

/* Text for the error of the running operation; cut if too long. */
void detail_set(struct context *context, const char *text);
void detail_add(struct context *context, const char *text);
void detail_add_number(struct context *context, int64_t number);

/* The descriptor in the slot that argument `index` names, or -EBADF if it is empty. */
int slot_get(const struct context *context, const struct op *op, unsigned index);
/* Store `fd` (or -1) there; what the slot held is closed.  Returns 0, or `fd` if it is a -errno. */
int slot_put(struct context *context, const struct op *op, unsigned index, int fd);
/* The slot's number on the wire (message FD). */
uint32_t slot_index(const struct op *op, unsigned index);

/* Every operation of ops.gen.h: int op_NAME(struct context *, const struct op *). */
#define X(code, name, letters) int op_##name(struct context *context, const struct op *op);
PYRUNC_OPS(X)
#undef X

#endif
