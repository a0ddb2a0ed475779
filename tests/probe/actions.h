/* What the probe can be asked to do; each `verb:argument` reports under its own text. */
#ifndef PROBE_ACTIONS_H
#define PROBE_ACTIONS_H

static const char *error_name(int error)
{
    static const struct { int number; const char *name; } known[] = {
        {0, "ok"}, {EPERM, "EPERM"}, {ENOENT, "ENOENT"}, {EIO, "EIO"}, {ENXIO, "ENXIO"}, {EACCES, "EACCES"},
        {EBUSY, "EBUSY"}, {EEXIST, "EEXIST"}, {ENODEV, "ENODEV"}, {ENOTDIR, "ENOTDIR"}, {EISDIR, "EISDIR"},
        {EINVAL, "EINVAL"}, {EROFS, "EROFS"}, {ENOSYS, "ENOSYS"}, {ELOOP, "ELOOP"}, {ENOSPC, "ENOSPC"},
        {ESRCH, "ESRCH"}, {EBADF, "EBADF"}, {ENOMEM, "ENOMEM"}, {EAGAIN, "EAGAIN"}, {ENOTTY, "ENOTTY"},
        {EFAULT, "EFAULT"}, {ETXTBSY, "ETXTBSY"}, {EMFILE, "EMFILE"}, {ECONNREFUSED, "ECONNREFUSED"},
    };
    for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].number == error)
            return known[i].name;
    return strerror(error);
}

static int outcome(int result)
{
    return result < 0 ? errno : 0;
}

static void act_stat(const char *key, const char *path)
{
    struct stat st;
    struct statfs fs;

    if (lstat(path, &st) < 0) {
        json_string(key, error_name(errno));
        return;
    }
    json_open(key, '{');
    json_string("type", S_ISDIR(st.st_mode) ? "dir" : S_ISCHR(st.st_mode) ? "char" : S_ISBLK(st.st_mode) ? "block"
                : S_ISLNK(st.st_mode) ? "link" : S_ISFIFO(st.st_mode) ? "fifo" : S_ISREG(st.st_mode) ? "file" : "socket");
    json_number("mode", st.st_mode & 07777);
    json_number("uid", st.st_uid), json_number("gid", st.st_gid);
    json_number("major", S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode) ? (long long)major(st.st_rdev) : 0);
    json_number("minor", S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode) ? (long long)minor(st.st_rdev) : 0);
    if (!S_ISLNK(st.st_mode) && statfs(path, &fs) == 0) {
        char magic[32];
        snprintf(magic, sizeof magic, "%lx", (unsigned long)fs.f_type);
        json_string("magic", magic);
    }
    json_close('}');
}

static void act_list(const char *key, const char *path, int deep)
{
    struct dirent **names;
    char child[PATH_MAX];
    int n = scandir(path, &names, NULL, alphasort);

    if (n < 0) {
        json_string(key, error_name(errno));
        return;
    }
    json_open(key, deep ? '{' : '[');
    for (int i = 0; i < n; i++) {
        if (!strcmp(names[i]->d_name, ".") || !strcmp(names[i]->d_name, ".."))
            continue;
        snprintf(child, sizeof child, "%s/%s", path, names[i]->d_name);
        if (deep)
            act_stat(names[i]->d_name, child);
        else
            json_string(NULL, names[i]->d_name);
    }
    json_close(deep ? '}' : ']');
}

static void act_read(const char *key, const char *path)
{
    char text[8192];
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

    if (n < 0) {
        json_open(key, '{');
        json_string(fd < 0 ? "open" : "read", error_name(errno));
        json_close('}');
    } else {
        text[n] = 0;
        json_string(key, text);
    }
    if (fd >= 0)
        close(fd);
}

/* open for writing without changing anything */
static void act_open_write(const char *key, const char *path)
{
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    json_string(key, error_name(outcome(fd)));
    if (fd >= 0)
        close(fd);
}

static void act_create(const char *key, const char *directory)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/probe.%d", directory, getpid());
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    struct stat st;

    if (fd < 0) {
        json_string(key, error_name(errno));
        return;
    }
    fstat(fd, &st);
    json_open(key, '{');
    json_number("mode", st.st_mode & 07777), json_number("uid", st.st_uid), json_number("gid", st.st_gid);
    json_close('}');
    close(fd);
    unlink(path);
}

/* PATH=TEXT */
static void act_write(const char *key, const char *argument)
{
    char path[PATH_MAX];
    const char *equals = strchr(argument, '=');
    snprintf(path, sizeof path, "%.*s", (int)(equals - argument), argument);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    int error = fd < 0 ? errno : outcome((int)write(fd, equals + 1, strlen(equals + 1)));

    json_string(key, error_name(error));
    if (fd >= 0)
        close(fd);
}

/* TYPE,MAJOR,MINOR: make a node in /tmp, open it for reading, then for writing */
static void act_node(const char *key, const char *argument)
{
    int high = 0, low = 0;
    char path[64];
    snprintf(path, sizeof path, "/tmp/node.%d", getpid());
    sscanf(argument + 1, ",%d,%d", &high, &low);
    json_open(key, '{');
    int made = mknod(path, (argument[0] == 'b' ? S_IFBLK : S_IFCHR) | 0600, makedev(high, low));
    json_string("mknod", error_name(outcome(made)));
    if (made == 0) {
        int r = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        json_string("read", error_name(outcome(r)));
        int w = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        json_string("write", error_name(outcome(w)));
        close(r), close(w), unlink(path);
    }
    json_close('}');
}

/* NUMBER[,ARG...]: one raw system call, in a child so that a deadly one can be told */
static void act_syscall(const char *key, const char *argument)
{
    long a[7] = {0};
    char *rest = (char *)argument;
    int status;

    for (int i = 0; i < 7 && *rest; i++) {
        a[i] = strtol(rest, &rest, 0);
        rest += *rest == ',';
    }
    fflush(json_out);
    pid_t child = fork();
    if (child == 0) {
        long r = syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
        _exit(r < 0 ? errno & 0x7f : 0);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0)
        json_string(key, error_name(errno));
    else if (WIFSIGNALED(status))
        json_number(key, -WTERMSIG(status));
    else
        json_string(key, error_name(WEXITSTATUS(status)));
}

/* COUNT: children alive at the same time before fork fails */
static void act_fork(const char *key, const char *argument)
{
    int want = atoi(argument), got = 0, error = 0;
    pid_t children[1024];

    fflush(json_out);
    for (; got < want && got < 1024; got++) {
        children[got] = fork();
        if (children[got] == 0)
            for (;;)
                pause();
        if (children[got] < 0) {
            error = errno;
            break;
        }
    }
    for (int i = 0; i < got; i++)
        kill(children[i], SIGKILL), waitpid(children[i], NULL, 0);
    json_open(key, '{');
    json_number("children", got);
    json_string("error", error_name(error));
    json_close('}');
}

/* BYTES: touch so much memory */
static void act_touch(const char *key, const char *argument)
{
    size_t size = strtoull(argument, NULL, 0);
    char *memory = malloc(size);

    for (size_t i = 0; memory && i < size; i += 4096)
        ((volatile char *)memory)[i] = 1;
    json_string(key, memory ? "ok" : "ENOMEM");
    free(memory);
}

/* BYTES: map so much memory in huge pages */
static void act_hugepages(const char *key, const char *argument)
{
    size_t size = strtoull(argument, NULL, 0);
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);

    json_string(key, error_name(memory == MAP_FAILED ? errno : 0));
    if (memory != MAP_FAILED)
        munmap(memory, size);
}

static void act_clock(const char *key, const char *name)
{
    struct timespec t;
    clock_gettime(!strcmp(name, "boottime") ? CLOCK_BOOTTIME : CLOCK_MONOTONIC, &t);
    json_number(key, t.tv_sec);
}

/* TEXT: one datagram to $NOTIFY_SOCKET, as sd_notify(3) sends it */
static void act_notify(const char *key, const char *text)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = getenv("NOTIFY_SOCKET");
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof address.sun_path, "%s", path ? path : "");
    ssize_t n = sendto(fd, text, strlen(text), 0, (struct sockaddr *)&address, sizeof address);
    json_string(key, error_name(outcome((int)n)));
    close(fd);
}

static int run_action(const char *text, int code)
{
    const char *argument = strchr(text, ':');
    char verb[32];

    snprintf(verb, sizeof verb, "%.*s", argument ? (int)(argument - text) : (int)strlen(text), text);
    argument = argument ? argument + 1 : "";
    if (!strcmp(verb, "stat"))
        act_stat(text, argument);
    else if (!strcmp(verb, "list"))
        act_list(text, argument, 0);
    else if (!strcmp(verb, "tree"))
        act_list(text, argument, 1);
    else if (!strcmp(verb, "read"))
        act_read(text, argument);
    else if (!strcmp(verb, "openw"))
        act_open_write(text, argument);
    else if (!strcmp(verb, "create"))
        act_create(text, argument);
    else if (!strcmp(verb, "write"))
        act_write(text, argument);
    else if (!strcmp(verb, "node"))
        act_node(text, argument);
    else if (!strcmp(verb, "syscall"))
        act_syscall(text, argument);
    else if (!strcmp(verb, "fork"))
        act_fork(text, argument);
    else if (!strcmp(verb, "touch"))
        act_touch(text, argument);
    else if (!strcmp(verb, "hugepages"))
        act_hugepages(text, argument);
    else if (!strcmp(verb, "clock"))
        act_clock(text, argument);
    else if (!strcmp(verb, "notify"))
        act_notify(text, argument);
    else if (!strcmp(verb, "mkdir"))
        json_string(text, error_name(outcome(mkdir(argument, 0777))));
    else if (!strcmp(verb, "chroot"))
        json_string(text, error_name(outcome(chroot(argument))));
    else if (!strcmp(verb, "umount"))
        json_string(text, error_name(outcome(umount2(argument, MNT_DETACH))));
    else if (!strcmp(verb, "rdonly-off"))
        json_string(text, error_name(outcome(mount(NULL, argument, NULL, MS_REMOUNT | MS_BIND, NULL))));
    else if (!strcmp(verb, "sethostname"))
        json_string(text, error_name(outcome(sethostname(argument, strlen(argument)))));
    else if (!strcmp(verb, "sleep"))
        fflush(json_out), usleep((useconds_t)(atof(argument) * 1e6));
    else if (!strcmp(verb, "raise"))
        fflush(json_out), raise(atoi(argument));
    else if (!strcmp(verb, "exit"))
        code = atoi(argument);
    else if (strcmp(verb, "out"))
        code = 125;
    return code;
}

#endif
