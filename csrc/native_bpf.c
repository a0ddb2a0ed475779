/* Device programs of control groups (BPF_PROG_TYPE_CGROUP_DEVICE, v2). */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "native.h"

#define MOST_PROGRAMS 64

static int bpf(int command, union bpf_attr *attributes)
{
    long value = syscall(SYS_bpf, command, attributes, sizeof(*attributes));

    return value < 0 ? -errno : (int)value;
}

static uint64_t address(const void *pointer)
{
    return (uint64_t)(uintptr_t)pointer;
}

/* The verifier's words are asked for only after a refusal: they cost time. */
int native_bpf_load_device_program(const char *instructions, size_t size, char *log, size_t log_size)
{
    union bpf_attr attributes;
    int fd;

    memset(&attributes, 0, sizeof(attributes));
    attributes.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    attributes.insns = address(instructions);
    attributes.insn_cnt = (uint32_t)(size / sizeof(struct bpf_insn));
    attributes.license = address("Apache-2.0");
    memcpy(attributes.prog_name, "pyrunc_devices", sizeof("pyrunc_devices"));
    fd = bpf(BPF_PROG_LOAD, &attributes);
    if (fd >= 0 || log_size == 0)
        return fd;
    attributes.log_buf = address(log);
    attributes.log_size = (uint32_t)log_size;
    attributes.log_level = 1;
    return bpf(BPF_PROG_LOAD, &attributes);
}

/* replace_fd: a program that is attached now and goes as ours comes, or -1. */
int native_bpf_attach_device(int cgroup_fd, int program_fd, int replace_fd)
{
    union bpf_attr attributes;

    memset(&attributes, 0, sizeof(attributes));
    attributes.target_fd = (uint32_t)cgroup_fd;
    attributes.attach_bpf_fd = (uint32_t)program_fd;
    attributes.attach_type = BPF_CGROUP_DEVICE;
    attributes.attach_flags = BPF_F_ALLOW_MULTI;
    if (replace_fd >= 0) {
        attributes.attach_flags |= BPF_F_REPLACE;
        attributes.replace_bpf_fd = (uint32_t)replace_fd;
    }
    return bpf(BPF_PROG_ATTACH, &attributes);
}

int native_bpf_detach_device(int cgroup_fd, int program_fd)
{
    union bpf_attr attributes;

    memset(&attributes, 0, sizeof(attributes));
    attributes.target_fd = (uint32_t)cgroup_fd;
    attributes.attach_bpf_fd = (uint32_t)program_fd;
    attributes.attach_type = BPF_CGROUP_DEVICE;
    return bpf(BPF_PROG_DETACH, &attributes);
}

/* Fills fds with the programs attached to this very cgroup; returns how many. */
int native_bpf_device_programs(int cgroup_fd, int *fds, int capacity)
{
    union bpf_attr attributes;
    uint32_t ids[MOST_PROGRAMS];
    int count, error;

    memset(&attributes, 0, sizeof(attributes));
    attributes.query.target_fd = (uint32_t)cgroup_fd;
    attributes.query.attach_type = BPF_CGROUP_DEVICE;
    attributes.query.prog_ids = address(ids);
    attributes.query.prog_cnt = MOST_PROGRAMS;
    error = bpf(BPF_PROG_QUERY, &attributes);
    if (error < 0)
        return error;
    count = (int)attributes.query.prog_cnt;
    if (count > capacity)
        return -E2BIG;
    for (int i = 0; i < count; i++) {
        memset(&attributes, 0, sizeof(attributes));
        attributes.prog_id = ids[i];
        fds[i] = bpf(BPF_PROG_GET_FD_BY_ID, &attributes);
        if (fds[i] >= 0)
            continue;
        error = fds[i];
        while (i-- > 0)
            close(fds[i]);
        return error;
    }
    return count;
}
