/* The C functions that pyrunc/native.py wraps.
 *
 * Read twice: by the C compiler and, as is, by cffi.  Plain prototypes only.
 * Every function returns a value >= 0 or -errno.
 */

int native_init_memfd(void);
int native_sealed_memfd(const char *data, size_t size, const char *name);

int native_spawn(int program_fd, const char *program_path, const char *argv, int argc,
         const char *env, int envc, const int *fds, int fd_count, int cgroup_fd,
         const char *directory, int own_group, int *pidfd);

int native_open_beneath(int dir_fd, const char *path, int flags, int mode);
int native_write_beneath(int dir_fd, const char *path, const char *data, size_t size);

int native_prlimit(int pid, int resource, uint64_t soft, uint64_t hard);
int native_setns(int fd, int flags);
int native_prctl(int option, unsigned long argument);
int native_bind_mount(const char *source, const char *target, int readonly);
int native_detach_mount(const char *path);
int native_make_user_namespace(const char *uid_map, size_t uid_size, const char *gid_map, size_t gid_size);

int native_bpf_load_device_program(const char *instructions, size_t size, char *log, size_t log_size);
int native_bpf_attach_device(int cgroup_fd, int program_fd, int replace_fd);
int native_bpf_detach_device(int cgroup_fd, int program_fd);
int native_bpf_device_programs(int cgroup_fd, int *fds, int capacity);
