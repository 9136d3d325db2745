/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/formats/mime.h"

static const struct mime_part *nth_child(const struct mime_part *part, uint32_t n)
{
    const struct mime_part *p = part->children;
    while (p && --n)
        p = p->next;
    return p;
}

/* Part n of a message (the root, or what is inside a MIME_MESSAGE): one without parts has itself as part 1. */
static const struct mime_part *part_of_message(const struct mime_part *message, uint32_t n)
{
    if (message->kind == MIME_MULTIPART)
        return nth_child(message, n);
    return n == 1 ? message : NULL;
}

const struct mime_part *mime_find(const struct mime_part *root, const uint32_t *path, size_t path_n)
{
    const struct mime_part *p = root;
    for (size_t i = 0; i < path_n && p; i++) {
        if (path[i] == 0)
            return NULL;
        if (i == 0)
            p = part_of_message(root, path[i]);
        else if (p->kind == MIME_MESSAGE)
            p = part_of_message(p->children, path[i]);
        else if (p->kind == MIME_MULTIPART)
            p = nth_child(p, path[i]);
        else
            p = NULL;
    }
    return p;
}

bool mime_section(const struct mime_part *root, const uint32_t *path, size_t path_n, enum mime_section what,
                  struct mime_range *ret_range)
{
    const struct mime_part *p = mime_find(root, path, path_n);
    if (!p)
        return false;
    switch (what) {
    case MIME_SECTION_BODY:
        *ret_range = (struct mime_range){path_n ? p->body_at : p->header_at, p->end};
        return true;
    case MIME_SECTION_MIME:
        *ret_range = (struct mime_range){p->header_at, p->body_at};
        return path_n > 0;
    case MIME_SECTION_HEADER:
    case MIME_SECTION_TEXT:
        break;
    }
    if (path_n) { /* of the message inside */
        if (p->kind != MIME_MESSAGE)
            return false;
        p = p->children;
    }
    if (what == MIME_SECTION_HEADER)
        *ret_range = (struct mime_range){p->header_at, p->body_at};
    else
        *ret_range = (struct mime_range){p->body_at, p->end};
    return true;
}

bool mime_path_parse(struct str s, uint32_t *path, size_t max, size_t *ret_n)
{
    struct str piece;
    size_t n = 0;
    if (s.n && s.p[s.n - 1] == '.')
        return false;
    while (s.n && str_cut(&s, '.', &piece)) {
        if (n == max || !piece.n || piece.p[0] == '0' || !str_to_u32(piece, &path[n]))
            return false;
        n++;
    }
    *ret_n = n;
    return true;
}
