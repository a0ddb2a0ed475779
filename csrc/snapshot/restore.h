/* From an image to a running interpreter.  No libc, no allocation, no writes before the checks are through. */
#ifndef PYRUNC_SNAPSHOT_RESTORE_H
#define PYRUNC_SNAPSHOT_RESTORE_H

#include "image.h"
#include "machine.h"

/* Why an image is not used: `reason` in plain words, `detail` names the file or variable; both NULL where it is. */
struct refusal {
    const char *reason;
    const char *detail;
};

/* An image that was opened and checked. */
struct image {
    const struct image_header *header;
    long fd;
};

/* The process as the kernel started it. */
struct process {
    long argc;
    char **argv;
    char **envp;
    const struct auxiliary *vector;
};

void read_process(struct process *process, long *stack);
struct refusal check_process(const struct process *process);
struct refusal check_image(struct image *image, const char *path, const struct process *process);
struct refusal restore_image(const struct image *image, const struct process *process, uint64_t training);

/* Make fatal signals that the process causes itself leave a marker beside the image. */
void watch_crashes(const char *path);
struct refusal check_marker(const char *path);

int text_starts(const char *text, const char *start);
int text_equal(const char *left, const char *right);
uint64_t text_length(const char *text);

#endif
