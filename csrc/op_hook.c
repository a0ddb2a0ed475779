/* Running one hook inside the container's namespaces.
 *
 * The child is a plain clone(2): hooks of `start` run behind the seccomp filter,
 * and profiles commonly refuse clone3.  It is waited for through its pidfd, so
 * there is one poll for its end, its appetite for the state, and the timeout.
 */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "init.h"
#include "syscalls.h"

enum { STATUS_FD = 3, PIECES = 3 };

#define MARK "@PID@"

/* Text that is left to write. */
struct piece {
    const char *text;
    size_t left;
};

struct hook {
    pid_t pid;
    int pidfd;
    int input; /* writing end of its stdin, -1 once all is written */
    struct piece pieces[PIECES];
    unsigned piece; /* the one that is being written */
    char digits[12];
    int64_t deadline; /* ms of CLOCK_MONOTONIC; 0 = none */
};

static int64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

/* The state in three pieces, the second our pid in the place of the first @PID@:
 * what comes after that may be the user's text. */
static void cut_state(struct hook *hook, const char *text)
{
    const char *mark = strstr(text, MARK);
    char *digit = hook->digits + sizeof hook->digits;
    pid_t pid = getpid();

    hook->pieces[0] = (struct piece){text, mark ? (size_t)(mark - text) : strlen(text)};
    if (!mark)
        return;
    do
        *--digit = (char)('0' + pid % 10);
    while ((pid /= 10) > 0);
    hook->pieces[1] = (struct piece){digit, (size_t)(hook->digits + sizeof hook->digits - digit)};
    hook->pieces[2] = (struct piece){mark + sizeof MARK - 1, strlen(mark + sizeof MARK - 1)};
}

/* The child: stdin is the state, stdout and stderr are the container's, nothing else is open. */
static int run_child(int input, int status, const char *path, char **args, char **env)
{
    char *alone[] = {(char *)path, NULL};
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigset_t none;

    sigemptyset(&none);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0UL, 0UL, 0UL); /* the filter may refuse these two */
    setpgid(0, 0);
    if (sigaction(SIGPIPE, &action, NULL) < 0 || sigprocmask(SIG_SETMASK, &none, NULL) < 0)
        return -errno;
    if (status != STATUS_FD && input == STATUS_FD)
        input = dup(input);
    if (input < 0 || dup2(input, 0) < 0 || (status != STATUS_FD && dup2(status, STATUS_FD) < 0))
        return -errno;
    if (fcntl(STATUS_FD, F_SETFD, FD_CLOEXEC) < 0)
        return -errno;
    sys_call(SYS_close_range, STATUS_FD + 1U, ~0U, 0);
    execve(path, *args ? args : alone, env);
    return -errno;
}

/* clone(2), and wait until the child has executed its program: 0 or why it could not. */
static int start(struct hook *hook, int input, const char *path, char **args, char **env)
{
    int status[2], error = 0;
    ssize_t got;

    if (pipe2(status, O_CLOEXEC) < 0)
        return -errno;
    hook->pid = sys_call(SYS_clone, (unsigned long)(CLONE_PIDFD | SIGCHLD), 0UL, &hook->pidfd, 0UL, 0UL);
    if (hook->pid == 0) {
        error = run_child(input, status[1], path, args, env);
        _exit(write(STATUS_FD, &error, sizeof error) < 0 ? 126 : 127);
    }
    close(status[1]);
    if (hook->pid > 0) {
        do
            got = read(status[0], &error, sizeof error);
        while (got < 0 && errno == EINTR);
    }
    close(status[0]);
    return hook->pid < 0 ? hook->pid : error;
}

/* Gives the hook more of the state; a hook that does not want it (EPIPE) is fine. */
static void feed(struct hook *hook)
{
    struct piece *piece = &hook->pieces[hook->piece];
    ssize_t written = write(hook->input, piece->text, piece->left);

    if (written < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (written > 0) {
        piece->text += written;
        piece->left -= (size_t)written;
    }
    while (hook->piece < PIECES && hook->pieces[hook->piece].left == 0)
        hook->piece++;
    if (written < 0 || hook->piece == PIECES) {
        close(hook->input);
        hook->input = -1;
    }
}

/* Until the hook has ended: 0, or -ETIMEDOUT at the deadline. */
static int attend(struct hook *hook)
{
    for (;;) {
        struct pollfd items[2] = {{.fd = hook->pidfd, .events = POLLIN}, {.fd = hook->input, .events = POLLOUT}};
        int64_t left = hook->deadline ? hook->deadline - now() : -1;

        if (hook->deadline && left <= 0)
            return -ETIMEDOUT;
        if (poll(items, 2, left > 1 << 30 ? 1 << 30 : (int)left) < 0 && errno != EINTR)
            return -errno;
        if (items[0].revents)
            return 0;
        if (items[1].revents)
            feed(hook);
    }
}

/* Kills the hook and its process group where it is not to end by itself, and reaps it. */
static int finish(struct context *context, struct hook *hook, int error)
{
    int status = 0;

    if (hook->input >= 0)
        close(hook->input);
    if (error < 0) {
        kill(-hook->pid, SIGKILL);
        kill(hook->pid, SIGKILL);
    }
    while (waitpid(hook->pid, &status, 0) < 0 && errno == EINTR)
        ;
    close(hook->pidfd);
    if (error < 0 || status == 0)
        return error;
    detail_set(context, WIFSIGNALED(status) ? "killed by signal " : "exit status ");
    detail_add_number(context, WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    return -ECANCELED;
}

static int run(struct context *context, struct hook *hook, const struct op *op)
{
    int input[2], error;

    if (pipe2(input, O_CLOEXEC) < 0)
        return -errno;
    hook->input = input[1];
    error = fcntl(hook->input, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
    if (error == 0)
        error = start(hook, input[0], arg_str(op, 0), arg_list(op, 1), arg_list(op, 2));
    close(input[0]);
    if (hook->pid <= 0) {
        close(hook->input);
        return error;
    }
    if (error < 0)
        detail_set(context, "it cannot be started");
    return finish(context, hook, error < 0 ? error : attend(hook));
}

int op_run_hook(struct context *context, const struct op *op)
{
    int64_t timeout = arg_int(op, 3);
    struct hook hook = {.pidfd = -1, .input = -1};
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    int error;

    cut_state(&hook, arg_str(op, 4));
    hook.deadline = timeout > 0 ? now() + timeout : 0;
    sigaction(SIGPIPE, &ignore, &before);
    error = run(context, &hook, op);
    sigaction(SIGPIPE, &before, NULL);
    return error;
}
