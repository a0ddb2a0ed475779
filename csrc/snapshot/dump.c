/* Writes every mapping of this process, and what it takes to go on from here, into the image. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <fcntl.h>
#include <unistd.h>

#include "dump.h"

#define PREFAULT_ROOM 65536UL
#define SHORT_HOLE 64 /* pages of zeros that are not worth a mapping of their own */
#define TID_ADDRESS 40 /* PR_GET_TID_ADDRESS */

extern void *__curbrk __attribute__((weak));
extern const unsigned int __rseq_size __attribute__((weak));

long arch_mark(struct context *context, long (*write)(void *), void *argument);
ARCH_MARK;

static struct context context;

struct job {
    struct request *request;
    struct work *work;
};

static uint64_t address_of(const void *pointer)
{
    return (uint64_t)(uintptr_t)pointer;
}

static uint64_t round_up(uint64_t value)
{
    return (value + IMAGE_PAGE - 1) & ~(IMAGE_PAGE - 1);
}

static int is_zero(uint64_t address, uint64_t end)
{
    for (const uint64_t *word = (const uint64_t *)(uintptr_t)address; address_of(word) < end; word++)
        if (*word)
            return 0;
    return 1;
}

/* Joins the last segment where it can.  Offsets are relative until the header's size is known. */
static int add_segment(struct work *work, uint64_t address, uint64_t end, uint64_t protection, int empty)
{
    struct image_header *header = &work->header;
    struct segment *last = &work->segments[header->segment_count];

    if (header->segment_count > 0 && last[-1].address + last[-1].length == address
        && last[-1].protection == protection && (last[-1].offset == IMAGE_ANONYMOUS) == empty) {
        last[-1].length += end - address;
    } else {
        if (header->segment_count == SEGMENT_LIMIT)
            return -E2BIG;
        last->address = address;
        last->length = end - address;
        last->protection = protection;
        last->offset = empty ? IMAGE_ANONYMOUS : header->size;
        header->segment_count++;
    }
    if (!empty)
        header->size += end - address;
    return 0;
}

/* Runs of pages with contents, and longer runs of zeros between them where it is writable memory. */
static int add_map(struct work *work, uint64_t address, uint64_t end, uint64_t protection)
{
    uint64_t begin = address, zeros;
    int error = 0;

    if (protection == PROT_NONE)
        return add_segment(work, address, end, protection, 1);
    if (!(protection & PROT_READ))
        return -EACCES;
    while (error == 0 && address < end && (protection & PROT_WRITE)) {
        for (zeros = address; zeros < end && is_zero(zeros, zeros + IMAGE_PAGE);)
            zeros += IMAGE_PAGE;
        if (zeros - address < SHORT_HOLE * IMAGE_PAGE) {
            address = zeros < end ? zeros + IMAGE_PAGE : end;
            continue;
        }
        if (begin < address)
            error = add_segment(work, begin, address, protection, 0);
        if (error == 0)
            error = add_segment(work, address, zeros, protection, 1);
        begin = address = zeros;
    }
    return error == 0 && begin < end ? add_segment(work, begin, end, protection, 0) : error;
}

static int add_vdso(struct work *work, const struct map *map, uint64_t base)
{
    struct image_header *header = &work->header;
    struct range *piece = &header->pieces[header->piece_count];

    if (header->piece_count == IMAGE_VDSO_PIECES)
        return -E2BIG;
    piece->address = map->address - base;
    piece->length = map->end - map->address;
    header->piece_count++;
    if (map->kind != MAP_VDSO)
        return 0;
    header->vdso = base;
    header->vdso_length = piece->length;
    header->machine.vdso_hash = image_hash((const void *)(uintptr_t)base, piece->length);
    return 0;
}

static int add_maps(struct work *work, const struct request *request)
{
    int error = 0;

    for (uint64_t i = 0; error == 0 && i < work->map_count; i++) {
        const struct map *map = &work->maps[i];
        uint64_t address = map->address;

        if (map->kind == MAP_LEFT_OUT)
            continue;
        if (map->shared_writable)
            return -EBUSY;
        if (map->kind == MAP_VDSO || map->kind == MAP_VVAR) {
            error = add_vdso(work, map, getauxval(AT_SYSINFO_EHDR));
            continue;
        }
        if (map->kind == MAP_STACK_OF_KERNEL && address < request->stack_low)
            address = request->stack_low & ~(IMAGE_PAGE - 1);
        error = add_map(work, address, map->end, map->protection);
    }
    return error;
}

static void add_canaries(struct work *work, const struct request *request)
{
    struct image_header *header = &work->header;
    const uint64_t *word = __builtin_frame_address(0);
    uint64_t canary;

    header->canary_address = arch_canary_address(header->thread_pointer);
    if (!header->canary_address)
        return;
    canary = *(const uint64_t *)(uintptr_t)header->canary_address;
    for (; address_of(word) < request->own_high; word++)
        if (*word == canary && header->canary_count < CANARY_LIMIT)
            work->canaries[header->canary_count++] = address_of(word);
}

static int add_thread(struct image_header *header)
{
    if (syscall(SYS_prctl, TID_ADDRESS, &header->tid_address, 0, 0, 0) < 0)
        return -errno;
    if (*(int *)(uintptr_t)header->tid_address != (int)syscall(SYS_gettid))
        return -ESRCH;
    if (syscall(SYS_get_robust_list, 0, &header->robust_list, &header->robust_length) < 0)
        return -errno;
    if (syscall(SYS_rt_sigaction, SIGINT, NULL, &header->interrupt, 8) < 0
        || syscall(SYS_rt_sigaction, SIGPIPE, NULL, &header->broken_pipe, 8) < 0
        || syscall(SYS_rt_sigaction, SIGXFSZ, NULL, &header->file_size, 8) < 0)
        return -errno;
    header->thread_pointer = arch_thread_pointer();
    header->context = address_of(&context);
    return 0;
}

/* The auxiliary vector as the kernel gave it: getauxval(3) changes hwcap. */
static int add_machine(struct work *work)
{
    struct auxiliary vector[64];
    int fd = open("/proc/self/auxv", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, vector, sizeof(vector) - sizeof(*vector));

    if (size < 0)
        return -errno;
    close(fd);
    vector[(size_t)size / sizeof(*vector)].type = AT_NULL;
    identify_machine(&work->header.machine, vector);
    return 0;
}

static int put(int fd, const void *data, uint64_t size, uint64_t offset)
{
    while (size > 0) {
        ssize_t written = pwrite(fd, data, size, (off_t)offset);
        if (written <= 0)
            return written < 0 ? -errno : -EIO;
        data = (const char *)data + written;
        size -= (uint64_t)written;
        offset += (uint64_t)written;
    }
    return 0;
}

/* header, segments, canaries, files: one after the other. */
static int put_header(struct work *work, const struct request *request)
{
    struct image_header *header = &work->header;
    uint64_t segments = header->segment_count * sizeof(struct segment);
    uint64_t canaries = header->canary_count * sizeof(uint64_t);
    char *at = work->text;

    header->magic = IMAGE_MAGIC;
    header->file_count = request->file_count;
    header->files_size = request->files_size;
    header->header_size = sizeof(*header) + segments + canaries + request->files_size;
    header->data = round_up(header->header_size + PREFAULT_ROOM);
    header->size += header->data;
    if (header->header_size > sizeof(work->text))
        return -E2BIG;
    for (uint64_t i = 0; i < header->segment_count; i++)
        if (work->segments[i].offset != IMAGE_ANONYMOUS)
            work->segments[i].offset += header->data;
    memcpy(at + sizeof(*header), work->segments, segments);
    memcpy(at + sizeof(*header) + segments, work->canaries, canaries);
    memcpy(at + sizeof(*header) + segments + canaries, request->files, request->files_size);
    memcpy(at, header, sizeof(*header));
    header->hash = image_hash(at + 16, header->header_size - 16);
    memcpy(at, header, sizeof(*header));
    return put(request->fd, at, header->header_size, 0);
}

static int put_segments(const struct work *work, int fd)
{
    int error = 0;

    for (uint64_t i = 0; error == 0 && i < work->header.segment_count; i++) {
        const struct segment *segment = &work->segments[i];

        if (segment->offset != IMAGE_ANONYMOUS)
            error = put(fd, (const void *)(uintptr_t)segment->address, segment->length, segment->offset);
    }
    return error;
}

static long write_image(void *argument)
{
    struct job *job = argument;
    struct work *work = job->work;
    int error = read_maps(work);

    if (error == 0)
        error = add_machine(work);
    if (error == 0)
        error = add_thread(&work->header);
    if (error == 0)
        error = add_maps(work, job->request);
    if (error == 0 && !work->header.vdso)
        error = -ENOENT;
    add_canaries(work, job->request);
    if (error == 0)
        error = put_header(work, job->request);
    return error == 0 ? put_segments(work, job->request->fd) : error;
}

/* Where the break is in a new process nobody knows: near the end of the addresses every
 * sbrk(3) overflows and fails, and malloc uses mmap. */
static void disable_break(void)
{
    if (&__curbrk)
        __curbrk = (void *)~(uintptr_t)(IMAGE_PAGE - 1);
}

/* 0 after the dump, a negative errno, or the address of a struct start in a restored process. */
long take_dump(struct request *request)
{
    uint64_t length = round_up(sizeof(struct work)) + 2 * IMAGE_PAGE;
    char *area = mmap(NULL, length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct job job = { request, NULL };

    if (&__rseq_size && __rseq_size != 0)
        return -EBUSY;
    if (area == MAP_FAILED)
        return -errno;
    job.work = (struct work *)(area + IMAGE_PAGE);
    if (mprotect(job.work, length - 2 * IMAGE_PAGE, PROT_READ | PROT_WRITE) < 0)
        return -errno;
    disable_break();
    return arch_mark(&context, write_image, &job);
}
