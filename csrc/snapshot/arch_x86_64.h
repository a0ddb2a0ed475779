/* x86_64: system calls, registers, the processor's identity. */
#ifndef PYRUNC_SNAPSHOT_ARCH_H
#define PYRUNC_SNAPSHOT_ARCH_H

#include <asm/prctl.h>
#include <asm/unistd.h>
#include <stddef.h>
#include <stdint.h>

#define ARCH_SUPPORTED 1
#define ARCH_SIGNAL_RESTORER 1

/* rip, rsp, rbx, rbp, r12-r15, mxcsr and x87 control word */
struct context {
    uint64_t registers[9];
};

static inline long arch_call(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long result;

    __asm__ volatile("syscall"
             : "=a"(result)
             : "0"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
             : "rcx", "r11", "memory");
    return result;
}

/* The launcher's entry: `launch` gets the initial stack, which it never returns to. */
#define ARCH_START \
    __asm__(".globl _start\n.type _start,@function\n_start:\n\t" \
        "xor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall launch\n\tud2\n")

/* The end of a signal handler. */
#define ARCH_RESTORER \
    __asm__(".globl arch_restorer\n.type arch_restorer,@function\narch_restorer:\n\t" \
        "mov $15, %eax\n\tsyscall\n\tud2\n")

/* long arch_mark(struct context *, long (*write)(void *), void *): returns what write returns, later what
 * arch_resume is given. */
#define ARCH_MARK \
    __asm__(".pushsection .text\n.globl arch_mark\n.hidden arch_mark\n.type arch_mark,@function\narch_mark:\n\t" \
        "mov (%rsp), %rax\n\tmov %rax, (%rdi)\n\tlea 8(%rsp), %rax\n\tmov %rax, 8(%rdi)\n\t" \
        "mov %rbx, 16(%rdi)\n\tmov %rbp, 24(%rdi)\n\tmov %r12, 32(%rdi)\n\tmov %r13, 40(%rdi)\n\t" \
        "mov %r14, 48(%rdi)\n\tmov %r15, 56(%rdi)\n\tstmxcsr 64(%rdi)\n\tfnstcw 68(%rdi)\n\t" \
        "mov %rdx, %rdi\n\tsub $8, %rsp\n\tcall *%rsi\n\tadd $8, %rsp\n\tret\n.popsection\n")

/* long arch_call_on(void *stack_top, long (*function)(void *), void *) */
#define ARCH_CALL_ON \
    __asm__(".pushsection .text\n.globl arch_call_on\n.hidden arch_call_on\n" \
        ".type arch_call_on,@function\narch_call_on:\n\t" \
        "push %rbp\n\tmov %rsp, %rbp\n\tmov %rdi, %rsp\n\tmov %rdx, %rdi\n\tcall *%rsi\n\t" \
        "mov %rbp, %rsp\n\tpop %rbp\n\tret\n.popsection\n")

__attribute__((noreturn)) static inline void arch_resume(const struct context *context, long value)
{
    register const struct context *rdi __asm__("rdi") = context;
    register long rax __asm__("rax") = value;

    __asm__ volatile("mov 8(%%rdi), %%rsp\n\tmov 16(%%rdi), %%rbx\n\tmov 24(%%rdi), %%rbp\n\t"
             "mov 32(%%rdi), %%r12\n\tmov 40(%%rdi), %%r13\n\tmov 48(%%rdi), %%r14\n\t"
             "mov 56(%%rdi), %%r15\n\tldmxcsr 64(%%rdi)\n\tfldcw 68(%%rdi)\n\tjmp *(%%rdi)"
             :
             : "r"(rdi), "r"(rax)
             : "memory");
    __builtin_unreachable();
}

static inline uint64_t arch_thread_pointer(void)
{
    uint64_t value = 0;

    arch_call(__NR_arch_prctl, ARCH_GET_FS, (long)&value, 0, 0, 0, 0);
    return value;
}

static inline long arch_set_thread_pointer(uint64_t value)
{
    return arch_call(__NR_arch_prctl, ARCH_SET_FS, (long)value, 0, 0, 0, 0);
}

/* Where the compiler looks for the stack canary. */
static inline uint64_t arch_canary_address(uint64_t thread_pointer)
{
    return thread_pointer + 0x28;
}

static inline void arch_cpuid(uint32_t leaf, uint32_t *out)
{
    __asm__ volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "0"(leaf), "2"(0));
}

/* Leaves 1 (without the number of the processor it ran on) and 7, and xcr0. */
static inline void arch_identify(uint32_t *cpuid, uint64_t *state_mask)
{
    uint32_t low = 0, high = 0;

    arch_cpuid(1, cpuid);
    cpuid[1] &= 0x0000ff00;
    arch_cpuid(7, cpuid + 4);
    if (cpuid[2] & (1U << 27)) /* OSXSAVE */
        __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    *state_mask = (uint64_t)high << 32 | low;
}

#endif
