/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BRIDGE_CLI_SETUP_H
#define BRIDGE_CLI_SETUP_H
/*
 * The parts of `exbridge setup`, in the order in which they run. Each takes what the ones before have found, asks what
 * is still to be asked, and says false with an error that ends it. Nothing is written before setup_save().
 *
 *   cmd_setup.c     the flags, and the order
 *   setup_ask.c     talking to the person: at most six different questions in one run
 *   setup_find.c    the server: autodiscover, or what the flags say; which scheme, which backend
 *   setup_sign.c    who signs in, and with what; autodiscover's second half
 *   setup_try.c     the backend's own sign-in, folders, device policy
 *   setup_save.c    certificates, secret, local password, configuration file
 *   setup_start.c   the service, and what mail programs need to know
 *   setup_text.c    the texts of the configuration file
 */
#include "backends/common/autodiscover.h"
#include "backends/common/login.h"
#include "bridge/base/arena.h"
#include "bridge/cli/cli.h"
#include "bridge/cli/config_accounts.h"
#include "bridge/cli/setup_text.h"
#include "bridge/io/loop.h"

#define SETUP_CONFIRMED_MAX 4
#define SETUP_ASKED_MAX     6 /* different questions in one run */
#define SETUP_TRIES_MAX     3 /* of an answer that the server or the rules refuse */

/* What can be asked. Each counts once, however often it has to be asked again because the answer was of no use. */
enum setup_question {
    SETUP_ASK_ADDRESS,
    SETUP_ASK_HOST,    /* is that your company's server? or: what is its name? */
    SETUP_ASK_FOREIGN, /* it leads to another host: may that one have the credentials, too? */
    SETUP_ASK_USER,    /* the name for the server; with OAuth, the client id */
    SETUP_ASK_SECRET,
    SETUP_ASK_POLICY,
    SETUP_ASK_TRUST, /* only when fewer than SETUP_ASKED_MAX were asked before */
    SETUP_QUESTIONS
};

struct setup {
    struct cli *cli;
    struct arena arena;
    struct loop *loop;
    bool yes; /* --yes: nobody is asked what has a safe answer */
    bool asked[SETUP_QUESTIONS];
    const char *path;    /* of the configuration file */
    struct buf old_text; /* what is in it; empty without a file */
    struct config *old;  /* the same, read; NULL without a file */
    struct autodiscover_net net;
    const char *state_dir, *cache_dir; /* for a new file; NULL: the default ones */
    const char *host;                  /* --host, or named in an answer */
    const char *confirmed[SETUP_CONFIRMED_MAX];
    size_t confirmed_count;
    struct setup_values v;     /* what will be written */
    const char *service_login; /* --service-account: the section's name; v.email is for testing alone */
    const char *test_mailbox;  /* opened in the trial, in place of v.mailbox */
    const struct autodiscover_cloud *cloud;
    const char *pox_url; /* autodiscover's, to be asked with credentials; NULL = nobody to ask */
    const char *ews_url, *eas_url;
    unsigned schemes;        /* that the server offers */
    bool accepted;           /* the server has accepted the credentials */
    struct buf secret;       /* typed, or tokens; to be kept */
    struct login *login;     /* for autodiscover and the trial: one guard against locking the user out */
    struct config *trial;    /* what s->login was made from */
    struct buf eas_state;    /* what the trial's ActiveSync backend wants to be remembered: the device, above all */
    struct secrets *secrets; /* --login: where that login's secret is */
    struct config *saved;    /* setup_save: the file as it is now */
    bool hand_over;          /* a daemon is running: it is to store the secret */
    char *local_password;    /* for mail programs: shown once */
};

/* --- setup_ask.c --- */
void setup_say(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* a line on stderr */
bool setup_ask(struct setup *s, enum setup_question q, const char *question, const char *initial, const char **ret,
               struct err *err);
/* With --yes: `safe` says whether yes may be taken for granted; else it is an error that names `flag` as the way. */
bool setup_ask_yes(struct setup *s, enum setup_question q, const char *question, bool initial, bool safe,
                   const char *flag, bool *ret_yes, struct err *err);
bool setup_ask_password(struct setup *s, const char *question, struct err *err); /* into s->secret */
/* An address that somebody has entered; its domain becomes what the DNS has (xn--...), which is told. */
bool setup_check_address(struct setup *s, const char **email, struct err *err);
/* The same for a host or URL. */
bool setup_read_url(struct setup *s, const char **url, struct err *err);
bool setup_ask_address(struct setup *s, struct err *err);
bool setup_is_confirmed(const struct setup *s, const char *url);
void setup_confirm(struct setup *s, const char *url); /* the user has said yes to its host */

/* --- setup_find.c --- */
bool setup_find(struct setup *s, struct err *err);
/* "mail.example.com": as people see it. In the arena. */
const char *setup_host_of(struct setup *s, const char *url);
/* May the credentials go to this URL's host? Asks when that is not clear yet. */
bool setup_may_send(struct setup *s, const char *url, const char *named_by, struct err *err);
/* One look without credentials. */
struct autodiscover_probe_result setup_probe(struct setup *s, enum autodiscover_kind kind, const char *url);

/* --- setup_sign.c --- */
bool setup_sign(struct setup *s, struct err *err);
/* Pure: the `auth` value for what a server offers. */
const char *setup_choose_auth(unsigned schemes, bool ticket, bool cloud, bool eas);
/* The server has refused the credentials: say what is known, and ask again where that makes sense. *tries counts. */
bool setup_ask_again(struct setup *s, int *tries, struct err *err);
bool setup_is_typed(const struct setup *s); /* a password that somebody enters, and that we keep */

/* --- setup_try.c --- */
/* The configuration as it will be, as far as this account goes; *ret_config is the caller's to free. */
const struct config_account *setup_trial_config(struct setup *s, struct config **ret_config, struct err *err);
/* s->login, anew from s->v and s->secret. */
bool setup_trial_login(struct setup *s, struct err *err);
/* OAuth: a person signs in; the tokens are in s->secret then, and s->login has them. */
bool setup_trial_sign_in(struct setup *s, struct err *err);
bool setup_try(struct setup *s, struct err *err);

/* --- setup_save.c --- */
bool setup_save(struct setup *s, struct err *err);

/* --- setup_start.c --- */
void setup_start(struct setup *s);

#endif
