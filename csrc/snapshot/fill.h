/* Preparing the allocators for the dump. */
#ifndef PYRUNC_SNAPSHOT_FILL_H
#define PYRUNC_SNAPSHOT_FILL_H

void fill_holes(void);

#endif
