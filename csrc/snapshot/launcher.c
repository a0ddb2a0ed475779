/* The program `pyrunc`: the image where it may be used, else the script that starts Python normally.
 *
 * Static, without libc.  The two paths are written into the finished program
 * by pyrunc/snapshot/launcher.py; nothing in the environment or on the
 * command line changes them.
 */

#include "restore.h"

#define PATH_ROOM 2048

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

static void try_image(const char *path, const struct process *process)
{
    struct image image = { 0, -1 };

    if (!path[0] || check_process(process).reason || check_image(&image, path, process).reason) {
        if (image.fd >= 0)
            CALL1(close, image.fd);
        return;
    }
    watch_crashes(path);
    restore_image(&image, process, 0);
    if (image.fd >= 0)
        CALL1(close, image.fd);
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
