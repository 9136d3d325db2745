/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "bridge/base/log.h"
#include "bridge/base/time.h"
#include "bridge/run/run.h"
#include "certs/certs.h"

#define CERT_WARN_S ((int64_t)365 * 86400) /* before the CA ends */

static bool publish(struct program *p, const struct certs *c, struct err *err)
{
    const char *slash = strrchr(p->config->path, '/');
    struct str dir = slash ? str_of(p->config->path, (size_t)(slash - p->config->path) + 1) : STR("");
    struct buf path = BUF_INIT(0);
    buf_str(&path, dir);
    buf_lit(&path, "ca.pem");
    bool ok = certs_publish(c, buf_z(&path), err);
    if (ok && c->made_ca)
        log_info("certs", NULL, "made a certification authority for localhost; clients find it in %s", buf_z(&path));
    buf_done(&path);
    return ok;
}

static bool load_pair(struct program *p, const char *chain_file, const char *key_file, struct err *err)
{
    return tls_server_load(p->imap_tls, chain_file, key_file, err) &&
           tls_server_load(p->smtp_tls, chain_file, key_file, err) &&
           tls_server_load(p->dav_tls, chain_file, key_file, err);
}

static bool load_own_certs(struct program *p, struct err *err)
{
    struct certs c;
    struct err publish_err;
    if (!certs_ensure(p->certs_dir, &c, err))
        return false;
    if (c.made_leaf)
        log_info("certs", NULL, "made a certificate for localhost");
    if (c.ca_expires_s - time_wall_s() < CERT_WARN_S)
        log_warn("certs", NULL, "the local CA %s ends within a year; exbridge doctor says how to make a new one",
                 c.ca_file);
    if (!publish(p, &c, &publish_err))
        log_warn("certs", NULL, "%s; clients find the CA in %s", publish_err.text, c.ca_file);
    bool ok = load_pair(p, c.chain_file, c.key_file, err);
    certs_done(&c);
    return ok;
}

bool run_load_certs(struct program *p, struct err *err)
{
    const struct config_server *v = &p->config->server;
    if (!v->tls)
        return true;
    if (!p->imap_tls) {
        p->imap_tls = tls_server_new("imap");
        p->smtp_tls = tls_server_new(NULL); /* no name is registered */
        p->dav_tls = tls_server_new("http/1.1");
    }
    return v->cert ? load_pair(p, v->cert, v->key, err) : load_own_certs(p, err);
}

void run_check_certs(void *ud)
{
    struct program *p = ud;
    struct err err;
    if (!run_load_certs(p, &err))
        log_error("certs", NULL, "%s", err.text);
    timer_start(p->certs_timer, CERTS_CHECK_MS);
}
