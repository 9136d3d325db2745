/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Autodiscover by itself: what is found, as one JSON object on stdout.
 *
 *   autodiscover_driver look EMAIL [--host HOST] [--ca-file FILE] [--confirmed HOST]... [--everything]
 *   autodiscover_driver ask EMAIL URL USER PASSWORD-FILE [--ca-file FILE] [--confirmed HOST]...
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backends/common/autodiscover.h"

#define CONFIRMED_MAX 8

struct driver {
    struct loop *loop;
    struct autodiscover_look *look;
    struct autodiscover_ask *ask;
    json_t *out;
    const char *confirmed[CONFIRMED_MAX];
    size_t confirmed_count;
    const char *host;
    bool everything;
    struct autodiscover_net net;
};

static json_t *text(const char *z)
{
    return z ? json_string(z) : json_null();
}

static json_t *str_json(struct str s)
{
    return json_stringn(s.p ? s.p : "", s.n);
}

static void on_look(void *ud, const struct autodiscover_look_result *r)
{
    struct driver *d = ud;
    json_t *list = json_array();
    for (size_t i = 0; i < r->count; i++) {
        const struct autodiscover_candidate *c = &r->candidates[i];
        json_array_append_new(list,
                              json_pack("{s:i,s:s,s:i,s:i,s:i,s:s,s:i,s:i,s:b,s:o,s:o,s:o}", "kind", (int)c->kind,
                                        "name", c->name, "from", c->from, "trust", (int)c->trust, "verdict",
                                        (int)c->verdict, "words", autodiscover_verdict_text(c->verdict), "status",
                                        c->status, "schemes", (int)c->schemes, "frontend", (int)c->frontend, "lead",
                                        text(c->lead), "text", text(c->text), "versions", text(c->versions)));
    }
    d->out = json_pack("{s:o,s:i,s:i,s:i,s:o,s:o,s:o}", "candidates", list, "best", r->best, "best_ews", r->best_ews,
                       "best_eas", r->best_eas, "cloud", text(r->cloud ? r->cloud->name : NULL), "cloud_ews",
                       text(r->cloud_ews), "cloud_eas", text(r->cloud_eas));
    loop_stop(d->loop);
}

static void on_ask(void *ud, const struct autodiscover_ask_result *r)
{
    static const char *const outcomes[] = {"found", "confirm", "address", "failed"};
    struct driver *d = ud;
    json_t *mailboxes = json_array();
    for (size_t i = 0; i < r->outlook.mailbox_count; i++)
        json_array_append_new(mailboxes, str_json(r->outlook.mailboxes[i].address));
    d->out = json_pack("{s:s,s:o,s:o,s:o,s:b,s:s,s:s,s:o,s:o}", "outcome", outcomes[r->outcome], "next", text(r->next),
                       "ews", text(r->ews_url), "eas", text(r->eas_url), "accepted", (int)r->accepted, "err",
                       r->err.code ? err_name(r->err.code) : "none", "text", r->err.text, "address",
                       str_json(r->outlook.address), "mailboxes", mailboxes);
    loop_stop(d->loop);
}

static bool read_options(struct driver *d, int argc, char **argv, int i)
{
    for (; i < argc; i++) {
        if (strcmp(argv[i], "--everything") == 0)
            d->everything = true;
        else if (i + 1 == argc)
            return false;
        else if (strcmp(argv[i], "--host") == 0)
            d->host = argv[++i];
        else if (strcmp(argv[i], "--ca-file") == 0)
            d->net.ca_file = argv[++i];
        else if (strcmp(argv[i], "--confirmed") == 0 && d->confirmed_count < CONFIRMED_MAX)
            d->confirmed[d->confirmed_count++] = argv[++i];
        else
            return false;
    }
    return true;
}

static void run(struct driver *d, char **argv)
{
    struct login *login = NULL;
    if (strcmp(argv[1], "look") == 0) {
        struct autodiscover_look_opts o = {.net = d->net,
                                           .email = argv[2],
                                           .host = d->host,
                                           .confirmed = d->confirmed,
                                           .confirmed_count = d->confirmed_count,
                                           .everything = d->everything};
        d->look = autodiscover_look(&o, on_look, d);
    } else {
        login = login_new(d->loop, &(struct login_opts){.name = "test",
                                                        .user = argv[4],
                                                        .auth = HTTP_AUTH_BASIC,
                                                        .source = LOGIN_FILE,
                                                        .command_or_file = argv[5]});
        struct autodiscover_ask_opts o = {.net = d->net,
                                          .url = argv[3],
                                          .email = argv[2],
                                          .confirmed = d->confirmed,
                                          .confirmed_count = d->confirmed_count,
                                          .login = login};
        d->ask = autodiscover_ask(&o, on_ask, d);
    }
    loop_run(d->loop);
    autodiscover_look_free(&d->look);
    autodiscover_ask_free(&d->ask);
    login_free(&login);
}

int main(int argc, char **argv)
{
    struct driver d = {.loop = loop_new()};
    d.net = (struct autodiscover_net){.loop = d.loop, .user_agent = "exbridge", .tls_min = 0x0303};
    bool look = argc > 2 && strcmp(argv[1], "look") == 0, ask = argc > 5 && strcmp(argv[1], "ask") == 0;
    if ((!look && !ask) || !read_options(&d, argc, argv, look ? 3 : 6)) {
        fputs("autodiscover_driver: see its head\n", stderr);
        return 64;
    }
    run(&d, argv);
    json_dumpf(d.out, stdout, 0);
    json_decref(d.out);
    loop_free(d.loop);
    return 0;
}
