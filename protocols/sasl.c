/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/sasl.h"

#include <string.h>

#include "bridge/base/text.h"

typedef enum sasl_result sasl_step(struct sasl *s, struct str bytes, struct str *ret_challenge);

static bool take(struct buf *to, struct str bytes, size_t limit)
{
    if (bytes.n > limit)
        return false;
    buf_wipe(to);
    return buf_str(to, bytes);
}

static bool take_user(struct sasl *s, struct str user)
{
    /* RFC 4616 2: the name is UTF-8 without NUL, and not empty. */
    return user.n > 0 && text_utf8_valid(user) && str_find_byte(user, '\0') == (size_t)-1 &&
           take(&s->user, user, SASL_NAME_MAX);
}

/* message = [authzid] NUL authcid NUL passwd (RFC 4616 2) */
static enum sasl_result plain_step(struct sasl *s, struct str bytes, struct str *ret_challenge)
{
    (void)ret_challenge;
    size_t first = str_find_byte(bytes, '\0');
    if (first == (size_t)-1)
        return SASL_BROKEN;
    struct str authzid = str_sub(bytes, 0, first), rest = str_skip(bytes, first + 1);
    size_t second = str_find_byte(rest, '\0');
    if (second == (size_t)-1)
        return SASL_BROKEN;
    struct str user = str_sub(rest, 0, second), password = str_skip(rest, second + 1);
    if (str_find_byte(password, '\0') != (size_t)-1 || !take_user(s, user) ||
        !take(&s->password, password, SASL_LINE_MAX))
        return SASL_BROKEN;
    return authzid.n == 0 || str_case_eq(authzid, user) ? SASL_COMPLETE : SASL_REFUSED;
}

static enum sasl_result login_step(struct sasl *s, struct str bytes, struct str *ret_challenge)
{
    if (s->step++ == 0) {
        *ret_challenge = STR("UGFzc3dvcmQ6"); /* "Password:" */
        return take_user(s, bytes) ? SASL_CONTINUE : SASL_BROKEN;
    }
    return take(&s->password, bytes, SASL_LINE_MAX) ? SASL_COMPLETE : SASL_BROKEN;
}

static const struct {
    const char *name;
    const char *first_challenge; /* base64, when the client gives no initial response */
    sasl_step *step;
} mechanisms[SASL_MECHANISM_MAX] = {
    [SASL_PLAIN] = {"PLAIN", "", plain_step},
    [SASL_LOGIN] = {"LOGIN", "VXNlcm5hbWU6" /* "Username:" */, login_step},
};

const char *sasl_name(enum sasl_mechanism mechanism)
{
    return mechanisms[mechanism].name;
}

bool sasl_begin(struct sasl *s, struct str mechanism)
{
    for (unsigned i = 0; i < SASL_MECHANISM_MAX; i++) {
        if (!str_case_is(mechanism, mechanisms[i].name))
            continue;
        *s = (struct sasl){
            .mechanism = (enum sasl_mechanism)i, .user = BUF_INIT(SASL_NAME_MAX), .password = BUF_INIT(SASL_LINE_MAX)};
        return true;
    }
    return false;
}

static enum sasl_result decode_and_step(struct sasl *s, struct str base64, struct str *ret_challenge)
{
    if (base64.n > SASL_LINE_MAX)
        return SASL_BROKEN;
    struct buf bytes = BUF_INIT(SASL_LINE_MAX);
    enum sasl_result result = SASL_BROKEN;
    if (text_base64_decode(&bytes, base64))
        result = mechanisms[s->mechanism].step(s, buf_view(&bytes), ret_challenge);
    buf_wipe(&bytes);
    return result;
}

enum sasl_result sasl_initial(struct sasl *s, bool present, struct str base64, struct str *ret_challenge)
{
    if (!present) {
        *ret_challenge = str_from(mechanisms[s->mechanism].first_challenge);
        return SASL_CONTINUE;
    }
    return decode_and_step(s, str_is(base64, "=") ? STR("") : base64, ret_challenge);
}

enum sasl_result sasl_feed(struct sasl *s, struct str base64, struct str *ret_challenge)
{
    if (str_is(base64, "*"))
        return SASL_ABORTED;
    return decode_and_step(s, base64, ret_challenge);
}

void sasl_done(struct sasl *s)
{
    buf_wipe(&s->user);
    buf_wipe(&s->password);
}
