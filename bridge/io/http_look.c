/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge/io/http_private.h"

void http_look_on(struct http_client *c, struct http_looker *l)
{
    list_append(&c->lookers, &l->link);
}

void http_look_away(struct http_looker *l)
{
    list_remove(&l->link);
}

void http_look(const struct http_request *r, enum http_sight sight, struct str bytes)
{
    LIST_EACH (&r->client->lookers, link) {
        struct http_looker *l = LIST_ITEM(link, struct http_looker, link);
        l->fn(l->ud, r->number, sight, bytes);
    }
}

/* What is answered comes by other ways: here it would still be compressed. */
static int on_debug(CURL *easy, curl_infotype type, char *p, size_t n, void *ud)
{
    (void)easy;
    http_request_note(ud, type, str_of(p, n));
    if (type == CURLINFO_HEADER_OUT)
        http_look(ud, HTTP_ASKED_HEAD, str_of(p, n));
    else if (type == CURLINFO_DATA_OUT)
        http_look(ud, HTTP_ASKED_BODY, str_of(p, n));
    return 0;
}

void http_look_begin(struct http_request *r)
{
    r->number = ++r->client->request_count;
    if (list_empty(&r->client->lookers) && r->auth != HTTP_AUTH_NEGOTIATE)
        return;
    curl_easy_setopt(r->easy, CURLOPT_DEBUGFUNCTION, on_debug);
    curl_easy_setopt(r->easy, CURLOPT_DEBUGDATA, r);
    curl_easy_setopt(r->easy, CURLOPT_VERBOSE, 1L);
}
