/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/ews/ews.h"

#include <string.h>

#include "backends/ews/ews_backend.h"
#include "backends/ews/ews_call.h"
#include "backends/ews/ews_events.h"
#include "bridge/base/mem.h"
#include "bridge/base/time.h"

static const struct ews_tuning usual = {
    .patience = {.tries = 3, .first_ms = 500, .busy_ms = 2000, .wait_max_ms = 20000},
    .stall_s = 90, /* Exchange gives a request a minute */
    .timeout_s = 300,
    .bulk_timeout_s = 3600,
    .slow_ms = 25000,
    .stream_minutes = 29,
    .stream_grace_s = 60,
    .stream_first_ms = 60000,
    .stream_gap_ms = 1000,
    .stream_linger_ms = 60000,
    .stream_retry_ms = 120000,
    .stream_again_ms = 30 * 60 * 1000,
    .auth_pause_ms = 1000,
    .settle_ms = 10000,
};

/* What administrators hand out is sometimes the address of the service's description. */
static char *endpoint(const char *url)
{
    static const char *const wrong[] = {"/Services.wsdl", "/services.wsdl", "/Exchange.asmx?wsdl"};
    struct str u = str_from(url);
    struct buf out = BUF_INIT(8192);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (str_ends(u, str_from(wrong[i]))) {
            buf_str(&out, str_sub(u, 0, u.n - strlen(wrong[i])));
            buf_lit(&out, "/Exchange.asmx");
            char *fixed = str_dup(buf_view(&out));
            buf_done(&out);
            return fixed;
        }
    }
    return mem_strdup(url);
}

static bool check(const struct backend_config *c, struct err *err)
{
    if (!c->url || !*c->url)
        return err_set(err, ERR_INVALID, "account %s has no url; run `exbridge setup`", c->name);
    if (!c->login || !c->email || !c->loop)
        return err_set(err, ERR_INTERNAL, "account %s: no login, address or loop", c->name);
    if (c->impersonate && !c->mailbox)
        return err_set(err, ERR_INVALID, "account %s: access = impersonation needs mailbox", c->name);
    return true;
}

static void load_negotiation(struct ews *e)
{
    struct buf saved = BUF_INIT(256);
    if (e->config.host.persist_get)
        (void)e->config.host.persist_get(e->config.host.ud, STR("ews.version"), &saved);
    ews_negotiation_init(&e->negotiation, buf_view(&saved));
    buf_done(&saved);
}

void ews_save_negotiation(struct ews *e)
{
    struct buf value = BUF_INIT(256);
    struct err err;
    ews_negotiation_save(&e->negotiation, &value);
    if (e->config.host.persist_put &&
        !e->config.host.persist_put(e->config.host.ud, STR("ews.version"), buf_view(&value), &err))
        log_warn("ews", e->config.name, "%s", err.text); /* only costs a request after the next start */
    buf_done(&value);
}

static struct backend *open_backend(const struct backend_config *config, struct err *err)
{
    if (!check(config, err))
        return NULL;
    struct ews *e = MEM_NEW(struct ews);
    e->base.ops = &ews_ops;
    e->base.loop = config->loop;
    e->base.caps = CAP_KEYWORDS | CAP_COPY | CAP_APPEND | CAP_ANSWERED | CAP_CALENDAR | CAP_TASKS | CAP_SCHEDULING |
                   CAP_FREE_BUSY | CAP_TELLS_OWN | CAP_SENDS_ONCE | CAP_QUOTA;
    if (!config->archive && (!config->mailbox || config->impersonate))
        e->base.caps |= CAP_PUSH_ALL;
    e->base.limits = (struct backend_limits){
        .sync_page = EWS_SYNC_PAGE,
        .fetch_header_batch = EWS_HEADER_BATCH,
        .fetch_message_batch = EWS_MESSAGE_BATCH,
        .fetch_message_bytes = EWS_MESSAGE_BYTES,
        .fetch_parallel = EWS_FETCH_PARALLEL,
        .write_batch = EWS_WRITE_BATCH,
    };
    e->config = *config;
    if (e->config.message_limit == 0)
        e->config.message_limit = EWS_MESSAGE_LIMIT;
    e->url = endpoint(config->url);
    e->tuning = usual;
    e->lost_ms = time_mono_ms(); /* the process before may have been killed just now */
    e->calls_max = EWS_CALLS_MAX;
    e->sync_page = EWS_SYNC_PAGE;
    list_init(&e->calls);
    list_init(&e->queue);
    load_negotiation(e);
    ews_limit_load(e);
    e->http = http_client_new(config->loop, &(struct http_client_opts){
                                                .account = config->name,
                                                .user_agent = config->user_agent,
                                                .ca_file = config->ca_file,
                                                .proxy = config->proxy,
                                                .client_cert = config->client_cert,
                                                .client_key = config->client_key,
                                                .tls_min = config->tls_min,
                                                .max_connections = EWS_CALLS_MAX + 1,
                                            });
    return &e->base;
}

static void reconnect(struct backend *b)
{
    struct ews *e = (struct ews *)b;
    http_client_forget_connections(e->http);
    ews_watch_reconnect(e);
}

static void close_backend(struct backend *b)
{
    struct ews *e = (struct ews *)b;
    ews_watch_close(e);
    ews_trace(b, NULL);
    http_client_free(&e->http);
    for (size_t i = 0; i < sizeof(e->roles) / sizeof(e->roles[0]); i++)
        mem_free(e->roles[i]);
    mem_free(e->url);
    mem_free(e);
}

const struct backend_ops ews_ops = {
    .name = "ews",
    .open = open_backend,
    .close = close_backend,
    .reconnect = reconnect,
    .facts = ews_facts,
    .trace = ews_trace,
    .login = ews_login,
    .folders = ews_folders,
    .sync = ews_sync,
    .fetch = ews_fetch,
    .watch = ews_watch_op,
    .flag = ews_flag,
    .move = ews_move,
    .copy = ews_copy,
    .remove = ews_remove,
    .append = ews_append,
    .find_appended = ews_find_appended,
    .quota = ews_quota,
    .send_limit = ews_send_limit,
    .send = ews_send,
    .sync_events = ews_sync_events,
    .event_fetch = ews_event_fetch,
    .event_put = ews_event_put,
    .event_remove = ews_event_remove,
    .event_respond = ews_event_respond,
    .event_attachment = ews_event_attachment,
    .free_busy = ews_free_busy,
    .folder_create = ews_folder_create,
    .folder_change = ews_folder_change,
    .folder_remove = ews_folder_remove,
};
