/* The image of a booted interpreter: what dump.c writes and restore.c reads.
 *
 * One file: the header, then, page-aligned, the contents of the segments.
 * The header is followed at once by its tables: segments, canaries, files,
 * prefaulted ranges.  `header_size` ends them, `hash` covers them, `data` is
 * where the first contents are.  Everything is in the machine's byte order:
 * an image never leaves the host it was made on.
 */
#ifndef PYRUNC_SNAPSHOT_IMAGE_H
#define PYRUNC_SNAPSHOT_IMAGE_H

#include <stdint.h>

#define IMAGE_MAGIC (0x7372797000000000ULL | IMAGE_LAYOUT) /* the checksum of this file (Makefile), "pyrs" */
#define IMAGE_PAGE 4096ULL
#define IMAGE_ANONYMOUS (~0ULL)
#define IMAGE_VDSO_PIECES 4
#define IMAGE_GROUPS 12

/* What must be the same in every process that uses the image. */
struct machine {
    char release[72];
    char version[72];
    uint64_t vdso_hash;
    uint64_t hwcap;
    uint64_t hwcap2;
    uint64_t state_mask; /* xcr0 */
    uint32_t cpuid[8];
};

/* offset: of the contents in the image, or IMAGE_ANONYMOUS for zeros. */
struct segment {
    uint64_t address;
    uint64_t length;
    uint64_t offset;
    uint64_t protection;
};

struct range {
    uint64_t address;
    uint64_t length;
};

/* Prefaulted ranges that a command line with this word (any, if empty) needs. */
struct group {
    char word[16];
    uint64_t first;
    uint64_t count;
};

/* A file or directory that must not have changed; the path ends in NUL, padded to 8. size ~0: not compared. */
struct file_key {
    uint64_t size;
    int64_t seconds;
    uint64_t nanoseconds;
    uint64_t inode;
    uint64_t path_length; /* with NUL and padding */
    char path[];
};

/* What rt_sigaction(2) takes. */
struct kernel_action {
    uint64_t handler;
    uint64_t flags;
    uint64_t restorer;
    uint64_t mask;
};

struct image_header {
    uint64_t magic;
    uint64_t hash; /* of the rest of the header and the tables */
    uint64_t size; /* of the file */
    uint64_t header_size;
    uint64_t data;
    struct machine machine;
    uint64_t context;
    uint64_t thread_pointer;
    uint64_t tid_address;
    uint64_t robust_list;
    uint64_t robust_length;
    uint64_t canary_address; /* 0: none that can be changed */
    uint64_t vdso;
    uint64_t vdso_length; /* of what vdso_hash covers */
    uint64_t piece_count;
    struct range pieces[IMAGE_VDSO_PIECES];
    struct kernel_action interrupt, broken_pipe, file_size;
    uint64_t segment_count;
    uint64_t canary_count;
    uint64_t file_count;
    uint64_t files_size;
    uint64_t prefault_count;
    struct group groups[IMAGE_GROUPS];
};

/* What the restored process learns about itself. */
struct start {
    int64_t argc;
    char **argv;
    char **envp;
    uint64_t ignored_signals; /* bit N-1: signal N was ignored when the program started */
    uint64_t training;
};

static inline const struct segment *image_segments(const struct image_header *header)
{
    return (const struct segment *)(header + 1);
}

static inline const uint64_t *image_canaries(const struct image_header *header)
{
    return (const uint64_t *)(image_segments(header) + header->segment_count);
}

static inline const struct file_key *image_files(const struct image_header *header)
{
    return (const struct file_key *)(image_canaries(header) + header->canary_count);
}

static inline const struct range *image_prefaults(const struct image_header *header)
{
    return (const struct range *)((const char *)image_files(header) + header->files_size);
}

static inline uint64_t image_hash(const void *data, uint64_t size)
{
    const uint64_t *words = data;
    uint64_t hash = 0xcbf29ce484222325ULL;

    for (uint64_t i = 0; i < size / 8; i++)
        hash = (hash ^ words[i]) * 0x100000001b3ULL;
    return hash;
}

#endif
