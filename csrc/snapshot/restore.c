/* Maps the image and jumps into it.  A failure before the jump is a refusal: execve then clears the memory. */
#include <linux/mman.h>
#include <linux/fcntl.h>

#include "restore.h"

#define POPULATE_WRITE 23 /* MADV_POPULATE_WRITE, Linux 5.14 */
#define SIGNAL_COUNT 64
#define WORDS_LOOKED_AT 16
#define MASK_SIZE 8
#define INTERRUPT 2
#define BROKEN_PIPE 13
#define FILE_SIZE 25
#define IS_DEFAULT 0
#define IS_IGNORED 1

static struct start start;

static struct refusal refuse(const char *reason)
{
    struct refusal refusal = { reason, 0 };

    return refusal;
}

static struct refusal map_segments(const struct image *image)
{
    const struct segment *segment = image_segments(image->header);

    for (uint64_t i = 0; i < image->header->segment_count; i++, segment++) {
        long flags = MAP_PRIVATE | MAP_FIXED_NOREPLACE;
        int empty = segment->offset == IMAGE_ANONYMOUS;
        long address;

        if (empty)
            flags |= MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK; /* a stack gets no huge pages */
        address = CALL6(mmap, segment->address, segment->length, segment->protection, flags,
                empty ? -1 : image->fd, empty ? 0 : segment->offset);
        if (address != (long)segment->address)
            return refuse("the memory has no room for the image");
    }
    return refuse(0);
}

/* The vdso and its data to where the image's pointers expect them.  A placeholder keeps
 * mremap from replacing something that is there already. */
static struct refusal move_vdso(const struct image_header *header, const struct process *process)
{
    uint64_t base = auxiliary_value(process->vector, AT_SYSINFO_EHDR);

    for (uint64_t i = 0; i < header->piece_count && base != header->vdso; i++) {
        uint64_t from = base + header->pieces[i].address, to = header->vdso + header->pieces[i].address;
        uint64_t length = header->pieces[i].length;

        if (CALL6(mmap, to, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != (long)to)
            return refuse("the vdso's place is taken");
        if (CALL5(mremap, from, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, to) != (long)to)
            return refuse("the vdso cannot be moved");
    }
    return refuse(0);
}

/* Signals as a booting interpreter leaves them; what was ignored before is told to it. */
static void set_signals(const struct image_header *header)
{
    struct kernel_action action;

    for (long number = 1; number <= SIGNAL_COUNT; number++) {
        if (CALL4(rt_sigaction, number, 0, &action, MASK_SIZE) == 0 && action.handler == IS_IGNORED)
            start.ignored_signals |= 1UL << (number - 1);
        if (number == INTERRUPT && action.handler == IS_DEFAULT)
            CALL4(rt_sigaction, INTERRUPT, &header->interrupt, 0, MASK_SIZE);
    }
    CALL4(rt_sigaction, BROKEN_PIPE, &header->broken_pipe, 0, MASK_SIZE);
    CALL4(rt_sigaction, FILE_SIZE, &header->file_size, 0, MASK_SIZE);
}

/* A new canary from the kernel's random bytes, in the thread and in the frames that will return. */
static void renew_canary(const struct image_header *header, const struct process *process)
{
    const uint64_t *canaries = image_canaries(header);
    const uint64_t *random = (const uint64_t *)auxiliary_value(process->vector, AT_RANDOM);
    uint64_t canary;

    if (!header->canary_address || !random)
        return;
    canary = random[0] & ~0xffUL; /* as libc does it: a NUL first */
    *(uint64_t *)header->canary_address = canary;
    for (uint64_t i = 0; i < header->canary_count; i++)
        *(uint64_t *)canaries[i] = canary;
}

static void set_thread(const struct image_header *header)
{
    int *tid = (int *)header->tid_address;

    arch_set_thread_pointer(header->thread_pointer);
    *tid = (int)CALL1(set_tid_address, tid);
    CALL2(set_robust_list, header->robust_list, header->robust_length);
}

static int is_meant(const struct group *group, const struct process *process)
{
    if (!group->word[0])
        return 1;
    for (long i = 1; i < process->argc && i < WORDS_LOOKED_AT; i++)
        if (text_equal(process->argv[i], group->word))
            return 1;
    return 0;
}

/* Pages that this command will write to: copied in one go each, which is cheaper than a fault each. */
static void prefault(const struct image_header *header, const struct process *process)
{
    const struct range *ranges = image_prefaults(header);

    for (const struct group *group = header->groups; group < header->groups + IMAGE_GROUPS && group->count; group++) {
        if (!is_meant(group, process))
            continue;
        for (uint64_t i = group->first; i < group->first + group->count && i < header->prefault_count; i++)
            CALL3(madvise, ranges[i].address, ranges[i].length, POPULATE_WRITE);
    }
}

struct refusal restore_image(const struct image *image, const struct process *process, uint64_t training)
{
    const struct image_header *header = image->header;
    struct refusal refusal = map_segments(image);

    if (!refusal.reason)
        refusal = move_vdso(header, process);
    if (refusal.reason)
        return refusal;
    start.argc = process->argc;
    start.argv = process->argv;
    start.envp = process->envp;
    start.training = training;
    CALL1(close, image->fd);
    prefault(header, process);
    set_thread(header);
    renew_canary(header, process);
    set_signals(header);
    arch_resume((const struct context *)header->context, (long)&start);
}
