/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "bridge/base/buf.h"
#include "bridge/base/file.h"
#include "bridge/base/mem.h"
#include "bridge/base/time.h"

#define DESCRIPTORS_WANTED 8192

void daemon_harden(void)
{
    umask(077);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < DESCRIPTORS_WANTED) {
        files.rlim_cur = files.rlim_max < DESCRIPTORS_WANTED ? files.rlim_max : DESCRIPTORS_WANTED;
        setrlimit(RLIMIT_NOFILE, &files);
    }
#if !defined(__SANITIZE_ADDRESS__) && !defined(EXBRIDGE_SANITIZED) /* the leak checker is a ptracing child */
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}

bool daemon_make_dir(const char *path, struct err *err)
{
    struct stat st;
    if (!file_make_dirs(path, err))
        return false;
    if (stat(path, &st) != 0)
        return err_set_errno(err, ERR_DISK, errno, path);
    if (!S_ISDIR(st.st_mode))
        return err_set(err, ERR_DISK, "%s: not a directory", path);
    if (st.st_uid != geteuid() || st.st_mode & 022)
        return err_set(err, ERR_INVALID, "%s: must be ours and closed to writing by others; run: chmod go-w", path);
    return true;
}

bool daemon_lock(const char *state_dir, int *ret_fd, struct err *err)
{
    struct buf path = BUF_INIT(0);
    buf_printf(&path, "%s/lock", state_dir);
    int fd = open(buf_z(&path), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    buf_done(&path);
    if (fd < 0)
        return err_set_errno(err, ERR_DISK, errno, state_dir);
    char text[32] = "";
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        ssize_t n = read(fd, text, sizeof(text) - 1);
        close(fd);
        return err_set(err, ERR_EXISTS, "exbridge is running already with %s (pid %d)", state_dir,
                       n > 0 ? atoi(text) : 0);
    }
    /* Only for the text above: the lock is what counts. */
    int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    bool written = ftruncate(fd, 0) == 0 && write(fd, text, (size_t)n) == n;
    (void)written;
    *ret_fd = fd;
    return true;
}

#define FIRST_SOCKET 3 /* SD_LISTEN_FDS_START */

int daemon_sockets(int *fds, int max)
{
    uint64_t pid = 0, n = 0;
    const char *for_pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    bool ours = for_pid && count && str_to_u64(str_from(for_pid), &pid) && pid == (uint64_t)getpid();
    bool sane = ours && str_to_u64(str_from(count), &n) && n <= (uint64_t)max;
    unsetenv("LISTEN_PID"); /* not for our children */
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    if (!ours)
        return 0;
    if (!sane)
        return -1;
    for (int i = 0; i < (int)n; i++) {
        fds[i] = FIRST_SOCKET + i;
        if (fcntl(fds[i], F_SETFD, FD_CLOEXEC) != 0)
            return -1;
    }
    return (int)n;
}

void daemon_notify(const char *state)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t n = name ? strlen(name) : 0;
    if (n < 2 || n >= sizeof(address.sun_path) || (name[0] != '/' && name[0] != '@'))
        return;
    memcpy(address.sun_path, name, n);
    if (name[0] == '@')
        address.sun_path[0] = '\0'; /* the abstract namespace */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    ssize_t ignored = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
                             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
    (void)ignored;
    close(fd);
}

void daemon_notify_reloading(void)
{
    char text[64];
    snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)time_mono_ms() * 1000);
    daemon_notify(text);
}

struct daemon_watchdog {
    struct timer *timer;
    uint64_t every_ms;
};

static void on_watchdog(void *ud)
{
    struct daemon_watchdog *w = ud;
    daemon_notify("WATCHDOG=1");
    timer_start(w->timer, w->every_ms);
}

struct daemon_watchdog *daemon_watchdog_new(struct loop *loop)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    uint64_t n, owner;
    if (!usec || !str_to_u64(str_from(usec), &n) || n < 2000)
        return NULL;
    if (pid && (!str_to_u64(str_from(pid), &owner) || owner != (uint64_t)getpid()))
        return NULL;
    struct daemon_watchdog *w = MEM_NEW(struct daemon_watchdog);
    w->every_ms = n / 1000 / 2;
    w->timer = timer_new(loop, on_watchdog, w);
    on_watchdog(w);
    return w;
}

void daemon_watchdog_free(struct daemon_watchdog **w)
{
    if (*w)
        timer_free(&(*w)->timer);
    mem_free(*w);
    *w = NULL;
}
