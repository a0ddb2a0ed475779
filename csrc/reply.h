/* The conversation with the runtime; no other file sends or receives.
 *
 * Before await_start messages go over the SOCK_SEQPACKET socket, afterwards
 * errors and warnings go to the reply FIFO and everything else nowhere.
 * When the socket's peer is gone the process ends silently: there is nobody to
 * tell, and a container whose runtime died before `created` must not go on.
 */
#ifndef PYRUNC_REPLY_H
#define PYRUNC_REPLY_H

#include "init.h"

enum message_kind {
    MESSAGE_SIGNAL = 1,
    MESSAGE_ERROR = 2,
    MESSAGE_PID = 3,
    MESSAGE_FD = 4,
    MESSAGE_WARNING = 5,
    MESSAGE_TRACE = 6,
};

struct message {
    uint32_t kind;
    uint32_t op;
    int32_t error; /* positive errno, or 0 */
    uint32_t length;
    int64_t value;
    /* char text[length] follows */
};

int reply_signal(const struct context *context, const char *name);
/* `error` is a -errno; the text is the context's detail. */
void reply_error(const struct context *context, int error);
void reply_warning(const struct context *context, int error, const char *text);
void reply_pid(const struct context *context, pid_t pid);
void reply_trace(const struct context *context);
/* Sends `fd` as slot number `slot`; the caller closes it. */
int reply_fd(const struct context *context, uint32_t slot, int fd);

/* Waits until the runtime signals `name`: 0, or -EPROTO for any other message. */
int reply_wait(struct context *context, const char *name);
/* 1 if the runtime still holds its end of the socket (or there is none any more). */
int reply_peer_alive(const struct context *context);
/* Sends signal `created`, closes the socket; from here errors go to `fifo`. -errno if it cannot be sent. */
int reply_switch(struct context *context, int fifo);

#endif
