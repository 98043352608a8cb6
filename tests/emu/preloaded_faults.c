/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loaded into QEMU by test_fault_sweep.py: at the request with number DMAV3_FAULT_AT since QEMU's start it dies
 * (DMAV3_FAULT=kill), stops (stop), or its command line is hung up (hang-up). It has then written a byte to the
 * file DMAV3_FAULT_LOG.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

typedef ssize_t Receive(int fd, struct msghdr *message, int flags);

static void note(void)
{
    int log = open(getenv("DMAV3_FAULT_LOG"), O_WRONLY | O_APPEND | O_CLOEXEC);

    (void)!write(log, ".", 1);
    close(log);
}

static void break_off(int fd)
{
    const char *how = getenv("DMAV3_FAULT");

    note();
    if (!strcmp(how, "kill")) {
        raise(SIGKILL);
    } else if (!strcmp(how, "stop")) {
        raise(SIGSTOP);
    } else {
        shutdown(fd, SHUT_RDWR);
    }
}

/* A request begins with `@`, and nothing else that QEMU receives does. */
ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    static long requests;
    ssize_t size = ((Receive *)dlsym(RTLD_NEXT, "recvmsg"))(fd, message, flags);

    if (size > 0 && *(const char *)message->msg_iov->iov_base == '@' &&
        ++requests == strtol(getenv("DMAV3_FAULT_AT"), NULL, 10)) {
        break_off(fd);
    }
    return size;
}
