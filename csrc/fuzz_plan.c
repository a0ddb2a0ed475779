/* Mutates plans and feeds them to the decoder, under ASan and UBSan.
 *
 * Invariant: plan_decode() refuses the bytes, or every accessor stays inside them
 * and every string is terminated.  Plans are made from the signature table, so
 * that every operation is covered without a corpus.
 *
 * Usage: fuzz_plan [ROUNDS [SEED]]   Prints how many plans were accepted and refused.
 * With -DLIBFUZZER (clang -fsanitize=fuzzer,address,undefined) libFuzzer drives it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ops.gen.h"
#include "plan.h"

static const char *const SIGNATURES[] = {
#define X(code, name, letters) letters,
    PYRUNC_OPS(X)
#undef X
};

static volatile uint64_t sink;

static void use_op(const struct plan *plan, const struct op *op)
{
    const char *letters = SIGNATURES[op->code - 1];

    for (unsigned i = 0; letters[i]; i++) {
        uint32_t count = 0;

        switch (letters[i]) {
        case 'i':
            sink += (uint64_t)arg_int(op, i);
            break;
        case 's':
            if (strlen(arg_str(op, i)) != arg_length(op, i))
                abort();
            break;
        case 'b':
            for (uint32_t at = 0; at < arg_length(op, i); at++)
                sink += ((const unsigned char *)arg_bytes(op, i))[at];
            break;
        case 'l':
            for (char **item = arg_list(op, i); *item; item++, count++)
                sink += strlen(*item);
            if (count != arg_count(op, i))
                abort();
            break;
        default:
            sink += (uint32_t)plan->slot_fd[arg_int(op, i)];
        }
    }
}

/* 1 if the plan was accepted. The bytes are copied into a block of their exact size. */
static int try_plan(const unsigned char *bytes, size_t size)
{
    unsigned char *block = malloc(size ? size : 1);
    struct plan plan;
    const char *why;
    int accepted;

    if (!block)
        abort();
    memcpy(block, bytes, size);
    accepted = plan_decode(&plan, block, size, &why) == 0;
    if (accepted) {
        const struct op *op = plan.first;

        for (uint32_t i = 0; i < plan.op_count; i++, op = op_next(op))
            use_op(&plan, op);
    }
    free(block);
    return accepted;
}

#ifdef LIBFUZZER
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_plan(data, size);
    return 0;
}
#else

enum { ROOM = 1 << 16, SLOTS = 3 };

static unsigned char made[ROOM] __attribute__((aligned(8)));
static size_t made_size;
static uint64_t random_state;

static uint32_t pick(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 16) % below;
}

static void put(const void *bytes, size_t size)
{
    memcpy(made + made_size, bytes, size);
    made_size += size;
}

static void put_u32(uint32_t value)
{
    put(&value, sizeof value);
}

static void put_u64(uint64_t value)
{
    put(&value, sizeof value);
}

static void pad(void)
{
    while (made_size % 8)
        put("", 1);
}

static uint32_t put_text(void)
{
    uint32_t size = pick(20);

    for (uint32_t i = 0; i < size; i++)
        put("abcdefgh/=@PID@\xff" + pick(16), 1);
    return size;
}

static void put_list(void)
{
    uint32_t count = pick(4);

    put_u32(count);
    put_u32(0);
    for (uint32_t i = 0; i <= count; i++)
        put_u64(0);
    for (uint32_t i = 0; i < count; i++) {
        size_t at = made_size;
        uint32_t size;

        put_u32(0);
        size = put_text();
        put("", 1);
        memcpy(made + at, &size, sizeof size);
        pad();
    }
}

static void put_arg(char letter)
{
    size_t at = made_size;
    uint32_t head[2] = {0, 8};

    put_u64(0);
    if (letter == 'i' || letter == 'f') {
        head[0] = letter == 'i' ? ARG_INT : ARG_SLOT;
        put_u64(letter == 'i' ? ((uint64_t)pick(UINT32_MAX) << 32 | pick(256)) : pick(SLOTS));
    } else if (letter == 'l') {
        head[0] = ARG_LIST;
        put_list();
        head[1] = (uint32_t)(made_size - at - 8);
    } else {
        head[0] = letter == 's' ? ARG_STR : ARG_BYTES;
        head[1] = put_text();
        put("", letter == 's');
        pad();
    }
    memcpy(made + at, head, sizeof head);
}

static void make_plan(uint32_t op_count)
{
    uint32_t total;

    made_size = 0;
    put("pyrplan1", 8);
    put_u32(0);
    put_u32(op_count);
    put_u32(SLOTS);
    put_u32(pick(2));
    for (uint32_t i = 0; i < SLOTS; i++)
        put_u32(i ? 5 : UINT32_MAX);
    pad();
    for (uint32_t i = 0; i < op_count; i++) {
        uint16_t code = (uint16_t)(1 + pick(PYRUNC_OP_COUNT)), argc = (uint16_t)strlen(SIGNATURES[code - 1]);
        size_t at = made_size;
        uint32_t size;

        put_u64(0);
        for (uint16_t k = 0; k < argc; k++)
            put_arg(SIGNATURES[code - 1][k]);
        size = (uint32_t)(made_size - at - 8);
        memcpy(made + at, &code, 2);
        memcpy(made + at + 2, &argc, 2);
        memcpy(made + at + 4, &size, 4);
    }
    total = (uint32_t)made_size;
    memcpy(made + 8, &total, sizeof total);
}

static void mutate(void)
{
    static const uint32_t ODD[] = {0,          1,          2,          7,          8,         9,        255,
                                   65535,      0x7fffffff, 0x80000000, 0xfffffff0, 0xfffffff8, 0xffffffff};
    uint32_t value = ODD[pick(sizeof ODD / sizeof *ODD)];
    size_t at = pick((uint32_t)made_size), word = at & ~(size_t)3;

    switch (pick(5)) {
    case 0:
        made[at] ^= (unsigned char)(1 << pick(8));
        break;
    case 1:
        memcpy(made + word, &value, sizeof value);
        break;
    case 2:
        memcpy(&value, made + word, sizeof value);
        value += pick(17) - 8;
        memcpy(made + word, &value, sizeof value);
        break;
    case 3: /* cut, with the header telling the same */
        made_size = at & ~(size_t)7;
        value = (uint32_t)made_size;
        if (made_size >= 24)
            memcpy(made + 8, &value, sizeof value);
        break;
    default:
        memmove(made + word, made + (pick((uint32_t)made_size) & ~3u), 4);
    }
}

int main(int argc, char **argv)
{
    unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 200000;
    unsigned long accepted = 0;

    random_state = argc > 2 ? strtoull(argv[2], NULL, 10) * 2 + 1 : 88172645463325252u;
    for (unsigned long i = 0; i < rounds; i++) {
        make_plan(1 + pick(6));
        if (!try_plan(made, made_size)) {
            fputs("a well-formed plan was refused\n", stderr);
            return 1;
        }
        for (uint32_t k = 1 + pick(3); k && made_size; k--)
            mutate();
        accepted += (unsigned long)try_plan(made, made_size);
    }
    printf("%lu mutated plans: %lu accepted, %lu refused\n", rounds, accepted, rounds - accepted);
    return 0;
}
#endif
