/*
 * forget [-r] LIST
 *
 * Drops the page cache of the files that LIST names, one per line: their next use reads from disk.  Pages that
 * a running process has mapped stay.  -r prints instead how many KiB of them are in memory.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096
#define MOST_PAGES (1 << 18)

static unsigned long resident_pages(int fd)
{
    static unsigned char present[MOST_PAGES];
    struct stat status;
    unsigned long pages, found = 0;
    void *map;

    if (fstat(fd, &status) != 0 || status.st_size == 0)
        return 0;
    pages = (status.st_size + PAGE - 1) / PAGE;
    if (pages > MOST_PAGES)
        pages = MOST_PAGES;
    map = mmap(NULL, pages * PAGE, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return 0;
    if (mincore(map, pages * PAGE, present) == 0)
        for (unsigned long page = 0; page < pages; page++)
            found += present[page] & 1;
    munmap(map, pages * PAGE);
    return found;
}

int main(int argc, char **argv)
{
    int count = argc > 2 && strcmp(argv[1], "-r") == 0;
    FILE *list = argc > 1 + count ? fopen(argv[1 + count], "r") : NULL;
    unsigned long pages = 0;
    char path[4096];

    if (!list)
        return 1;
    while (fgets(path, sizeof(path), list)) {
        int fd;

        path[strcspn(path, "\n")] = '\0';
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
            continue;
        if (count)
            pages += resident_pages(fd);
        else
            posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        close(fd);
    }
    if (count)
        printf("%lu\n", pages * (PAGE / 1024));
    return 0;
}
