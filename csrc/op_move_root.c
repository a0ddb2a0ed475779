/* move_root: the root swap without pivot_root(2), for hosts that run from a ramfs. */
#include <string.h>
#include <limits.h>
#include <sys/mount.h>
#include <sys/statfs.h>

#include "init.h"
#include "path.h"
#include "syscalls.h"

/* Reads /proc/self/mountinfo byte by byte out of a small buffer: lines may be of any length. */
struct reader {
    int fd;
    ssize_t have, at;
    char buffer[512];
};

static int next_byte(struct reader *reader)
{
    if (reader->at == reader->have) {
        reader->at = 0;
        reader->have = read(reader->fd, reader->buffer, sizeof reader->buffer);
        if (reader->have <= 0) {
            reader->have = 0;
            return -1;
        }
    }
    return (unsigned char)reader->buffer[reader->at++];
}

/* Reads one field into `room`, cut to its size. Returns the byte that ended it: ' ', '\n' or -1. */
static int read_field(struct reader *reader, char *room, size_t size)
{
    size_t used = 0;
    int byte;

    while ((byte = next_byte(reader)) >= 0 && byte != ' ' && byte != '\n')
        if (used + 1 < size)
            room[used++] = (char)byte;
    room[used] = 0;
    return byte;
}

/* mountinfo writes space, tab, newline and backslash as \ooo */
static void unescape(char *text)
{
    char *out = text;

    for (; *text; text++) {
        if (text[0] == '\\' && text[1] && text[2] && text[3]) {
            *out++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0'));
            text += 3;
        } else
            *out++ = *text;
    }
    *out = 0;
}

/* Reads a line: the mount point into `path`, the type into `type`. Returns 0 at the end. */
static int read_mount(struct reader *reader, char *path, size_t path_size, char *type, size_t type_size)
{
    int end = ' ';

    /* id, parent, device and root come before the mount point; "-" before the type */
    for (int field = 0; field < 4 && end == ' '; field++)
        end = read_field(reader, path, path_size);
    if (end == ' ')
        end = read_field(reader, path, path_size);
    do {
        if (end != ' ')
            return 0;
        end = read_field(reader, type, type_size);
    } while (strcmp(type, "-") != 0);
    end = read_field(reader, type, type_size);
    while (end == ' ')
        end = read_field(reader, (char[1]){0}, 1);
    return 1;
}

static int is_kernel_view(const char *path)
{
    struct statfs filesystem;

    return statfs(path, &filesystem) == 0 &&
           ((uint32_t)filesystem.f_type == SYS_MAGIC_PROC || (uint32_t)filesystem.f_type == SYS_MAGIC_SYSFS);
}

/* Paths are still looked up from the old root, so mounts of the container are not met
 * even though mountinfo lists them.  What cannot be detached (it came from a user
 * namespace above) is covered. */
static int hide_kernel_views(void)
{
    struct reader reader;
    char path[PATH_MAX], type[8];
    int error = 0;

    reader.fd = result(open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
    reader.have = reader.at = 0;
    if (reader.fd < 0)
        return reader.fd;
    while (!error && read_mount(&reader, path, sizeof path, type, sizeof type)) {
        if (strcmp(type, "proc") != 0 && strcmp(type, "sysfs") != 0)
            continue;
        unescape(path);
        umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
        if (is_kernel_view(path))
            error = result(mount("tmpfs", path, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=0"));
    }
    close(reader.fd);
    return error;
}

/* attach_root has put the root over "/" already, which is what MS_MOVE would do. */
int op_move_root(struct context *context, const struct op *op)
{
    int error = hide_kernel_views();

    return error < 0 ? error : op_change_root(context, op);
}
