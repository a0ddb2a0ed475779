/* The identity of kernel and processor: taken at dump, compared at restore. */
#ifndef PYRUNC_SNAPSHOT_MACHINE_H
#define PYRUNC_SNAPSHOT_MACHINE_H

#include <linux/auxvec.h>
#include <linux/utsname.h>

#include "arch.h"
#include "image.h"

struct auxiliary {
    uint64_t type;
    uint64_t value;
};

static inline uint64_t auxiliary_value(const struct auxiliary *vector, uint64_t type)
{
    for (; vector->type != AT_NULL; vector++)
        if (vector->type == type)
            return vector->value;
    return 0;
}

static inline void copy_text(char *target, const char *source, uint64_t room)
{
    uint64_t i = 0;

    for (; i + 1 < room && source[i]; i++)
        target[i] = source[i];
    for (; i < room; i++)
        target[i] = 0;
}

/* Everything but vdso_hash, which needs the length of the vdso. */
static inline void identify_machine(struct machine *machine, const struct auxiliary *vector)
{
    struct new_utsname names;

    CALL1(uname, &names);
    copy_text(machine->release, names.release, sizeof(machine->release));
    copy_text(machine->version, names.version, sizeof(machine->version));
    machine->hwcap = auxiliary_value(vector, AT_HWCAP);
    machine->hwcap2 = auxiliary_value(vector, AT_HWCAP2);
    arch_identify(machine->cpuid, &machine->state_mask);
}

#endif
