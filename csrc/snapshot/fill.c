/* Uses up the free blocks between those in use, so that a restored process allocates from fresh pages, side by
 * side, and does not copy one page for each small hole it fills.  What is allocated here is never freed. */
#define Py_LIMITED_API 0x030B0000
#include <Python.h>

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

#include "fill.h"

#define SMALLEST 16
#define LARGEST 512 /* of CPython's own allocator */
#define POOL_HEADER 48
#define POOL_MASK 0x3fffUL
#define IN_A_ROW 4
#define BLOCK_LIMIT 200000
#define CHUNK_LIMIT 20000
#define CHUNK_LARGEST 65536

/* A new pool gives its blocks in order, the first one after its header. */
static void fill_class(size_t size)
{
    uintptr_t expected = 0;
    int in_order = 0;

    for (int count = 0; count < BLOCK_LIMIT && in_order < IN_A_ROW; count++) {
        uintptr_t block = (uintptr_t)PyObject_Malloc(size);

        if ((block & POOL_MASK) == POOL_HEADER)
            in_order = 1;
        else
            in_order = in_order > 0 && block == expected ? in_order + 1 : 0;
        expected = block + size;
    }
}

/* From large to small: what is left of a split chunk is used up by the smaller sizes. */
static void fill_heap(void)
{
    char *top = malloc(4 * CHUNK_LARGEST);

    if (!top)
        return;
    for (size_t size = CHUNK_LARGEST; size >= 24; size -= size > 1024 ? 1024 : 16)
        for (int count = 0; count < CHUNK_LIMIT; count++) {
            char *chunk = malloc(size);

            if (!chunk || (chunk > top && chunk < top + (1UL << 30)))
                break;
        }
}

void fill_holes(void)
{
    fill_heap();
    for (size_t size = SMALLEST; size <= LARGEST; size += SMALLEST)
        fill_class(size);
}
