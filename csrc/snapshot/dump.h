/* Writing the image of the process this runs in. */
#ifndef PYRUNC_SNAPSHOT_DUMP_H
#define PYRUNC_SNAPSHOT_DUMP_H

#include <stddef.h>

#include "image.h"
#include "machine.h"

#define MAP_LIMIT 1024
#define SEGMENT_LIMIT 4096
#define CANARY_LIMIT 256

enum map_kind { MAP_KEEP, MAP_STACK_OF_KERNEL, MAP_VDSO, MAP_VVAR, MAP_LEFT_OUT };

/* One line of /proc/self/maps. */
struct map {
    uint64_t address;
    uint64_t end;
    uint64_t protection;
    enum map_kind kind;
    int shared_writable; /* cannot be saved */
};

/* Work space, in a mapping of its own that is not saved. */
struct work {
    struct map maps[MAP_LIMIT];
    uint64_t map_count;
    struct image_header header;
    struct segment segments[SEGMENT_LIMIT];
    uint64_t canaries[CANARY_LIMIT];
    char text[262144];
};

int read_maps(struct work *work);

/* What a dump is asked to do. */
struct request {
    int fd;
    const char *files; /* struct file_key, one after the other */
    uint64_t files_size;
    uint64_t file_count;
    uint64_t stack_low; /* what of the kernel's stack is in use */
    uint64_t own_high; /* the end of the stack it runs on */
};

long take_dump(struct request *request);

#endif
