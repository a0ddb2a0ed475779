/*
 * chain [-p] COMMAND [, COMMAND]...
 *
 * Runs commands one after the other and reaps whatever they leave behind, as a shim does: a container's init
 * becomes its child.  It is small, so that neither its time nor its memory shows in what is measured.
 *   -p        print the peak resident memory, in KiB, of all that it reaped
 *   wait      as a command: until no child is left, so until the container has ended
 *   -PROGRAM  as a command: whether it fails does not matter
 */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

extern char **environ;

static long peak;

/* Reaps until `child` has ended, or with 0 until there is no child; returns the wait status, -1 without one. */
static int reap(pid_t child)
{
    struct rusage usage;
    int status;

    for (;;) {
        pid_t pid = wait4(-1, &status, 0, &usage);

        if (pid < 0 && errno == EINTR)
            continue;
        if (pid < 0)
            return -1;
        if (usage.ru_maxrss > peak)
            peak = usage.ru_maxrss;
        if (pid == child)
            return status;
    }
}

static int run(char **command)
{
    int may_fail = command[0][0] == '-';
    pid_t pid;

    if (strcmp(command[0], "wait") == 0) {
        reap(0);
        return 0;
    }
    command[0] += may_fail;
    errno = posix_spawn(&pid, command[0], NULL, NULL, command, environ);
    if (errno) {
        perror(command[0]);
        return 1;
    }
    return reap(pid) != 0 && !may_fail;
}

int main(int argc, char **argv)
{
    int print = argc > 1 && strcmp(argv[1], "-p") == 0;
    char **command = argv + 1 + print;

    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    for (char **word = command;; word++) {
        int last = *word == NULL;

        if (!last && strcmp(*word, ",") != 0)
            continue;
        *word = NULL;
        if (command[0] && run(command))
            return 1;
        if (last)
            break;
        command = word + 1;
    }
    if (print)
        printf("%ld\n", peak);
    return 0;
}
