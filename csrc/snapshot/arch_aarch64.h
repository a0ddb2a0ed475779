/* aarch64: system calls, registers.  It compiles; nobody has restored an image on such a machine yet. */
#ifndef PYRUNC_SNAPSHOT_ARCH_H
#define PYRUNC_SNAPSHOT_ARCH_H

#include <asm/unistd.h>
#include <stddef.h>
#include <stdint.h>

#define ARCH_SUPPORTED 0
#define ARCH_SIGNAL_RESTORER 0

/* x19-x30, sp, resume address, d8-d15 */
struct context {
    uint64_t registers[22];
};

static inline long arch_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;

    __asm__ volatile("svc #0"
             : "+r"(x0)
             : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
             : "memory", "cc");
    return x0;
}

#define ARCH_START \
    __asm__(".globl _start\n.type _start,%function\n_start:\n\t" \
        "mov x29, #0\n\tmov x30, #0\n\tmov x0, sp\n\tbl launch\n\tbrk #1\n")

#define ARCH_RESTORER \
    __asm__(".globl arch_restorer\n.type arch_restorer,%function\narch_restorer:\n\t" \
        "mov x8, #139\n\tsvc #0\n\tbrk #1\n")

#define ARCH_MARK \
    __asm__(".pushsection .text\n.globl arch_mark\n.hidden arch_mark\n.type arch_mark,%function\narch_mark:\n\t" \
        "stp x19, x20, [x0]\n\tstp x21, x22, [x0, #16]\n\tstp x23, x24, [x0, #32]\n\t" \
        "stp x25, x26, [x0, #48]\n\tstp x27, x28, [x0, #64]\n\tstp x29, x30, [x0, #80]\n\t" \
        "mov x9, sp\n\tstp x9, x30, [x0, #96]\n\tstp d8, d9, [x0, #112]\n\tstp d10, d11, [x0, #128]\n\t" \
        "stp d12, d13, [x0, #144]\n\tstp d14, d15, [x0, #160]\n\t" \
        "stp x29, x30, [sp, #-16]!\n\tmov x0, x2\n\tblr x1\n\tldp x29, x30, [sp], #16\n\tret\n.popsection\n")

#define ARCH_CALL_ON \
    __asm__(".pushsection .text\n.globl arch_call_on\n.hidden arch_call_on\n" \
        ".type arch_call_on,%function\narch_call_on:\n\t" \
        "stp x29, x30, [sp, #-16]!\n\tmov x29, sp\n\tmov sp, x0\n\tmov x0, x2\n\tblr x1\n\t" \
        "mov sp, x29\n\tldp x29, x30, [sp], #16\n\tret\n.popsection\n")

__attribute__((noreturn)) static inline void arch_resume(const struct context *context, long value)
{
    register const struct context *x9 __asm__("x9") = context;
    register long x0 __asm__("x0") = value;

    __asm__ volatile("ldp x19, x20, [x9]\n\tldp x21, x22, [x9, #16]\n\tldp x23, x24, [x9, #32]\n\t"
             "ldp x25, x26, [x9, #48]\n\tldp x27, x28, [x9, #64]\n\tldp x29, x30, [x9, #80]\n\t"
             "ldp x10, x11, [x9, #96]\n\tmov sp, x10\n\tldp d8, d9, [x9, #112]\n\t"
             "ldp d10, d11, [x9, #128]\n\tldp d12, d13, [x9, #144]\n\tldp d14, d15, [x9, #160]\n\tbr x11"
             :
             : "r"(x9), "r"(x0)
             : "memory");
    __builtin_unreachable();
}

static inline uint64_t arch_thread_pointer(void)
{
    uint64_t value;

    __asm__ volatile("mrs %0, tpidr_el0" : "=r"(value));
    return value;
}

static inline long arch_set_thread_pointer(uint64_t value)
{
    __asm__ volatile("msr tpidr_el0, %0" : : "r"(value) : "memory");
    return 0;
}

/* The canary is a variable of the dynamic loader in memory that is read-only by now: it stays. */
static inline uint64_t arch_canary_address(uint64_t thread_pointer)
{
    (void)thread_pointer;
    return 0;
}

/* AT_HWCAP and AT_HWCAP2 tell all that libraries choose by. */
static inline void arch_identify(uint32_t *cpuid, uint64_t *state_mask)
{
    (void)cpuid;
    *state_mask = 0;
}

#endif
