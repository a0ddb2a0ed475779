/* Operations on the process itself and on its namespaces. */
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "init.h"
#include "path.h"
#include "reply.h"
#include "syscalls.h"

enum { SIGNAL_COUNT = 64, KEYCTL_JOIN_SESSION = 1, KEYCTL_SET_PERMISSIONS = 5 };

/* of a session keyring: all to its possessor; its user views, reads, links, and searches, so that exec can join it */
enum { KEYRING_PERMISSIONS = 0x3f1b0000 };

int op_set_dumpable(struct context *context, const struct op *op)
{
    (void)context;
    return result(prctl(PR_SET_DUMPABLE, arg_int(op, 0), 0, 0, 0));
}

/* A parent that died before the prctl sends no signal any more.  getppid() cannot
 * tell, it is 0 in a new pid namespace; the parent is the runtime, and it holds
 * the other end of the socket for as long as it lives. */
int op_set_parent_death_signal(struct context *context, const struct op *op)
{
    int error = result(prctl(PR_SET_PDEATHSIG, arg_int(op, 0), 0, 0, 0));

    if (!error && arg_int(op, 0) && !reply_peer_alive(context))
        error = -ESRCH;
    return error;
}

/* clone3(2) whose parent ends at once, without touching memory; gives 0 in the child or -errno.
 * -EINVAL where this is not to be had. */
static long clone_and_leave(const struct sys_clone_args *args)
{
#if defined(__x86_64__)
    long value;

    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jle 1f\n\t"
                     "mov %[exit_group], %%eax\n\t"
                     "xor %%edi, %%edi\n\t"
                     "syscall\n"
                     "1:"
                     : "=a"(value)
                     : "a"(SYS_clone3), "D"(args), "S"(sizeof *args), [exit_group] "i"(SYS_exit_group)
                     : "rcx", "r11", "memory");
    return value;
#else
    (void)args;
    return -EINVAL;
#endif
}

/* The child with a memory of its own: for a new time namespace, which demands that.
 * The pipe keeps it from sending anything before this process has sent message PID. */
static int clone_and_copy(struct context *context, struct sys_clone_args args)
{
    int pipe_ends[2];
    int pid;
    char byte;

    if (pipe2(pipe_ends, O_CLOEXEC) < 0)
        return -errno;
    pid = sys_call(SYS_clone3, &args, sizeof args);
    if (pid < 0)
        return pid;
    if (pid > 0) {
        reply_pid(context, pid);
        _exit(0);
    }
    close(pipe_ends[1]);
    while (read(pipe_ends[0], &byte, 1) < 0 && errno == EINTR)
        ;
    close(pipe_ends[0]);
    return 0;
}

/* CLONE_PARENT makes the child the runtime's child.  With CLONE_VM it takes over this
 * process's memory and stack: no page and no page table is copied, which the container
 * would be charged for.  The kernel stores the pid, as this process sees it, before the
 * child runs. */
static int clone_init(struct context *context, struct sys_clone_args args)
{
    volatile int pid = 0;
    struct sys_clone_args sharing = args;
    long error;

    sharing.flags |= CLONE_VM | CLONE_PARENT_SETTID;
    sharing.parent_tid = (uintptr_t)&pid;
    error = clone_and_leave(&sharing);
    if (error == -EINVAL)
        return clone_and_copy(context, args);
    if (!error)
        reply_pid(context, pid);
    return (int)error;
}

int op_clone_init(struct context *context, const struct op *op)
{
    return clone_init(context, (struct sys_clone_args){.flags = (uint64_t)arg_int(op, 0) | CLONE_PARENT});
}

int op_clone_init_into(struct context *context, const struct op *op)
{
    int cgroup = slot_get(context, op, 1);
    uint64_t flags = (uint64_t)arg_int(op, 0) | CLONE_PARENT | SYS_CLONE_INTO_CGROUP;

    if (cgroup < 0)
        return cgroup;
    return clone_init(context, (struct sys_clone_args){.flags = flags, .cgroup = (uint64_t)cgroup});
}

int op_enter_cgroup(struct context *context, const struct op *op)
{
    int tasks = slot_get(context, op, 0);
    int written = tasks < 0 ? 0 : result((int)write(tasks, "0", 1));

    return written < 0 ? written : 0;
}

int op_setsid(struct context *context, const struct op *op)
{
    int session = result(setsid());

    (void)context, (void)op;
    return session < 0 ? session : 0;
}

int op_set_umask(struct context *context, const struct op *op)
{
    (void)context;
    umask((mode_t)arg_int(op, 0));
    return 0;
}

/* Raw system calls: libc keeps some signals for itself and refuses to touch them. */
int op_reset_signals(struct context *context, const struct op *op)
{
    static const uint64_t nothing[4]; /* the kernel's struct sigaction: handler SIG_DFL, all else 0 */
    int error = 0;

    (void)context, (void)op;
    for (int number = 1; number <= SIGNAL_COUNT && !error; number++)
        if (number != SIGKILL && number != SIGSTOP)
            error = sys_call(SYS_rt_sigaction, number, nothing, NULL, sizeof nothing[0]);
    if (!error)
        error = sys_call(SYS_rt_sigprocmask, SIG_SETMASK, nothing, NULL, sizeof nothing[0]);
    return error;
}

int op_reset_affinity(struct context *context, const struct op *op)
{
    unsigned char mask[1024]; /* 8192 CPUs, the most that a kernel is built for */
    int error;

    (void)op;
    memset(mask, 0xff, sizeof mask);
    error = sys_call(SYS_sched_setaffinity, 0, sizeof mask, mask);
    if (error < 0)
        reply_warning(context, error, "the CPU affinity cannot be reset");
    return 0;
}

int op_new_session_keyring(struct context *context, const struct op *op)
{
    int keyring = sys_call(SYS_keyctl, KEYCTL_JOIN_SESSION, arg_str(op, 0), 0, 0, 0);

    (void)context;
    if (keyring > 0)
        sys_call(SYS_keyctl, KEYCTL_SET_PERMISSIONS, keyring, KEYRING_PERMISSIONS, 0, 0);
    return keyring < 0 && keyring != -ENOSYS ? keyring : 0;
}

int op_open_namespace(struct context *context, const struct op *op)
{
    int fd = result(open(arg_str(op, 1), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));

    if (fd < 0)
        return fd;
    if (ioctl(fd, SYS_NS_GET_NSTYPE) == arg_int(op, 2))
        return slot_put(context, op, 0, fd);
    close(fd);
    detail_set(context, "it is not a namespace of the type wanted");
    return -EINVAL;
}

int op_setns(struct context *context, const struct op *op)
{
    int fd = slot_get(context, op, 0);

    return fd < 0 ? fd : result(setns(fd, (int)arg_int(op, 1)));
}

int op_unshare(struct context *context, const struct op *op)
{
    (void)context;
    return result(unshare((int)arg_int(op, 0)));
}

/* Raw system calls, as libc would act on all threads. */
int op_become_root_with_groups(struct context *context, const struct op *op)
{
    int error = sys_call(SYS_setresgid, 0, 0, 0);

    (void)context, (void)op;
    return error ? error : sys_call(SYS_setresuid, 0, 0, 0);
}

/* Groups cannot be dropped where the user namespace denies setgroups; then they
 * stay what they were. */
int op_become_root(struct context *context, const struct op *op)
{
    int error = sys_call(SYS_setgroups, 0, NULL);

    return error && error != -EPERM ? error : op_become_root_with_groups(context, op);
}

/* The file belongs to the owner of a dumpable process, else to the real root, whom a
 * user namespace may not know: the process is dumpable for the length of this write. */
int op_write_timens_offsets(struct context *context, const struct op *op)
{
    int proc = result(open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
    int dumpable = result(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
    int error;

    (void)context;
    if (proc < 0)
        return proc;
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    error = proc_write(proc, "self/timens_offsets", arg_str(op, 0), arg_length(op, 0));
    if (dumpable != 1)
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    close(proc);
    return error;
}

int op_set_hostname(struct context *context, const struct op *op)
{
    (void)context;
    return sys_call(SYS_sethostname, arg_str(op, 0), arg_length(op, 0));
}

int op_set_domainname(struct context *context, const struct op *op)
{
    (void)context;
    return sys_call(SYS_setdomainname, arg_str(op, 0), arg_length(op, 0));
}

int op_set_loopback_up(struct context *context, const struct op *op)
{
    struct ifreq request = {.ifr_name = "lo"};
    int fd = result(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    int error;

    (void)context, (void)op;
    if (fd < 0)
        return fd;
    error = result(ioctl(fd, SIOCGIFFLAGS, &request));
    if (!error) {
        request.ifr_flags |= IFF_UP;
        error = result(ioctl(fd, SIOCSIFFLAGS, &request));
    }
    close(fd);
    return error;
}
