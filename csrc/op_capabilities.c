/* Operations on the capability sets, which are bit masks.
 *
 * What cannot be granted is a warning, not an error: the specification says so.
 */
#include <linux/capability.h>
#include <sys/prctl.h>

#include "init.h"
#include "reply.h"
#include "syscalls.h"

enum { MOST_CAPABILITIES = 64 };

#define BIT(number) (UINT64_C(1) << (number))

struct capabilities {
    uint64_t effective, permitted, inheritable;
};

static int get_capabilities(struct capabilities *set)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {{0}, {0}};
    int error = sys_call(SYS_capget, &header, data);

    set->effective = data[0].effective | (uint64_t)data[1].effective << 32;
    set->permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
    set->inheritable = data[0].inheritable | (uint64_t)data[1].inheritable << 32;
    return error;
}

static int put_capabilities(const struct capabilities *set)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];

    for (int half = 0; half < 2; half++) {
        data[half].effective = (uint32_t)(set->effective >> 32 * half);
        data[half].permitted = (uint32_t)(set->permitted >> 32 * half);
        data[half].inheritable = (uint32_t)(set->inheritable >> 32 * half);
    }
    return sys_call(SYS_capset, &header, data);
}

/* The bits of the bounding set; what the kernel does not know is not in it. */
static uint64_t bounding_set(void)
{
    uint64_t set = 0;

    for (unsigned long number = 0; number < MOST_CAPABILITIES; number++) {
        int held = prctl(PR_CAPBSET_READ, number, 0UL, 0UL, 0UL);
        if (held < 0)
            break;
        if (held)
            set |= BIT(number);
    }
    return set;
}

/* Each capability once. The text is the mask in hexadecimal: the runtime knows the names. */
static void warn_missing(struct context *context, uint64_t missing)
{
    static uint64_t told;
    char text[2 + 16 + 1] = "0x";

    missing &= ~told;
    told |= missing;
    if (missing == 0)
        return;
    for (int digit = 0; digit < 16; digit++)
        text[2 + digit] = "0123456789abcdef"[missing >> (60 - 4 * digit) & 15];
    text[18] = '\0';
    reply_warning(context, -EPERM, text);
}

int op_drop_bounding(struct context *context, const struct op *op)
{
    uint64_t keep = (uint64_t)arg_int(op, 0), held = bounding_set(), drop = held & ~keep;

    for (unsigned long number = 0; number < MOST_CAPABILITIES; number++)
        if (drop & BIT(number) && prctl(PR_CAPBSET_DROP, number, 0UL, 0UL, 0UL) < 0)
            return -errno;
    warn_missing(context, keep & ~held);
    return 0;
}

int op_set_capabilities(struct context *context, const struct op *op)
{
    struct capabilities now, wanted, set;
    int error = get_capabilities(&now);

    if (error < 0)
        return error;
    wanted.effective = (uint64_t)arg_int(op, 0);
    wanted.permitted = (uint64_t)arg_int(op, 1);
    wanted.inheritable = (uint64_t)arg_int(op, 2);
    set.permitted = wanted.permitted & now.permitted;
    set.effective = wanted.effective & set.permitted;
    set.inheritable = wanted.inheritable & (now.inheritable | (now.permitted & bounding_set()));
    error = put_capabilities(&set);
    if (error == 0)
        warn_missing(context, (wanted.permitted & ~set.permitted) | (wanted.effective & ~set.effective) |
                                  (wanted.inheritable & ~set.inheritable));
    return error;
}

int op_raise_capabilities(struct context *context, const struct op *op)
{
    struct capabilities set;
    int error = get_capabilities(&set);

    (void)context;
    (void)op;
    set.effective = set.permitted;
    return error < 0 ? error : put_capabilities(&set);
}

int op_set_ambient(struct context *context, const struct op *op)
{
    uint64_t mask = (uint64_t)arg_int(op, 0), missing = 0;

    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0UL, 0UL, 0UL) < 0)
        return -errno;
    for (unsigned long number = 0; number < MOST_CAPABILITIES; number++)
        if (mask & BIT(number) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0UL, 0UL) < 0)
            missing |= BIT(number);
    warn_missing(context, missing);
    return 0;
}
