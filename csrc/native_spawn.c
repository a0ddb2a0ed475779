/* Start a program from a descriptor or a path: the one place that starts programs, as pyrunc-init, hooks and criu.
 *
 * The child shares the parent's memory and the parent sleeps until the exec
 * (as vfork does), so a big interpreter costs nothing to start from.  The
 * child has a stack of its own; where this file has no assembly for that, the
 * memory is copied instead.  The error of a failed exec comes back as ours.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "native.h"

#define STACK_SIZE 65536UL
#define CLOSE_RANGE_CLOEXEC_FLAG 4U

struct child {
    int program_fd;
    const char *program_path;
    char **argv;
    char **env;
    const int *fds; /* pairs: source, target */
    int *sources;   /* room for fd_count: where they are for the moment */
    int fd_count;
    const char *directory;
    int own_group;
    int status_fd; /* where memory is copied: the errno goes through this pipe */
    int error;
};

/* Every handler, and what the interpreter ignores, back to the default. */
static void reset_signals(void)
{
    struct sigaction action = { .sa_handler = SIG_DFL };
    sigset_t none;

    for (int number = 1; number < NSIG; number++)
        if (number != SIGKILL && number != SIGSTOP)
            sigaction(number, &action, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Put every source at its target; all else above stdio closes on exec. */
static int place_descriptors(struct child *child)
{
    int *sources = child->sources;
    int above = 3;

    for (int i = 0; i < child->fd_count; i++)
        if (child->fds[2 * i + 1] >= above)
            above = child->fds[2 * i + 1] + 1;
    if (syscall(SYS_close_range, 3U, ~0U, CLOSE_RANGE_CLOEXEC_FLAG) < 0)
        return -errno;
    if (child->program_fd >= 0 && child->program_fd < above) {
        child->program_fd = fcntl(child->program_fd, F_DUPFD_CLOEXEC, above);
        if (child->program_fd < 0)
            return -errno;
    }
    if (child->status_fd >= 0 && child->status_fd < above)
        child->status_fd = fcntl(child->status_fd, F_DUPFD_CLOEXEC, above);
    for (int i = 0; i < child->fd_count; i++) {
        sources[i] = child->fds[2 * i];
        if (sources[i] >= above)
            continue;
        sources[i] = fcntl(sources[i], F_DUPFD_CLOEXEC, above);
        if (sources[i] < 0)
            return -errno;
    }
    for (int i = 0; i < child->fd_count; i++)
        if (dup2(sources[i], child->fds[2 * i + 1]) < 0)
            return -errno;
    return 0;
}

static int run_child(struct child *child)
{
    int error;

    reset_signals();
    error = place_descriptors(child);
    if (error < 0)
        return error;
    if (child->own_group && setpgid(0, 0) < 0)
        return -errno;
    if (child->directory[0] && chdir(child->directory) < 0)
        return -errno;
    if (child->program_fd >= 0)
        syscall(SYS_execveat, child->program_fd, "", child->argv, child->env, AT_EMPTY_PATH);
    else
        execve(child->program_path, child->argv, child->env);
    return -errno;
}

__attribute__((noreturn, used)) static void child_main(struct child *child)
{
    child->error = run_child(child);
    if (child->status_fd >= 0 && write(child->status_fd, &child->error, sizeof(child->error)) < 0)
        _exit(126);
    _exit(127);
}

#if defined(__x86_64__)
#define OWN_STACK 1
static long clone_child(struct clone_args *args, struct child *child)
{
    long result;

    __asm__ volatile("syscall\n\t"
             "test %%rax, %%rax\n\t"
             "jnz 1f\n\t"
             "xor %%ebp, %%ebp\n\t"
             "mov %[child], %%rdi\n\t"
             "call *%[entry]\n\t"
             "ud2\n"
             "1:"
             : "=a"(result)
             : "0"((long)SYS_clone3), "D"(args), "S"(sizeof(*args)), [child] "r"(child), [entry] "r"(child_main)
             : "rcx", "r11", "memory", "cc");
    return result;
}
#elif defined(__aarch64__)
#define OWN_STACK 1
static long clone_child(struct clone_args *args, struct child *child)
{
    register long number __asm__("x8") = SYS_clone3;
    register long x0 __asm__("x0") = (long)args;
    register long x1 __asm__("x1") = (long)sizeof(*args);

    __asm__ volatile("svc #0\n\t"
             "cbnz x0, 1f\n\t"
             "mov x0, %[child]\n\t"
             "mov x9, %[entry]\n\t" /* before x29, which may be where it is */
             "mov x29, #0\n\t"
             "blr x9\n\t"
             "brk #1\n"
             "1:"
             : "+r"(x0)
             : "r"(number), "r"(x1), [child] "r"(child), [entry] "r"(child_main)
             : "x9", "memory", "cc");
    return x0;
}
#else
#define OWN_STACK 0
static long clone_child(struct clone_args *args, struct child *child)
{
    long result = syscall(SYS_clone3, args, sizeof(*args));

    if (result == 0)
        child_main(child);
    return result < 0 ? -errno : result;
}
#endif

/* `count` strings that each end in NUL, one after the other, as a vector. */
static char **split(const char *text, int count, char **vector)
{
    for (int i = 0; i < count; i++, text += strlen(text) + 1)
        vector[i] = (char *)text;
    vector[count] = NULL;
    return vector;
}

static int start(struct child *child, int cgroup_fd, int *pidfd)
{
    struct clone_args args = { .flags = CLONE_PIDFD, .exit_signal = SIGCHLD };
    int status[2] = { -1, -1 };
    void *stack = NULL;
    long pid;

    args.pidfd = (uint64_t)(uintptr_t)pidfd;
    if (cgroup_fd >= 0) {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = (uint64_t)cgroup_fd;
    }
    if (OWN_STACK) {
        stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
        if (stack == MAP_FAILED)
            return -errno;
        args.flags |= CLONE_VM | CLONE_VFORK;
        args.stack = (uint64_t)(uintptr_t)stack;
        args.stack_size = STACK_SIZE;
    } else if (pipe2(status, O_CLOEXEC) < 0) {
        return -errno;
    }
    child->status_fd = status[1];
    pid = clone_child(&args, child);
    if (OWN_STACK) {
        munmap(stack, STACK_SIZE);
    } else {
        close(status[1]);
        if (pid > 0 && read(status[0], &child->error, sizeof(child->error)) < 0)
            child->error = -errno;
        close(status[0]);
    }
    return (int)pid;
}

/* argv, env: strings that each end in NUL, one after the other. Returns the pid. */
int native_spawn(int program_fd, const char *program_path, const char *argv, int argc,
         const char *env, int envc, const int *fds, int fd_count, int cgroup_fd,
         const char *directory, int own_group, int *pidfd)
{
    struct child child = {
        .program_fd = program_fd,
        .program_path = program_path,
        .fds = fds,
        .fd_count = fd_count,
        .directory = directory,
        .own_group = own_group,
    };
    char **vectors = calloc((size_t)argc + (size_t)envc + 2, sizeof(char *));
    int *sources = calloc((size_t)fd_count + 1, sizeof(int));
    sigset_t all, before;
    int pid;

    if (!vectors || !sources) {
        free(vectors);
        free(sources);
        return -ENOMEM;
    }
    child.sources = sources;
    child.argv = split(argv, argc, vectors);
    child.env = split(env, envc, vectors + argc + 1);
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid = start(&child, cgroup_fd, pidfd);
    sigprocmask(SIG_SETMASK, &before, NULL);
    free(vectors);
    free(sources);
    if (pid < 0 || child.error == 0)
        return pid;
    close(*pidfd);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return child.error;
}
