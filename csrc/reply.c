/* The only reporter: messages over the socket, or over the reply FIFO after await_start. */
#include "reply.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "syscalls.h"

/* No signal name is longer; longer messages of the runtime are truncated and refused. */
enum { NAME_SIZE = 64 };

_Static_assert(sizeof(struct message) == 24, "wire format");

/* Sends a message and a descriptor with it. */
static int post_fd(const struct context *context, const struct message *message, int pass)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec part = {(void *)message, sizeof *message};
    struct msghdr packet = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room, .msg_controllen = sizeof control.room};

    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof pass);
    memcpy(CMSG_DATA(&control.header), &pass, sizeof pass);
    return sys_call(SYS_sendmsg, context->socket, &packet, MSG_NOSIGNAL);
}

/* Sends a message without one by write(2), the call that every seccomp filter allows. */
static int post_text(int fd, const struct message *message, const char *text)
{
    struct {
        struct message message;
        char text[DETAIL_SIZE];
    } packet;

    packet.message = *message;
    memcpy(packet.text, text, message->length);
    return sys_call(SYS_write, fd, &packet, sizeof packet.message + message->length);
}

/* Posts one message; `pass` >= 0 goes along as SCM_RIGHTS. Ends the process if the peer is gone. */
static int post(const struct context *context, struct message message, const char *text, int pass)
{
    size_t length = strlen(text);
    int sent;

    message.op = context->op;
    message.length = (uint32_t)(length < DETAIL_SIZE ? length : DETAIL_SIZE);
    if (context->socket < 0) {
        if (context->reply >= 0 && (message.kind == MESSAGE_ERROR || message.kind == MESSAGE_WARNING))
            post_text(context->reply, &message, text);
        return 0;
    }
    do
        sent = pass >= 0 ? post_fd(context, &message, pass) : post_text(context->socket, &message, text);
    while (sent == -EINTR);
    if (sent == -EPIPE || sent == -ECONNRESET || sent == -ENOTCONN)
        sys_leave(1);
    return sent < 0 ? sent : 0;
}

int reply_signal(const struct context *context, const char *name)
{
    return post(context, (struct message){.kind = MESSAGE_SIGNAL}, name, -1);
}

void reply_error(const struct context *context, int error)
{
    post(context, (struct message){.kind = MESSAGE_ERROR, .error = -error}, context->detail, -1);
}

void reply_warning(const struct context *context, int error, const char *text)
{
    post(context, (struct message){.kind = MESSAGE_WARNING, .error = -error}, text, -1);
}

void reply_pid(const struct context *context, pid_t pid)
{
    post(context, (struct message){.kind = MESSAGE_PID, .value = pid}, "", -1);
}

void reply_trace(const struct context *context)
{
    post(context, (struct message){.kind = MESSAGE_TRACE}, "", -1);
}

int reply_fd(const struct context *context, uint32_t slot, int fd)
{
    return post(context, (struct message){.kind = MESSAGE_FD, .value = slot}, "", fd);
}

int reply_wait(struct context *context, const char *name)
{
    struct {
        struct message message;
        char text[NAME_SIZE];
    } packet;
    size_t length = strlen(name);
    ssize_t got;

    if (context->socket < 0)
        return -ENOTCONN;
    do
        got = recv(context->socket, &packet, sizeof packet, 0);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        sys_leave(1);
    if ((size_t)got == sizeof packet.message + length && packet.message.kind == MESSAGE_SIGNAL &&
        packet.message.length == length && memcmp(packet.text, name, length) == 0)
        return 0;
    detail_set(context, "another message came instead of signal ");
    detail_add(context, name);
    return -EPROTO;
}

int reply_peer_alive(const struct context *context)
{
    struct pollfd item = {.fd = context->socket, .events = POLLRDHUP};

    if (context->socket < 0)
        return 1;
    return poll(&item, 1, 0) <= 0 || !(item.revents & (POLLHUP | POLLRDHUP | POLLERR));
}

int reply_switch(struct context *context, int fifo)
{
    int error = reply_signal(context, "created");

    if (error < 0) /* the filter: nobody would ever start what waits then */
        return error;
    close(context->socket);
    context->socket = -1;
    context->reply = fifo;
    return 0;
}

void detail_set(struct context *context, const char *text)
{
    context->detail[0] = 0;
    detail_add(context, text);
}

void detail_add(struct context *context, const char *text)
{
    size_t used = strlen(context->detail), length = strlen(text);

    if (length > DETAIL_SIZE - 1 - used)
        length = DETAIL_SIZE - 1 - used;
    memcpy(context->detail + used, text, length);
    context->detail[used + length] = 0;
}

void detail_add_number(struct context *context, int64_t number)
{
    char digits[24], *start = digits + sizeof digits - 1;
    uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;

    *start = 0;
    do
        *--start = (char)('0' + rest % 10);
    while (rest /= 10);
    if (number < 0)
        *--start = '-';
    detail_add(context, start);
}
