/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/eas_doc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backends/eas/eas_wbxml.h"

struct parser {
    const char *at;
    struct eas_writer w;
};

static unsigned find_tag(struct str space, struct str name)
{
    for (unsigned tag = 1; tag < 0x2000; tag++)
        if (str_is(name, eas_tag_name(tag)) && str_is(space, eas_tag_space(tag)))
            return tag;
    fail_msg("no such tag: %.*s:%.*s", STR_ARG(space), STR_ARG(name));
    return 0;
}

static struct str take_name(struct parser *p)
{
    const char *from = p->at;

    while (*p->at && !strchr(" ()=:", *p->at))
        p->at++;
    return str_of(from, (size_t)(p->at - from));
}

static struct str take_value(struct parser *p)
{
    const char *from = ++p->at;
    bool quoted = *from == '\'';

    if (quoted) {
        from = ++p->at;
        while (*p->at && *p->at != '\'')
            p->at++;
        return str_of(from, (size_t)(p->at++ - from));
    }
    while (*p->at && !strchr(" ()", *p->at))
        p->at++;
    return str_of(from, (size_t)(p->at - from));
}

static void parse(struct parser *p, struct str around)
{
    while (*p->at && *p->at != ')') {
        struct str space = around, name;
        enum eas_tag tag;

        if (*p->at == ' ') {
            p->at++;
            continue;
        }
        name = take_name(p);
        if (*p->at == ':') {
            p->at++;
            space = name;
            name = take_name(p);
        }
        tag = (enum eas_tag)find_tag(space, name);
        if (*p->at == '=') {
            eas_write_text(&p->w, tag, take_value(p));
        } else if (*p->at == '(') {
            p->at++;
            eas_write_open(&p->w, tag);
            parse(p, space);
            assert_int_equal(*p->at, ')');
            p->at++;
            eas_write_close(&p->w);
        } else {
            eas_write_empty(&p->w, tag);
        }
    }
}

void eas_doc(struct buf *out, const char *namespace, const char *text)
{
    struct parser p = {.at = text};

    buf_reset(out);
    eas_writer_init(&p.w, out);
    parse(&p, str_from(namespace));
    assert_int_equal(*p.at, '\0');
    assert_false(out->failed);
}
