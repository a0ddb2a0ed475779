/* Compile a whole seccomp profile with libseccomp in one call.
 *
 * The profile comes packed, all numbers in the byte order of the machine:
 *   u32 default action, u32 1 if unknown calls get ENOSYS, u32 architectures, u32 rules
 *   architectures: strings that end in NUL
 *   rules: u32 action, u32 arguments, u32 names
 *          arguments: u32 index, u32 comparison, u64 value, u64 second value
 *          names: strings that end in NUL
 * Actions are SECCOMP_RET_*, comparisons are enum scmp_compare.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "seccomp_filter.h"

enum { MOST_ARGUMENTS = 64, MOST_CONDITIONS = 6, MOST_ARCHITECTURES = 32, BINARY_TREE = 2 };

/* What the report says: where it failed, and how many names are unknown. */
enum { STAGE, RULE, NAME, UNKNOWN };
enum { AT_START, AT_ARCHITECTURE, AT_RULE, AT_EXPORT };

struct reader {
    const char *at;
    const char *end;
    int broken;
};

struct architectures {
    uint32_t token[MOST_ARCHITECTURES];
    uint32_t count;
};

struct rule {
    uint32_t action, arguments, names;
    struct scmp_arg_cmp argument[MOST_ARGUMENTS];
    int split; /* an index occurs twice: every argument is a rule of its own */
};

static void read_bytes(struct reader *reader, void *to, size_t size)
{
    memset(to, 0, size);
    if ((size_t)(reader->end - reader->at) < size) {
        reader->broken = 1;
        return;
    }
    memcpy(to, reader->at, size);
    reader->at += size;
}

static uint32_t read_number(struct reader *reader)
{
    uint32_t number;

    read_bytes(reader, &number, sizeof number);
    return number;
}

static const char *read_string(struct reader *reader)
{
    const char *text = reader->at;
    const char *end = memchr(text, 0, (size_t)(reader->end - text));

    if (!end) {
        reader->broken = 1;
        return "";
    }
    reader->at = end + 1;
    return text;
}

static void read_argument(struct reader *reader, struct scmp_arg_cmp *argument)
{
    uint64_t values[2];

    argument->arg = read_number(reader);
    argument->op = (enum scmp_compare)read_number(reader);
    read_bytes(reader, values, sizeof values);
    argument->datum_a = values[0];
    argument->datum_b = values[1];
}

static void read_rule(struct reader *reader, struct rule *rule)
{
    uint32_t seen = 0;

    rule->split = 0;
    rule->action = read_number(reader);
    rule->arguments = read_number(reader);
    rule->names = read_number(reader);
    if (rule->arguments > MOST_ARGUMENTS) {
        reader->broken = 1;
        return;
    }
    for (uint32_t i = 0; i < rule->arguments; i++) {
        read_argument(reader, &rule->argument[i]);
        rule->split |= seen >> (rule->argument[i].arg & 31) & 1;
        seen |= 1U << (rule->argument[i].arg & 31);
    }
    if (rule->arguments > MOST_CONDITIONS && !rule->split)
        reader->broken = 1;
}

static int add_syscall(scmp_filter_ctx filter, const struct rule *rule, int number)
{
    int error = 0;

    if (!rule->split)
        return seccomp_rule_add_array(filter, rule->action, number, rule->arguments, rule->argument);
    for (uint32_t i = 0; i < rule->arguments && error == 0; i++)
        error = seccomp_rule_add_array(filter, rule->action, number, 1, &rule->argument[i]);
    return error;
}

/* `*ordinal` counts the names of the whole profile. */
static int add_rule(scmp_filter_ctx filter, struct reader *reader, const struct rule *rule, int wanted,
                    uint32_t *ordinal, uint32_t *unknown, uint32_t *report)
{
    for (report[NAME] = 0; report[NAME] < rule->names; report[NAME]++, ++*ordinal) {
        const char *name = read_string(reader);
        int number = seccomp_syscall_resolve_name(name), error;

        if (reader->broken)
            return -EBADMSG;
        if (number == __NR_SCMP_ERROR) {
            unknown[report[UNKNOWN]++] = *ordinal;
            continue;
        }
        error = wanted ? add_syscall(filter, rule, number) : 0;
        if (error < 0)
            return error;
    }
    return 0;
}

/* The machine's own is there already, and is the first of `all`. */
static int add_architectures(scmp_filter_ctx filter, struct reader *reader, uint32_t count, struct architectures *all,
                             uint32_t *report)
{
    all->token[0] = seccomp_arch_native();
    all->count = 1;
    report[STAGE] = AT_ARCHITECTURE;
    for (report[RULE] = 0; report[RULE] < count; report[RULE]++) {
        uint32_t token = seccomp_arch_resolve_name(read_string(reader));
        int error = token == 0 ? -EINVAL : seccomp_arch_add(filter, token);

        if (error == -EEXIST)
            continue;
        if (error < 0)
            return error;
        if (all->count == MOST_ARCHITECTURES)
            return -E2BIG;
        all->token[all->count++] = token;
    }
    return 0;
}

/* The library writes programs to descriptors only (to memory since 2.6). */
static int export(scmp_filter_ctx filter, char *program, size_t capacity, uint32_t *report)
{
    int fd = memfd_create("seccomp", MFD_CLOEXEC), error;
    ssize_t size;

    report[STAGE] = AT_EXPORT;
    if (fd < 0)
        return -errno;
    error = seccomp_export_bpf(filter, fd);
    size = error < 0 ? error : pread(fd, program, capacity, 0);
    if (error == 0 && size < 0)
        size = -errno;
    if (size >= 0 && lseek(fd, 0, SEEK_END) > (off_t)capacity)
        size = -E2BIG;
    close(fd);
    return (int)size;
}

static int add_rules(scmp_filter_ctx filter, struct reader *reader, uint32_t count, uint32_t default_action,
                     uint32_t *unknown, uint32_t *report)
{
    uint32_t ordinal = 0;

    report[STAGE] = AT_RULE;
    for (report[RULE] = 0; report[RULE] < count; report[RULE]++) {
        struct rule rule;
        int error;

        read_rule(reader, &rule);
        if (reader->broken)
            return -EBADMSG;
        error = add_rule(filter, reader, &rule, rule.action != default_action, &ordinal, unknown, report);
        if (error < 0)
            return error;
    }
    return 0;
}

/* Returns the size of struct sock_filter[] in `program`, or -errno and where in `report`
 * (four numbers).  unknown: room for as many numbers as there are names. */
int filter_compile(const char *rules, size_t size, char *program, size_t capacity, uint32_t *unknown,
                   uint32_t *report)
{
    struct reader reader = {.at = rules, .end = rules + size};
    uint32_t default_action = read_number(&reader), refuse = read_number(&reader);
    uint32_t architectures = read_number(&reader), count = read_number(&reader);
    struct architectures all;
    scmp_filter_ctx filter = seccomp_init(default_action);
    int error;

    report[STAGE] = AT_START;
    report[UNKNOWN] = 0;
    if (!filter)
        return -EINVAL;
    seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, BINARY_TREE); /* since 2.5; without it, a longer chain */
    error = add_architectures(filter, &reader, architectures, &all, report);
    if (error == 0)
        error = add_rules(filter, &reader, count, default_action, unknown, report);
    if (error == 0)
        error = export(filter, program, capacity, report);
    seccomp_release(filter);
    if (error < 0 || !refuse)
        return error;
    return filter_refuse_unknown(all.token, all.count, program, (size_t)error, capacity);
}

/* major << 16 | minor << 8 | micro */
int filter_library_version(void)
{
    const struct scmp_version *version = seccomp_version();

    return (int)(version->major << 16 | version->minor << 8 | version->micro);
}
