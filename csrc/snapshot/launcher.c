/* The program `pyrunc`: the image where it may be used, else the script that starts Python normally.
 *
 * Static, without libc.  The two paths are written into the finished program
 * by pyrunc/snapshot/launcher.py; nothing in the environment or on the
 * command line changes them.
 */

#include <asm/statfs.h>
#include <linux/magic.h>
#include <linux/prctl.h>

#include "restore.h"

#define PATH_ROOM 2048
#define ITSELF "/proc/self/exe"

__attribute__((section(".config"), used, aligned(16))) static volatile struct {
    char mark[32];
    char script[PATH_ROOM];
    char image[PATH_ROOM];
} config = { "pyrunc launcher configuration:", "", "" };

ARCH_START;

static void say(const char *text)
{
    CALL3(write, 2, text, text_length(text));
}

/* Elsewhere that name is any file that somebody put there. */
static int has_proc(void)
{
    struct statfs status;

    return CALL2(statfs, "/proc", &status) == 0 && status.f_type == PROC_SUPER_MAGIC;
}

/* Of a hundred thousand processes one has its stack where the image has to be: the next one has not.  Tried once, which the
 * name under which the kernel started the program shows; where /proc is not to be had, the start is normal. */
static void try_again(const struct process *process)
{
    const char *name = (const char *)auxiliary_value(process->vector, AT_EXECFN);

    if (name && !text_equal(name, ITSELF) && has_proc())
        CALL3(execve, ITSELF, process->argv, process->envp);
}

static void try_image(const char *path, const struct process *process)
{
    struct image image = { 0, -1 };

    if (!path[0] || check_process(process).reason || check_image(&image, path, process).reason) {
        if (image.fd >= 0)
            CALL1(close, image.fd);
        return;
    }
    watch_crashes(path);
    CALL2(prctl, PR_SET_NAME, "pyrunc"); /* not "exe" */
    restore_image(&image, process, 0);
    if (image.fd >= 0)
        CALL1(close, image.fd);
    try_again(process);
}

__attribute__((noreturn, used)) void launch(long *stack)
{
    const char *script = (const char *)config.script;
    struct process process;

    read_process(&process, stack);
    try_image((const char *)config.image, &process);
    CALL3(execve, script, process.argv, process.envp);
    say("pyrunc: cannot execute ");
    say(script);
    say("\n");
    for (;;)
        CALL1(exit_group, 1);
}
