/* What `pyrunc snapshot` needs done outside of an interpreter.  Not on anybody's path.
 *
 *   tool check IMAGE              may it be used?  prints why not
 *   tool run|train IMAGE WORD...  restore it with this command line, whatever command it is
 *   tool boot PROGRAM WORD...     execute PROGRAM with its libraries placed bottom-up; it ends with its parent
 *   tool true                     does nothing, well
 *   tool wait                     does nothing until a signal ends it
 */

#include <linux/prctl.h>

#include "restore.h"

#define KILL 9
#define LEGACY_LAYOUT 0x0200000 /* ADDR_COMPAT_LAYOUT */

ARCH_START;

static void say(const char *text)
{
    CALL3(write, 1, text, text_length(text));
}

static int report(struct refusal refusal)
{
    if (!refusal.reason)
        return 0;
    say(refusal.reason);
    if (refusal.detail) {
        say(": ");
        say(refusal.detail);
    }
    say("\n");
    return 1;
}

static int use_image(struct process *process, int restore, uint64_t training)
{
    struct image image = { 0, -1 };
    const char *path = process->argv[2];
    struct refusal refusal = check_process(process);

    if (!refusal.reason)
        refusal = check_image(&image, path, process);
    if (refusal.reason || !restore)
        return report(refusal);
    process->argc -= 2;
    process->argv += 2;
    watch_crashes(path);
    return report(restore_image(&image, process, training));
}

static int boot(const struct process *process)
{
    long before = CALL1(personality, 0xffffffffUL);

    CALL2(prctl, PR_SET_PDEATHSIG, KILL);
    CALL1(personality, before | LEGACY_LAYOUT);
    CALL3(execve, process->argv[2], process->argv + 2, process->envp);
    say("cannot execute the interpreter\n");
    return 1;
}

static int carry_out(struct process *process)
{
    const char *mode = process->argc > 1 ? process->argv[1] : "";

    if (text_equal(mode, "true"))
        return 0;
    while (text_equal(mode, "wait"))
        CALL5(ppoll, 0, 0, 0, 0, 8);
    if (process->argc > 2 && text_equal(mode, "check"))
        return use_image(process, 0, 0);
    if (process->argc > 2 && (text_equal(mode, "run") || text_equal(mode, "train")))
        return use_image(process, 1, text_equal(mode, "train"));
    if (process->argc > 2 && text_equal(mode, "boot"))
        return boot(process);
    say("usage: see csrc/snapshot/tool.c\n");
    return 2;
}

__attribute__((noreturn, used)) void launch(long *stack)
{
    struct process process;
    int status;

    read_process(&process, stack);
    status = carry_out(&process);
    for (;;)
        CALL1(exit_group, status);
}
