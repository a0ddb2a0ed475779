/* System calls that libseccomp has no name for yet: ENOSYS instead of the default EPERM.
 *
 * No profile can allow them, and programs try new calls first: told ENOSYS they
 * fall back to the old one, told EPERM they fail.  A profile that gives its own
 * errno is taken at its word.  Before the filter proper stands a block per
 * architecture:
 *
 *     load architecture; is it this one?
 *     load number; is it above the last known, and in the range where new ones appear?
 *     return ENOSYS
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "seccomp_filter.h"

enum {
    RANGE = 1024, /* how far from the first number on new calls can appear; ARM's private ones are far above */
    X32_FIRST = 0x40000000,
    BLOCK = 6, /* instructions */
    MOST_BLOCKS = 32,
};

/* The first number of the architecture's table: those of MIPS begin at a multiple of 1000. */
static int first_number(uint32_t architecture)
{
    int number = seccomp_syscall_resolve_name_arch(architecture, "read");

    if (architecture == SCMP_ARCH_X32)
        return X32_FIRST;
    return number < 0 ? -1 : number - number % 1000;
}

static int last_known(uint32_t architecture, int first)
{
    for (int number = first + RANGE - 1; number > first; number--) {
        char *name = seccomp_syscall_resolve_num_arch(architecture, number);

        free(name);
        if (name)
            return number;
    }
    return -1;
}

/* What seccomp_data says of the architecture: x32 has no number of its own. */
static uint32_t audit_number(uint32_t architecture)
{
    return architecture == SCMP_ARCH_X32 ? SCMP_ARCH_X86_64 : architecture;
}

static void put_block(struct sock_filter *at, uint32_t architecture, uint32_t known, uint32_t end)
{
    const struct sock_filter block[BLOCK] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, audit_number(architecture), 0, BLOCK - 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, known, 0, 2),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, end, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
    };

    memcpy(at, block, sizeof block);
}

/* Puts the blocks before the program of `size` bytes; returns the new size, or -E2BIG. */
int filter_refuse_unknown(const uint32_t *architectures, uint32_t count, char *program, size_t size, size_t capacity)
{
    struct sock_filter blocks[MOST_BLOCKS * BLOCK];
    size_t used = 0, bytes;

    for (uint32_t i = 0; i < count && i < MOST_BLOCKS; i++) {
        int first = first_number(architectures[i]);
        int known = first < 0 ? -1 : last_known(architectures[i], first);

        if (known < 0)
            continue;
        put_block(blocks + used, architectures[i], (uint32_t)known, (uint32_t)first + RANGE);
        used += BLOCK;
    }
    bytes = used * sizeof *blocks;
    if (size + bytes > capacity)
        return -E2BIG;
    memmove(program + bytes, program, size);
    memcpy(program, blocks, bytes);
    return (int)(size + bytes);
}
