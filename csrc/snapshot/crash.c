/* A restored interpreter that crashes leaves a marker, and nobody uses the image again until it is rebuilt. */
#include <linux/fcntl.h>

#include "restore.h"

#define MASK_SIZE 8
#define MARKER_LIMIT 4096
#define SIGNAL_INFO 0x00000004UL
#define ON_STACK 0x08000000UL
#define RESTORER 0x04000000UL
#define NO_DEFER 0x40000000UL
#define RESET_HANDLER 0x80000000UL
#define ABORT 6
#define FROM_THREAD (-6) /* si_code of raise(3) */

static char marker[MARKER_LIMIT];
static char stack[16384] __attribute__((aligned(16)));

struct alternate_stack {
    void *base;
    int flags;
    uint64_t size;
};

struct signal_info {
    int number;
    int error;
    int code;
    int padding;
    int pid;
};

__attribute__((visibility("hidden"))) void arch_restorer(void);
ARCH_RESTORER;

static void name_marker(const char *path)
{
    uint64_t length = text_length(path);

    copy_text(marker, path, MARKER_LIMIT);
    copy_text(marker + length, ".crashed", MARKER_LIMIT - length);
}

struct refusal check_marker(const char *path)
{
    struct refusal refusal = { 0, 0 };

    name_marker(path);
    if (CALL3(faccessat, AT_FDCWD, marker, 0) != -2) {
        refusal.reason = "a process that used the image crashed";
        refusal.detail = marker;
    }
    return refusal;
}

/* The marker holds the signal's number; then the signal takes its usual course.  Signals that others sent are
 * no crash. */
static void on_crash(int number, struct signal_info *info, void *unused)
{
    char text[3] = { (char)('0' + number / 10), (char)('0' + number % 10), '\n' };
    long pid = CALL0(getpid);

    (void)unused;
    if (info->code > 0 || (number == ABORT && info->code == FROM_THREAD && info->pid == pid)) {
        long fd = CALL4(openat, AT_FDCWD, marker, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd >= 0) {
            CALL3(write, fd, text, sizeof(text));
            CALL1(close, fd);
        }
    }
    CALL3(tgkill, pid, CALL0(gettid), number); /* delivered on return, by now to the default */
}

void watch_crashes(const char *path)
{
    static const int fatal[] = { 4, ABORT, 7, 8, 11 }; /* ILL ABRT BUS FPE SEGV */
    struct alternate_stack alternate = { stack, 0, sizeof(stack) };
    struct kernel_action action = { (uint64_t)on_crash, SIGNAL_INFO | ON_STACK | NO_DEFER | RESET_HANDLER, 0, 0 };
    struct kernel_action before;

    name_marker(path);
    if (ARCH_SIGNAL_RESTORER) {
        action.flags |= RESTORER;
        action.restorer = (uint64_t)arch_restorer;
    }
    CALL2(sigaltstack, &alternate, 0);
    for (unsigned int i = 0; i < sizeof(fatal) / sizeof(*fatal); i++)
        if (CALL4(rt_sigaction, fatal[i], 0, &before, MASK_SIZE) == 0 && before.handler == 0)
            CALL4(rt_sigaction, fatal[i], &action, 0, MASK_SIZE);
}
