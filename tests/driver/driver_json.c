/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/driver/driver_json.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void driver_begin(struct buf *json, const char *event)
{
    buf_reset(json);
    buf_printf(json, "{\"event\":\"%s\"", event);
}

void driver_end(struct buf *json)
{
    buf_lit(json, "}\n");
    if (json->failed)
        abort();
    fwrite(json->p, 1, json->n, stdout);
    fflush(stdout);
}

void driver_string(struct buf *b, struct str s)
{
    buf_byte(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];

        if (c == '"' || c == '\\')
            buf_printf(b, "\\%c", c);
        else if (c < 0x20)
            buf_printf(b, "\\u%04x", c);
        else
            buf_byte(b, (char)c);
    }
    buf_byte(b, '"');
}

void driver_key(struct buf *b, const char *key, struct str value)
{
    buf_printf(b, ",\"%s\":", key);
    driver_string(b, value);
}

void driver_bool(struct buf *b, const char *key, bool value)
{
    buf_printf(b, ",\"%s\":%s", key, value ? "true" : "false");
}

void driver_list(struct buf *b, const char *key, const struct str *list, size_t count)
{
    buf_printf(b, ",\"%s\":[", key);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            buf_byte(b, ',');
        driver_string(b, list[i]);
    }
    buf_byte(b, ']');
}

void driver_err(struct buf *b, const struct err *e)
{
    driver_key(b, "err", str_from(e->code ? err_name(e->code) : "none"));
    if (e->code == ERR_NONE)
        return;
    driver_key(b, "text", str_from(e->text));
    buf_printf(b, ",\"status\":%d,\"retry_after\":%u", e->status, e->retry_after_s);
}

static void json_folder(struct buf *b, const struct folder_info *f)
{
    static const char *const kinds[] = {"mail", "calendar", "tasks", "contacts", "other"};
    static const char *const uses[] = {"", "inbox", "drafts", "sent", "trash", "junk", "archive", "outbox"};

    buf_printf(b, "{\"gone\":%s", f->gone ? "true" : "false");
    driver_key(b, "id", f->id);
    driver_key(b, "parent", f->parent_id);
    driver_key(b, "name", f->name);
    driver_key(b, "kind", str_from(kinds[f->kind]));
    driver_key(b, "use", str_from(uses[f->use]));
    driver_bool(b, "hidden", f->hidden);
    buf_byte(b, '}');
}

void driver_folders(struct buf *b, const struct reply *r)
{
    driver_err(b, &r->err);
    if (r->err.code != ERR_NONE)
        return;
    driver_key(b, "cursor", r->folders.cursor);
    driver_bool(b, "full", r->folders.full);
    buf_lit(b, ",\"list\":[");
    for (size_t i = 0; i < r->folders.count; i++) {
        if (i > 0)
            buf_byte(b, ',');
        json_folder(b, &r->folders.list[i]);
    }
    buf_byte(b, ']');
}

struct str driver_word(struct str *rest)
{
    struct str w = STR_NULL;

    str_cut(rest, ' ', &w);
    return w;
}

static bool path_of(const char *dir, struct str key, char *path, size_t size)
{
    int n = snprintf(path, size, "%s/%.*s", dir, STR_ARG(key));

    for (int i = (int)strlen(dir) + 1; i < n && (size_t)i < size; i++)
        if (path[i] == '/')
            path[i] = '_';
    return n > 0 && (size_t)n < size;
}

bool driver_file_put(const char *dir, struct str key, struct str value, struct err *err)
{
    struct blob *blob;
    char path[1024];
    bool ok;

    if (!dir)
        return true;
    if (!path_of(dir, key, path, sizeof(path)))
        abort();
    if (value.n == 0) { /* an empty value deletes (backend.h) */
        unlink(path);
        return true;
    }
    blob = blob_from_str(value);
    ok = blob_save(blob, path, err);
    blob_unref(&blob);
    return ok;
}

bool driver_file_get(const char *dir, struct str key, struct buf *out)
{
    char path[1024], bytes[16384];
    ssize_t n;
    int fd;

    if (!dir || !path_of(dir, key, path, sizeof(path)))
        return false;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    while ((n = read(fd, bytes, sizeof(bytes))) > 0)
        buf_add(out, bytes, (size_t)n);
    close(fd);
    return n == 0 && !out->failed;
}
