/* Reads /proc/self/maps into a table, without libc's allocator. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dump.h"

static enum map_kind kind_of(const char *name)
{
    if (strncmp(name, "[vdso]", 6) == 0)
        return MAP_VDSO;
    if (strncmp(name, "[vvar", 5) == 0)
        return MAP_VVAR;
    if (strncmp(name, "[vsyscall]", 10) == 0 || strncmp(name, "[uprobes]", 9) == 0)
        return MAP_LEFT_OUT;
    if (strncmp(name, "[stack]", 7) == 0)
        return MAP_STACK_OF_KERNEL;
    return MAP_KEEP;
}

/* "start-end rwxp offset major:minor inode   name" */
static int parse_line(char *line, struct map *map)
{
    char *at = line;

    map->address = strtoul(at, &at, 16);
    if (*at != '-')
        return -EINVAL;
    map->end = strtoul(at + 1, &at, 16);
    if (*at != ' ')
        return -EINVAL;
    map->protection = (at[1] == 'r' ? PROT_READ : 0U) | (at[2] == 'w' ? PROT_WRITE : 0U)
        | (at[3] == 'x' ? PROT_EXEC : 0U);
    map->shared_writable = at[4] == 's' && at[2] == 'w';
    at += 5;
    for (int field = 0; field < 3; field++) {
        at += strspn(at, " ");
        at += strcspn(at, " ");
    }
    at += strspn(at, " ");
    map->kind = kind_of(at);
    return 0;
}

static int read_text(char *text, size_t room)
{
    int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
    size_t size = 0;
    ssize_t got = 0;

    if (fd < 0)
        return -errno;
    while (size + 1 < room && (got = read(fd, text + size, room - size - 1)) > 0)
        size += (size_t)got;
    close(fd);
    if (got < 0 || size + 1 >= room)
        return -E2BIG;
    text[size] = 0;
    return 0;
}

int read_maps(struct work *work)
{
    char *line = work->text, *end;
    int error = read_text(work->text, sizeof(work->text));

    for (; error == 0 && *line; line = end + 1) {
        struct map *map = &work->maps[work->map_count];

        end = strchr(line, '\n');
        if (!end || work->map_count == MAP_LIMIT)
            return -E2BIG;
        *end = 0;
        error = parse_line(line, map);
        if (map->address <= (uint64_t)(uintptr_t)work && (uint64_t)(uintptr_t)work < map->end)
            map->kind = MAP_LEFT_OUT; /* may have been joined with nothing else: it has guards */
        work->map_count++;
    }
    return error;
}
