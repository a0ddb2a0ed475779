/* The program of a container under test: prints one JSON object that says
 * everything visible from inside.
 *
 *   probe [ACTION...]      each action adds its result to "actions"
 *
 * Actions are in actions.h (reading, writing, opening, making nodes, waiting…).
 * Linked statically, no privileges needed, nothing is changed unless an action
 * says so.  Comparing and judging is the tests' work, not done here.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "json.h"
#include "actions.h"

extern char **environ;

static void report_ids(void)
{
    uid_t r, e, s;
    gid_t groups[256];

    json_number("pid", getpid());
    json_number("ppid", getppid());
    json_number("sid", getsid(0));
    json_number("pgid", getpgid(0));
    getresuid(&r, &e, &s);
    json_open("uid", '[');
    json_number(NULL, r), json_number(NULL, e), json_number(NULL, s);
    json_close(']');
    getresgid(&r, &e, &s);
    json_open("gid", '[');
    json_number(NULL, r), json_number(NULL, e), json_number(NULL, s);
    json_close(']');
    int n = getgroups(256, groups);
    json_open("groups", '[');
    for (int i = 0; i < n; i++)
        json_number(NULL, groups[i]);
    json_close(']');
    mode_t mask = umask(0);
    umask(mask);
    json_number("umask", mask);
}

static void report_scheduling(void)
{
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } attributes = {0};

    syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0);
    json_open("scheduling", '{');
    json_number("policy", attributes.policy), json_number("flags", attributes.flags);
    json_number("nice", attributes.nice), json_number("priority", attributes.priority);
    json_number("runtime", attributes.policy == 6 /* SCHED_DEADLINE */ ? attributes.runtime : 0); /* else a slice */
    json_number("deadline", attributes.deadline), json_number("period", attributes.period);
    json_close('}');
}

static void report_attributes(void)
{
    int signal = 0;

    json_number("no_new_privs", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    json_number("dumpable", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
    json_number("securebits", prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
    json_number("subreaper", (prctl(PR_GET_CHILD_SUBREAPER, &signal, 0, 0, 0), signal));
    signal = 0;
    prctl(PR_GET_PDEATHSIG, &signal, 0, 0, 0);
    json_number("pdeathsig", signal);
    json_number("personality", personality(0xffffffff));
    json_number("nice", getpriority(PRIO_PROCESS, 0));
    json_number("scheduler", syscall(SYS_sched_getscheduler, 0));
    report_scheduling();
    json_number("io_priority", syscall(SYS_ioprio_get, 1, 0));
    int mode = -1;
    unsigned long nodes[16] = {0};
    json_number("memory_policy", syscall(SYS_get_mempolicy, &mode, nodes, 1024, 0, 0) < 0 ? -errno : mode);
    json_number("memory_policy_nodes", (long long)nodes[0]);
    char text[512] = "";
    long n = syscall(SYS_keyctl, 6 /* KEYCTL_DESCRIBE */, -3 /* session */, text, sizeof text - 1, 0);
    json_string("session_keyring", n < 0 ? strerror(errno) : text);
}

static void report_status(void)
{
    static const char *wanted[] = {"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "Seccomp", "Seccomp_filters",
                                   "SigBlk", "SigIgn", "SigCgt", "Cpus_allowed_list", "Mems_allowed_list",
                                   "Speculation_Store_Bypass", "NSpid", "Threads", NULL};
    char line[4096];
    FILE *f = fopen("/proc/self/status", "r");

    json_open("status", '{');
    while (f && fgets(line, sizeof line, f)) {
        char *colon = strchr(line, ':');
        if (!colon)
            continue;
        *colon++ = 0;
        colon += strspn(colon, " \t");
        colon[strcspn(colon, "\n")] = 0;
        for (int i = 0; wanted[i]; i++)
            if (!strcmp(wanted[i], line))
                json_string(line, colon);
    }
    json_close('}');
    if (f)
        fclose(f);
}

static void report_rlimits(void)
{
    static const char *names[] = {"CPU", "FSIZE", "DATA", "STACK", "CORE", "RSS", "NPROC", "NOFILE", "MEMLOCK",
                                  "AS", "LOCKS", "SIGPENDING", "MSGQUEUE", "NICE", "RTPRIO", "RTTIME"};
    json_open("rlimits", '{');
    for (int i = 0; i < 16; i++) {
        uint64_t limit[2] = {0, 0};
        syscall(SYS_prlimit64, 0, i, NULL, limit);
        json_open(names[i], '[');
        json_number(NULL, (long long)limit[0]), json_number(NULL, (long long)limit[1]);
        json_close(']');
    }
    json_close('}');
}

static void report_lines(const char *key, const char *path)
{
    char line[16384];
    FILE *f = fopen(path, "r");

    json_open(key, '[');
    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        json_string(NULL, line);
    }
    json_close(']');
    if (f)
        fclose(f);
}

static void report_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    struct dirent *e;
    char target[PATH_MAX], path[64];

    json_open("fds", '{');
    while (d && (e = readdir(d))) {
        int fd = e->d_name[0] == '.' ? -1 : atoi(e->d_name);
        if (fd < 0 || fd == dirfd(d) || (fd > 2 && fd == fileno(json_out)))
            continue;
        snprintf(path, sizeof path, "/proc/self/fd/%.20s", e->d_name);
        ssize_t n = readlink(path, target, sizeof target - 1);
        target[n < 0 ? 0 : n] = 0;
        json_string(e->d_name, target);
    }
    json_close('}');
    if (d)
        closedir(d);
}

static void report_links(void)
{
    static const char *paths[] = {"/dev/fd", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/ptmx", "/dev/core",
                                  "/proc/self/exe", "/proc/self/cwd", "/proc/self/root", NULL};
    static const char *kinds[] = {"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts", NULL};
    char target[PATH_MAX], path[64];

    json_open("links", '{');
    for (int i = 0; paths[i]; i++) {
        ssize_t n = readlink(paths[i], target, sizeof target - 1);
        target[n < 0 ? 0 : n] = 0;
        json_string(paths[i], n < 0 ? strerror(errno) : target);
    }
    json_close('}');
    json_open("namespaces", '{');
    for (int i = 0; kinds[i]; i++) {
        snprintf(path, sizeof path, "/proc/self/ns/%s", kinds[i]);
        ssize_t n = readlink(path, target, sizeof target - 1);
        target[n < 0 ? 0 : n] = 0;
        json_string(kinds[i], target);
    }
    json_close('}');
}

static void report_terminal(void)
{
    json_open("terminal", '{');
    for (int fd = 0; fd < 3; fd++) {
        struct winsize w;
        char key[2] = {(char)('0' + fd), 0};
        if (!isatty(fd))
            continue;
        json_open(key, '{');
        json_string("name", ttyname(fd) ? ttyname(fd) : "");
        if (ioctl(fd, TIOCGWINSZ, &w) == 0)
            json_number("rows", w.ws_row), json_number("columns", w.ws_col);
        struct stat st;
        fstat(fd, &st);
        json_number("owner", st.st_uid), json_number("group", st.st_gid), json_number("mode", st.st_mode & 07777);
        json_close('}');
    }
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);
    json_string("controlling", tty < 0 ? strerror(errno) : "yes");
    if (tty >= 0)
        close(tty);
    json_close('}');
}

static void report_uts(void)
{
    struct utsname u;
    char cwd[PATH_MAX];

    uname(&u);
    json_string("hostname", u.nodename);
    json_string("domainname", u.domainname);
    json_string("machine", u.machine);
    json_string("cwd", getcwd(cwd, sizeof cwd) ? cwd : strerror(errno));
}

static void report_strings(const char *key, char **list)
{
    json_open(key, '[');
    for (; *list; list++)
        json_string(NULL, *list);
    json_close(']');
}

int main(int argc, char **argv)
{
    char *name = argc > 0 ? argv[0] : NULL;
    int code = 0;

    json_out = stdout;
    for (int i = 1; i < argc; i++)
        if (!strncmp(argv[i], "out:", 4) && !(json_out = fopen(argv[i] + 4, "we")))
            return 125;
    json_open(NULL, '{');
    json_string("argv0", name ? name : "");
    report_strings("env", environ);
    report_ids();
    report_attributes();
    report_status();
    report_rlimits();
    report_uts();
    report_fds();
    report_links();
    report_terminal();
    report_lines("mountinfo", "/proc/self/mountinfo");
    report_lines("cgroup", "/proc/self/cgroup");
    report_lines("oom_score_adj", "/proc/self/oom_score_adj");
    report_lines("uid_map", "/proc/self/uid_map");
    report_lines("gid_map", "/proc/self/gid_map");
    report_lines("setgroups", "/proc/self/setgroups");
    report_lines("timens_offsets", "/proc/self/timens_offsets");
    report_lines("comm", "/proc/self/comm");
    json_open("actions", '{');
    for (int i = 1; i < argc; i++)
        code = run_action(argv[i], code);
    json_close('}');
    json_close('}');
    fputc('\n', json_out);
    fclose(json_out);
    return code;
}
