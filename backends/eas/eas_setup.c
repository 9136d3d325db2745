/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Getting ready: OPTIONS, DeviceInformation, Provision in both phases, remote wipe (MS-ASPROV 3.1.5.1,
 * MS-ASCMD 2.2.1.18). One run at a time; commands that cannot go on wait in setup.waiting and are resumed or failed
 * together.
 */
#include <sys/utsname.h>

#include "backends/eas/eas_backend.h"
#include "backends/eas/eas_status.h"
#include "bridge/base/time.h"

#define POLICY_TYPE      "MS-EAS-Provisioning-WBXML"
#define HOUR_MS          ((uint64_t)3600 * 1000)
#define WIPE_ACK_S       10
#define UNMET_TEXT       120 /* bytes of the list of unmet policies in an error */
#define POLICY_NONE      2   /* Policy/Status: there is no policy for this client */
#define POLICY_WRONG_KEY 5

static void next_step(struct eas_backend *b);

/* --- the end of a run -------------------------------------------------------------------------------------------- */

static void end_run(struct eas_backend *b, const struct err *err)
{
    struct list ready;

    b->setup.step = EAS_SETUP_IDLE;
    eas_health(b, err);
    /* Who is resumed may wait for the next run: take the queue away first. */
    list_init(&ready);
    while (!list_empty(&b->setup.waiting)) {
        struct list *link = b->setup.waiting.next;

        list_remove(link);
        list_append(&ready, link);
    }
    while (!list_empty(&ready))
        eas_call_resume(LIST_ITEM(ready.next, struct eas_call, waiting), err);
}

static void end_refused(struct eas_backend *b, const struct err *err)
{
    b->setup.refused = *err;
    end_run(b, err);
}

static void save_and_go_on(struct eas_backend *b)
{
    struct err err = {0};

    if (eas_state_save(&b->state, &b->config, &err))
        next_step(b);
    else
        end_run(b, &err);
}

/* --- requests ---------------------------------------------------------------------------------------------------- */

static void write_device(struct eas_backend *b, struct eas_writer *w)
{
    struct utsname name;

    eas_write_open(w, Settings_DeviceInformation);
    eas_write_open(w, Settings_Set);
    eas_write_text(w, Settings_Model, STR(EAS_DEVICE_TYPE));
    eas_write_text(w, Settings_FriendlyName, STR(EAS_DEVICE_TYPE));
    eas_write_text(w, Settings_OS, str_from(uname(&name) == 0 ? name.sysname : "Unix"));
    eas_write_text(w, Settings_OSLanguage, STR("English"));
    eas_write_text(w, Settings_UserAgent, str_from(b->config.user_agent));
    eas_write_close(w);
    eas_write_close(w);
}

static void start(struct eas_backend *b, enum eas_setup_step step, const struct eas_request *request)
{
    eas_call_close(&b->setup.call);
    eas_call_init(&b->setup.call, b, request, b);
    b->setup.call.reader = &b->setup.answer;
    b->setup.step = step;
}

/* --- OPTIONS and device information ------------------------------------------------------------------------------ */

static void on_options(void *ud, const struct err *err)
{
    struct eas_backend *b = ud;
    struct err copy = *err;

    if (eas_options_assume(b, err) || (copy.code == ERR_NONE && eas_options_take(b, b->setup.call.http, &copy)))
        next_step(b);
    else
        end_run(b, &copy);
}

static void ask_options(struct eas_backend *b)
{
    static const struct eas_request request = {.command = EAS_OPTIONS, .setup = true, .done = on_options};

    start(b, EAS_SETUP_OPTIONS, &request);
    eas_call_start(&b->setup.call);
}

static bool is_policy(const struct err *err, int status)
{
    const struct eas_status *entry = eas_status_find(status);

    return err->status == 449 || (entry && entry->action == EAS_ACTION_PROVISION);
}

/* Nothing depends on it: a server that does not want to know is left alone for this run. */
static void on_device(void *ud, const struct err *err)
{
    struct eas_backend *b = ud;
    int status = b->setup.call.answer.status;

    if (err->code == ERR_DENIED && err->status == 403 && b->state.version == 121 &&
        strcmp(b->state.policy_key, "0") == 0) {
        b->setup.need_policy = true; /* 12.1 says 403 where later versions say 142 */
        next_step(b);
        return;
    }
    if (err->code == ERR_AUTH || err->code == ERR_THROTTLED || err->code == ERR_DENIED ||
        (err->code == ERR_OFFLINE && err->status != 500)) {
        end_run(b, err);
        return;
    }
    if (err->code != ERR_NONE && is_policy(err, status)) {
        b->setup.need_policy = true;
        next_step(b);
        return;
    }
    if (status == 140)
        b->setup.wipe_asked = true;
    if (err->code == ERR_NONE && (status == 1 || status == 0))
        b->state.device_told = true;
    else
        b->setup.device_refused = true;
    save_and_go_on(b);
}

static const struct eas_rule settings_list[] = {{.tag = Settings_Settings}};
static const struct eas_rules settings_rules = {settings_list, 1};

static bool write_settings(void *ud, struct eas_writer *w, struct err *err)
{
    (void)err;
    eas_write_open(w, Settings_Settings);
    write_device(ud, w);
    eas_write_close(w);
    return true;
}

static void tell_device(struct eas_backend *b)
{
    static const struct eas_request request = {
        .command = EAS_SETTINGS, .setup = true, .rules = &settings_rules, .write = write_settings, .done = on_device};

    start(b, EAS_SETUP_DEVICE, &request);
    b->setup.call.tries_server = EAS_RETRIES_SERVER; /* not worth waiting for */
    eas_call_start(&b->setup.call);
}

/* --- remote wipe (MS-ASPROV 3.1.5.1.2.2) ------------------------------------------------------------------------- */

static void on_wiped(void *ud, const struct err *err)
{
    struct eas_backend *b = ud;
    struct err gone = {0};

    log_warn("eas", b->config.name, "remote wipe: %s",
             err->code == ERR_NONE ? "acknowledged" : "done, not acknowledged");
    err_set(&gone, ERR_POLICY, "the administrator ordered the data of this account to be destroyed");
    end_run(b, &gone);
}

static bool write_wiped(void *ud, struct eas_writer *w, struct err *err)
{
    struct eas_setup *setup = &((struct eas_backend *)ud)->setup;

    (void)err;
    eas_write_open(w, Provision_Provision);
    eas_write_open(w, setup->account_only ? Provision_AccountOnlyRemoteWipe : Provision_RemoteWipe);
    eas_write_uint(w, Provision_Status, 1);
    eas_write_close(w);
    eas_write_close(w);
    setup->answer = (struct eas_provision){0};
    return true;
}

/* Data first, then the acknowledgement, once; whether it arrives is not waited for by anybody. */
static void wipe(struct eas_backend *b)
{
    static const struct eas_request request = {.command = EAS_PROVISION,
                                               .setup = true,
                                               .rules = &eas_provision_rules,
                                               .write = write_wiped,
                                               .patient = true,
                                               .done = on_wiped};

    log_warn("eas", b->config.name, "remote wipe ordered by the server's administrator");
    b->wiped = true;
    b->config.host.wipe(b->config.host.ud, "the administrator ordered the data of this account to be destroyed");
    b->setup.account_only = b->setup.answer.account_wipe && !b->setup.answer.wipe;
    start(b, EAS_SETUP_WIPE, &request);
    b->setup.call.policy_key = "0";
    b->setup.call.timeout_s = WIPE_ACK_S;
    eas_call_start(&b->setup.call);
    eas_stop_calls(b);
}

/* --- policies ---------------------------------------------------------------------------------------------------- */

static void end_unmet(struct eas_backend *b, const char *what)
{
    struct arena arena = {0};
    struct str unmet = eas_policy_text(&b->setup.answer.policy, &arena, UNMET_TEXT);
    struct err err = {0};

    err_set(&err, ERR_POLICY, "%s: %.*s", what, STR_ARG(unmet));
    arena_done(&arena);
    end_refused(b, &err);
}

static void take_key(struct eas_backend *b, const char *key)
{
    struct eas_setup *setup = &b->setup;

    memcpy(b->state.policy_key, key, strlen(key) + 1);
    b->state.filter = setup->answer.policy.email_age; /* cursors carry them: the folders are synchronised anew */
    b->state.calendar_filter = setup->answer.policy.calendar_age;
    setup->need_policy = false;
    setup->refused = (struct err){0};
    save_and_go_on(b);
}

/* What both phases have in common; false when the run has ended or was sent elsewhere. */
static bool provision_answered(struct eas_backend *b, const struct err *err)
{
    struct eas_setup *setup = &b->setup;
    int status = setup->call.answer.status;
    struct err copy = *err;

    if (setup->answer.wipe || setup->answer.account_wipe) {
        wipe(b);
        return false;
    }
    if (copy.code == ERR_NONE && status > 1) /* absent is fine: some servers leave it out */
        err_set(&copy, status == 3 ? ERR_OFFLINE : ERR_PROTOCOL, "Provision: the server answered status %d", status);
    if (copy.code == ERR_NONE && setup->answer.policy_status > POLICY_NONE &&
        (setup->answer.policy_status != POLICY_WRONG_KEY || setup->restarted))
        err_set(&copy, ERR_POLICY, "Provision: the server's policy cannot be had (status %d)",
                setup->answer.policy_status);
    if (copy.code == ERR_POLICY)
        end_refused(b, &copy);
    else if (copy.code != ERR_NONE)
        end_run(b, &copy);
    if (copy.code != ERR_NONE)
        return false;
    if (setup->answer.policy_status == POLICY_WRONG_KEY) {
        setup->restarted = true;
        next_step(b);
        return false;
    }
    return true;
}

static void on_acknowledged(void *ud, const struct err *err)
{
    struct eas_backend *b = ud;
    struct eas_setup *setup = &b->setup;
    struct eas_policy policy = setup->policy;

    setup->answer.policy = policy; /* the second answer does not repeat it */
    if (!provision_answered(b, err))
        return;
    if (setup->answer.key[0] == '\0') {
        end_unmet(b,
                  "the server does not accept that its policy is met only in part; an administrator must allow that");
        return;
    }
    log_info("eas", b->config.name, "policy acknowledged with status %d", setup->acknowledgement);
    take_key(b, setup->answer.key);
}

static bool write_acknowledgement(void *ud, struct eas_writer *w, struct err *err)
{
    struct eas_setup *setup = &((struct eas_backend *)ud)->setup;

    (void)err;
    setup->answer = (struct eas_provision){0};
    eas_write_open(w, Provision_Provision);
    eas_write_open(w, Provision_Policies);
    eas_write_open(w, Provision_Policy);
    eas_write_text(w, Provision_PolicyType, STR(POLICY_TYPE));
    eas_write_text(w, Provision_PolicyKey, str_from(setup->temporary_key));
    eas_write_uint(w, Provision_Status, setup->acknowledgement);
    eas_write_close(w);
    eas_write_close(w);
    eas_write_close(w);
    return true;
}

static void acknowledge(struct eas_backend *b)
{
    static const struct eas_request request = {.command = EAS_PROVISION,
                                               .setup = true,
                                               .rules = &eas_provision_rules,
                                               .write = write_acknowledgement,
                                               .done = on_acknowledged};
    struct eas_setup *setup = &b->setup;

    setup->policy = setup->answer.policy;
    memcpy(setup->temporary_key, setup->answer.key, sizeof(setup->temporary_key));
    start(b, EAS_SETUP_ACKNOWLEDGE, &request);
    setup->call.policy_key = setup->temporary_key;
    eas_call_start(&setup->call);
}

static void on_asked(void *ud, const struct err *err)
{
    struct eas_backend *b = ud;
    struct eas_setup *setup = &b->setup;
    struct err none = {0};

    if (!provision_answered(b, err))
        return;
    if (b->state.version >= 141)
        b->state.device_told = true;
    if (setup->wipe_asked) {
        setup->wipe_asked = false;
        err_set(&none, ERR_POLICY, "the server announced that data is to be destroyed, and then did not order it");
        end_run(b, &none);
        return;
    }
    if (setup->answer.policy_status == POLICY_NONE || setup->answer.key[0] == '\0') {
        take_key(b, "0");
        return;
    }
    setup->acknowledgement = eas_policy_answer(&setup->answer.policy, (enum provision_answer)b->config.provision);
    if (setup->acknowledgement == EAS_ACK_NONE)
        end_unmet(
            b, "the server demands what exbridge cannot do on this machine (`provision = accept` says so to the server "
               "and asks to go on)");
    else
        acknowledge(b);
}

static bool too_many_rounds(struct eas_backend *b)
{
    struct eas_setup *setup = &b->setup;
    uint64_t now = time_mono_ms();

    if (setup->rounds_ms[0] != 0 && now - setup->rounds_ms[0] < HOUR_MS)
        return true;
    for (unsigned i = 1; i < EAS_PROVISION_ROUNDS; i++)
        setup->rounds_ms[i - 1] = setup->rounds_ms[i];
    setup->rounds_ms[EAS_PROVISION_ROUNDS - 1] = now;
    return false;
}

/* Phase 1. For a wipe that a status announced: an empty Provision, which the server answers with its order. */
static bool write_question(void *ud, struct eas_writer *w, struct err *err)
{
    struct eas_backend *b = ud;

    (void)err;
    b->setup.answer = (struct eas_provision){0};
    eas_write_open(w, Provision_Provision);
    if (!b->setup.wipe_asked) {
        if (b->state.version >= 141)
            write_device(b, w);
        eas_write_open(w, Provision_Policies);
        eas_write_open(w, Provision_Policy);
        eas_write_text(w, Provision_PolicyType, STR(POLICY_TYPE));
        eas_write_close(w);
        eas_write_close(w);
    }
    eas_write_close(w);
    return true;
}

static void ask_policy(struct eas_backend *b)
{
    static const struct eas_request request = {.command = EAS_PROVISION,
                                               .setup = true,
                                               .rules = &eas_provision_rules,
                                               .write = write_question,
                                               .done = on_asked};

    start(b, EAS_SETUP_ASK, &request);
    b->setup.call.policy_key = "0";
    eas_call_start(&b->setup.call);
}

static void provision(struct eas_backend *b)
{
    struct eas_setup *setup = &b->setup;
    struct err err = setup->refused;

    if (!too_many_rounds(b)) {
        ask_policy(b);
        return;
    }
    if (err.code == ERR_NONE)
        err_set(&err, ERR_POLICY,
                "the server keeps demanding a device policy that was acknowledged; an administrator must "
                "allow devices that cannot be fully provisioned");
    end_run(b, &err);
}

/* --- the run ----------------------------------------------------------------------------------------------------- */

static void next_step(struct eas_backend *b)
{
    struct err none = {0};

    if (b->state.version == 0)
        ask_options(b);
    else if (b->setup.need_policy || b->setup.wipe_asked)
        provision(b);
    else if (!b->state.device_told && !b->setup.device_refused)
        tell_device(b);
    else
        end_run(b, &none);
}

static void on_start(void *ud)
{
    struct eas_backend *b = ud;

    b->setup.restarted = false;
    next_step(b);
}

void eas_setup_init(struct eas_backend *b)
{
    list_init(&b->setup.waiting);
    deferred_init(&b->setup.deferred, on_start, b);
}

bool eas_setup_ready(const struct eas_backend *b)
{
    const struct eas_setup *setup = &b->setup;

    return setup->step == EAS_SETUP_IDLE && b->state.version != 0 && !setup->need_policy && !setup->wipe_asked &&
           (b->state.device_told || setup->device_refused);
}

void eas_setup_wait(struct eas_backend *b, struct eas_call *call)
{
    list_append(&b->setup.waiting, &call->waiting);
    if (b->setup.step == EAS_SETUP_IDLE)
        loop_defer(b->base.loop, &b->setup.deferred);
}

void eas_setup_done(struct eas_backend *b)
{
    loop_defer_cancel(&b->setup.deferred);
    eas_call_close(&b->setup.call);
}
