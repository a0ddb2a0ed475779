/* The C functions that pyrunc/execute/seccomp.py calls.
 *
 * Read twice: by the C compiler and, as is, by cffi.  Plain prototypes only.
 */

int filter_compile(const char *rules, size_t size, char *program, size_t capacity, uint32_t *unknown,
                   uint32_t *report);
int filter_library_version(void);

/* Used inside the module only. */
int filter_refuse_unknown(const uint32_t *architectures, uint32_t count, char *program, size_t size, size_t capacity);
