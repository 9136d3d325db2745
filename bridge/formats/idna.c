/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/formats/idna.h"

#include <idn2.h>

#include "bridge/base/mem.h"
#include "bridge/base/text.h"
#include "bridge/formats/dns.h"

static bool is_ascii(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] >= 0x80)
            return false;
    return true;
}

bool idna_host(struct buf *out, struct str name, struct err *err)
{
    char *ascii = NULL;
    if (is_ascii(name))
        return buf_str(out, name);
    if (name.n > IDNA_NAME_MAX || !text_utf8_valid(name) || str_find_byte(name, '\0') != (size_t)-1)
        return err_set(err, ERR_INVALID, "the name of the host is too long, or not UTF-8");
    char *z = str_dup(name);
    int code = idn2_to_ascii_8z(z, &ascii, IDN2_NONTRANSITIONAL);
    mem_free(z);
    bool ok = code == IDN2_OK && dns_name_is_good(str_from(ascii)); /* libidn2 lets empty labels pass */
    if (ok)
        buf_lit(out, ascii);
    else
        err_set(err, ERR_INVALID, "%.*s cannot be the name of a host%s%s", STR_ARG(name), code == IDN2_OK ? "" : ": ",
                code == IDN2_OK ? "" : idn2_strerror(code));
    idn2_free(ascii);
    return ok;
}

bool idna_address(struct buf *out, struct str email, struct err *err)
{
    size_t at = email.n;
    while (at > 0 && email.p[at - 1] != '@')
        at--;
    buf_str(out, str_sub(email, 0, at));
    return idna_host(out, str_skip(email, at), err);
}

bool idna_url(struct buf *out, struct str url, struct err *err)
{
    size_t scheme = str_find(url, STR("://")), from = scheme == (size_t)-1 ? 0 : scheme + 3, to = from;
    while (to < url.n && !strchr("/?#:", url.p[to]))
        to++;
    buf_str(out, str_sub(url, 0, from));
    if (!idna_host(out, str_sub(url, from, to - from), err))
        return false;
    return buf_str(out, str_skip(url, to));
}
