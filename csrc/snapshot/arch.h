/* The machine this is compiled for, and the few system calls both sides make without libc. */
#ifndef PYRUNC_SNAPSHOT_ARCH_CHOICE_H
#define PYRUNC_SNAPSHOT_ARCH_CHOICE_H

#if defined(__x86_64__)
#include "arch_x86_64.h"
#elif defined(__aarch64__)
#include "arch_aarch64.h"
#else
#error "the startup snapshot knows x86_64 and aarch64 only"
#endif

#define CALL0(name) arch_call(__NR_##name, 0, 0, 0, 0, 0, 0)
#define CALL1(name, a) arch_call(__NR_##name, (long)(a), 0, 0, 0, 0, 0)
#define CALL2(name, a, b) arch_call(__NR_##name, (long)(a), (long)(b), 0, 0, 0, 0)
#define CALL3(name, a, b, c) arch_call(__NR_##name, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define CALL4(name, a, b, c, d) arch_call(__NR_##name, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define CALL5(name, a, b, c, d, e) \
    arch_call(__NR_##name, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define CALL6(name, a, b, c, d, e, f) \
    arch_call(__NR_##name, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

#endif
