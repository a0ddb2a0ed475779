/* May this process use this image?  Every doubt is a refusal: the normal start is always right. */
#include <linux/mman.h>
#include <linux/fcntl.h>
#include <linux/stat.h>

#include "restore.h"

/* Beside nothing: above every executable at its fixed place, below every library. */
#define HEADER_ADDRESS 0x100040000000UL
#define HEADER_LIMIT 0x400000UL
#define PATH_LIMIT 4096
#define PERMISSIONS 07777

static const struct refusal USABLE = { 0, 0 };

static struct refusal refuse(const char *reason, const char *detail)
{
    struct refusal refusal = { reason, detail };

    return refusal;
}

int text_starts(const char *text, const char *start)
{
    while (*start && *text == *start) {
        text++;
        start++;
    }
    return *start == 0;
}

int text_equal(const char *left, const char *right)
{
    while (*left && *left == *right) {
        left++;
        right++;
    }
    return *left == *right;
}

uint64_t text_length(const char *text)
{
    uint64_t length = 0;

    while (text[length])
        length++;
    return length;
}

void read_process(struct process *process, long *stack)
{
    char **end;

    process->argc = stack[0];
    process->argv = (char **)(stack + 1);
    process->envp = process->argv + process->argc + 1;
    for (end = process->envp; *end; end++)
        ;
    process->vector = (const struct auxiliary *)(end + 1);
}

/* C, POSIX and UTF-8 locales give an interpreter the same encodings, others do not. */
static int is_plain_locale(const char *name)
{
    const char *codeset = name;

    if (!*name || (name[0] == 'C' && !name[1]) || (text_starts(name, "POSIX") && !name[5]))
        return 1;
    while (*codeset && *codeset != '.')
        codeset++;
    return text_starts(codeset, ".UTF-8") || text_starts(codeset, ".utf8");
}

static struct refusal check_environment(char **envp)
{
    static const char *const meant[] = { "PYTHON", "LD_", "GLIBC_TUNABLES", "MALLOC_", "LOCPATH=", "GCONV_PATH=",
        "_PYRUNC_COMPLETE" };
    static const char *const locales[] = { "LC_ALL=", "LC_CTYPE=", "LANG=" };

    for (; *envp; envp++) {
        for (unsigned int i = 0; i < sizeof(meant) / sizeof(*meant); i++)
            if (text_starts(*envp, meant[i]))
                return refuse("the environment has a variable meant for a start", *envp);
        for (unsigned int i = 0; i < sizeof(locales) / sizeof(*locales); i++)
            if (text_starts(*envp, locales[i]) && !is_plain_locale(*envp + text_length(locales[i])))
                return refuse("the locale is not one of UTF-8", *envp);
    }
    return USABLE;
}

struct refusal check_process(const struct process *process)
{
    const struct auxiliary *vector = process->vector;

    if (!ARCH_SUPPORTED)
        return refuse("this machine's architecture is not supported yet", 0);
    if (auxiliary_value(vector, AT_UID) || auxiliary_value(vector, AT_EUID) || auxiliary_value(vector, AT_GID)
        || auxiliary_value(vector, AT_EGID))
        return refuse("only root uses it", 0);
    if (auxiliary_value(vector, AT_SECURE))
        return refuse("the program was started with another's privileges", 0);
    if (process->argc < 1)
        return refuse("the program has no name", 0);
    return check_environment(process->envp);
}

static int is_roots(const struct statx *status, unsigned int kind, unsigned int mode)
{
    return status->stx_uid == 0 && status->stx_gid == 0 && (status->stx_mode & S_IFMT) == kind
        && (status->stx_mode & PERMISSIONS) == mode;
}

static struct refusal check_directory(const char *path)
{
    static char directory[PATH_LIMIT];
    struct statx status;
    uint64_t end = text_length(path);

    if (end >= PATH_LIMIT)
        return refuse("the image's path is too long", path);
    while (end > 0 && path[end] != '/')
        end--;
    copy_text(directory, path, end + 1);
    if (CALL5(statx, AT_FDCWD, directory, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &status) < 0)
        return refuse("there is no image", path);
    if (!is_roots(&status, S_IFDIR, 0700))
        return refuse("the image's directory is not root's alone (0700)", directory);
    return USABLE;
}

/* Opens the image and maps its header; the size is checked before anything is read. */
static struct refusal open_image(struct image *image, const char *path)
{
    struct statx status;
    long address;
    const struct image_header *header;

    image->fd = CALL4(openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
    if (image->fd < 0)
        return refuse(image->fd == -2 ? "there is no image" : "the image cannot be opened", path);
    if (CALL5(statx, image->fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &status) < 0)
        return refuse("the image cannot be examined", path);
    if (!is_roots(&status, S_IFREG, 0600) || status.stx_nlink != 1)
        return refuse("the image is not root's alone (0600, one name)", path);
    if (status.stx_size < sizeof(*header))
        return refuse("the image is cut off", path);
    address = CALL6(mmap, HEADER_ADDRESS, HEADER_LIMIT, PROT_READ, MAP_PRIVATE | MAP_FIXED_NOREPLACE, image->fd, 0);
    if (address != (long)HEADER_ADDRESS)
        return refuse("the image's header cannot be mapped", path);
    header = image->header = (const struct image_header *)HEADER_ADDRESS;
    if (header->magic != IMAGE_MAGIC)
        return refuse("the image is of another version of pyrunc", path);
    if (header->size != status.stx_size)
        return refuse("the image does not have its size", path);
    if (header->header_size > header->size || header->header_size > HEADER_LIMIT || header->header_size % 8
        || header->header_size < sizeof(*header))
        return refuse("the image's header is damaged", path);
    if (image_hash(&header->size, header->header_size - 16) != header->hash)
        return refuse("the image's header is damaged", path);
    return USABLE;
}

static int same(const void *left, const void *right, uint64_t size)
{
    const unsigned char *a = left, *b = right;

    while (size > 0 && *a == *b) {
        a++;
        b++;
        size--;
    }
    return size == 0;
}

static struct refusal check_machine(const struct image_header *header, const struct process *process)
{
    static struct machine ours;
    const struct machine *its = &header->machine;
    uint64_t vdso = auxiliary_value(process->vector, AT_SYSINFO_EHDR);

    identify_machine(&ours, process->vector);
    if (!same(ours.release, its->release, sizeof(ours.release)))
        return refuse("the kernel's release is another", ours.release);
    if (!same(ours.version, its->version, sizeof(ours.version)))
        return refuse("the kernel's version is another", ours.version);
    if (ours.hwcap != its->hwcap || ours.hwcap2 != its->hwcap2)
        return refuse("the processor's capabilities (hwcap) are others", 0);
    if (ours.state_mask != its->state_mask)
        return refuse("the processor's state components (xcr0) are others", 0);
    if (!same(ours.cpuid, its->cpuid, sizeof(ours.cpuid)))
        return refuse("the processor (cpuid) is another", 0);
    if (!vdso || image_hash((const void *)vdso, header->vdso_length) != its->vdso_hash)
        return refuse("the kernel's vdso is another", 0);
    return USABLE;
}

static struct refusal check_files(const struct image_header *header)
{
    const struct file_key *key = image_files(header);
    struct statx status;

    for (uint64_t i = 0; i < header->file_count; i++) {
        if (CALL5(statx, AT_FDCWD, key->path, 0, STATX_BASIC_STATS, &status) < 0)
            return refuse("a file is gone", key->path);
        if ((key->size != ~0UL && status.stx_size != key->size) || status.stx_ino != key->inode
            || status.stx_mtime.tv_sec != key->seconds || status.stx_mtime.tv_nsec != key->nanoseconds)
            return refuse("a file has changed", key->path);
        key = (const struct file_key *)(key->path + key->path_length);
    }
    return USABLE;
}

struct refusal check_image(struct image *image, const char *path, const struct process *process)
{
    struct refusal refusal = check_directory(path);

    if (!refusal.reason)
        refusal = open_image(image, path);
    if (!refusal.reason)
        refusal = check_marker(path);
    if (!refusal.reason)
        refusal = check_machine(image->header, process);
    if (!refusal.reason)
        refusal = check_files(image->header);
    return refusal;
}
