/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/base/log.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bridge/base/buf.h"
#include "bridge/base/text.h"
#include "bridge/base/time.h"

#define LINE_LIMIT 2048 /* bytes; longer lines are cut */

static struct {
    enum log_level level;
    bool looked; /* at JOURNAL_STREAM */
    bool journal;
} state = {.level = LOG_LEVEL_INFO};

static const struct {
    const char *name;
    char priority; /* syslog(3) */
} levels[LOG_LEVEL_MAX] = {
    [LOG_LEVEL_ERROR] = {"error", '3'},
    [LOG_LEVEL_WARN] = {"warn", '4'},
    [LOG_LEVEL_INFO] = {"info", '6'},
    [LOG_LEVEL_DEBUG] = {"debug", '7'},
};

/* systemd.exec(5): JOURNAL_STREAM is "device:inode" of what the manager connected; a redirected stderr is another file.
 */
static bool stderr_is_journal(void)
{
    const char *z = getenv("JOURNAL_STREAM");
    struct str s = str_from(z), device;
    uint64_t dev, ino;
    struct stat st;
    return z && str_cut(&s, ':', &device) && str_to_u64(device, &dev) && str_to_u64(s, &ino) &&
           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

void log_set_level(enum log_level level)
{
    state.level = level;
}

bool log_level_from_name(const char *name, enum log_level *ret_level)
{
    for (unsigned i = 0; i < LOG_LEVEL_MAX; i++) {
        if (strcmp(name, levels[i].name) == 0) {
            *ret_level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

bool log_on(enum log_level level)
{
    return level <= state.level;
}

static void add_start(struct buf *line, enum log_level level, const char *area, const char *account)
{
    if (state.journal) {
        buf_printf(line, "<%c>", levels[level].priority);
    } else {
        time_add_iso_ms(line, time_wall_ms());
        buf_printf(line, " %-5s ", levels[level].name);
    }
    buf_lit(line, area);
    if (account && *account)
        buf_printf(line, "[%.100s]", account);
    buf_lit(line, ": ");
}

void log_msg(enum log_level level, const char *area, const char *account, const char *fmt, ...)
{
    if (!log_on(level))
        return;
    if (!state.looked) {
        state.journal = stderr_is_journal();
        state.looked = true;
    }
    struct buf line = BUF_INIT(0), clean = BUF_INIT(0);
    add_start(&line, level, area, account);
    va_list ap;
    va_start(ap, fmt);
    buf_vprintf(&line, fmt, ap);
    va_end(ap);
    text_add_printable(&clean, str_sub(buf_view(&line), 0, LINE_LIMIT));
    buf_byte(&clean, '\n');
    /* One write, so that lines of two processes do not mix. A full disk or a closed pipe must not stop the service. */
    ssize_t ignored = write(STDERR_FILENO, clean.p, clean.n);
    (void)ignored;
    buf_done(&line);
    buf_done(&clean);
}
