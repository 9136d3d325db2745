/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/common/autodiscover_read.h"

#include <jansson.h>

#include "bridge/base/mem.h"
#include "bridge/base/text.h"
#include "bridge/formats/xml.h"

#define SCHEMA        "http://schemas.microsoft.com/exchange/autodiscover/"
#define SOAP_SCHEMA   "http://schemas.microsoft.com/exchange/2010/Autodiscover"
#define ELEMENTS_MAX  5000
#define JSON_SIZE_MAX ((size_t)64 << 10)

/* --- the request --------------------------------------------------------------------------------- */

/* MS-OXWSADISC 3.1.4.7: GetUserSettings */
static void write_soap(struct buf *out, struct str url, struct str email)
{
    static const char *const settings[] = {"ExternalEwsUrl", "InternalEwsUrl", "AutoDiscoverSMTPAddress",
                                           "UserDisplayName"};
    struct xml_writer w;
    xml_writer_init(&w, out);
    xml_declaration(&w);
    xml_open(&w, "soap:Envelope");
    xml_attr_lit(&w, "xmlns:soap", "http://schemas.xmlsoap.org/soap/envelope/");
    xml_attr_lit(&w, "xmlns:wsa", "http://www.w3.org/2005/08/addressing");
    xml_attr_lit(&w, "xmlns:a", SOAP_SCHEMA);
    xml_open(&w, "soap:Header");
    xml_leaf_lit(&w, "a:RequestedServerVersion", "Exchange2010");
    xml_leaf_lit(&w, "wsa:Action", SOAP_SCHEMA "/Autodiscover/GetUserSettings");
    xml_leaf(&w, "wsa:To", url);
    xml_close(&w);
    xml_open(&w, "soap:Body");
    xml_open(&w, "a:GetUserSettingsRequestMessage");
    xml_open(&w, "a:Request");
    xml_open(&w, "a:Users");
    xml_open(&w, "a:User");
    xml_leaf(&w, "a:Mailbox", email);
    xml_close(&w);
    xml_close(&w);
    xml_open(&w, "a:RequestedSettings");
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        xml_leaf_lit(&w, "a:Setting", settings[i]);
    while (w.depth)
        xml_close(&w);
}

void autodiscover_write(struct buf *out, enum autodiscover_schema schema, struct str url, struct str email)
{
    static const struct {
        const char *request, *answer;
    } names[] = {
        [AUTODISCOVER_OUTLOOK] = {SCHEMA "outlook/requestschema/2006", SCHEMA "outlook/responseschema/2006a"},
        [AUTODISCOVER_MOBILE] = {SCHEMA "mobilesync/requestschema/2006", SCHEMA "mobilesync/responseschema/2006"},
    };
    struct xml_writer w;
    if (schema == AUTODISCOVER_SOAP) {
        write_soap(out, url, email);
        return;
    }
    xml_writer_init(&w, out);
    xml_declaration(&w);
    xml_open(&w, "Autodiscover");
    xml_attr_lit(&w, "xmlns", names[schema].request);
    xml_open(&w, "Request");
    xml_leaf(&w, "EMailAddress", email);
    xml_leaf_lit(&w, "AcceptableResponseSchema", names[schema].answer);
    xml_close(&w);
    xml_close(&w);
}

/* --- POX answers ------------------------------------------------------------------------------------ */

enum { NS_BASE = 1, NS_OUTLOOK, NS_MOBILE, NS_SOAP };
enum {
    EL_RESPONSE = 1,
    EL_ERROR,
    EL_ERROR_CODE,
    EL_STATUS,
    EL_MESSAGE,
    EL_USER,
    EL_DISPLAY_NAME,
    EL_ADDRESS,
    EL_ACCOUNT,
    EL_ACTION,
    EL_REDIRECT_ADDRESS,
    EL_REDIRECT_URL,
    EL_ONLINE,
    EL_PROTOCOL,
    EL_TYPE,
    EL_SERVER,
    EL_AUTH_PACKAGE,
    EL_EWS_URL,
    EL_AS_URL,
    EL_OOF_URL,
    EL_OAB_URL,
    EL_INTERNAL,
    EL_EXTERNAL,
    EL_OWA_URL,
    EL_ALTERNATIVE,
    EL_SMTP_ADDRESS,
    EL_PUBLIC_FOLDERS,
    EL_M_SERVER,
    EL_M_TYPE,
    EL_M_URL,
    EL_S_RESPONSE,
    EL_S_USER,
    EL_S_CODE,
    EL_S_TARGET,
    EL_S_SETTING,
    EL_S_NAME,
    EL_S_VALUE
};

static const char *const namespaces[] = {SCHEMA "responseschema/2006", SCHEMA "outlook/responseschema/2006a",
                                         SCHEMA "mobilesync/responseschema/2006", SOAP_SCHEMA};

static const struct xml_tag tags[] = {
    {NS_BASE, "Response", EL_RESPONSE},
    {NS_BASE, "Error", EL_ERROR},
    {NS_BASE, "ErrorCode", EL_ERROR_CODE},
    {NS_BASE, "Message", EL_MESSAGE},

    {NS_OUTLOOK, "Response", EL_RESPONSE},
    {NS_OUTLOOK, "Error", EL_ERROR},
    {NS_OUTLOOK, "ErrorCode", EL_ERROR_CODE},
    {NS_OUTLOOK, "Message", EL_MESSAGE},
    {NS_OUTLOOK, "User", EL_USER},
    {NS_OUTLOOK, "DisplayName", EL_DISPLAY_NAME},
    {NS_OUTLOOK, "AutoDiscoverSMTPAddress", EL_ADDRESS},
    {NS_OUTLOOK, "Account", EL_ACCOUNT},
    {NS_OUTLOOK, "Action", EL_ACTION},
    {NS_OUTLOOK, "RedirectAddr", EL_REDIRECT_ADDRESS},
    {NS_OUTLOOK, "RedirectUrl", EL_REDIRECT_URL},
    {NS_OUTLOOK, "MicrosoftOnline", EL_ONLINE},
    {NS_OUTLOOK, "Protocol", EL_PROTOCOL},
    {NS_OUTLOOK, "Type", EL_TYPE},
    {NS_OUTLOOK, "Server", EL_SERVER},
    {NS_OUTLOOK, "AuthPackage", EL_AUTH_PACKAGE},
    {NS_OUTLOOK, "EwsUrl", EL_EWS_URL},
    {NS_OUTLOOK, "ASUrl", EL_AS_URL},
    {NS_OUTLOOK, "OOFUrl", EL_OOF_URL},
    {NS_OUTLOOK, "OABUrl", EL_OAB_URL},
    {NS_OUTLOOK, "Internal", EL_INTERNAL},
    {NS_OUTLOOK, "External", EL_EXTERNAL},
    {NS_OUTLOOK, "OWAUrl", EL_OWA_URL},
    {NS_OUTLOOK, "AlternativeMailbox", EL_ALTERNATIVE},
    {NS_OUTLOOK, "SmtpAddress", EL_SMTP_ADDRESS},
    {NS_OUTLOOK, "PublicFolderInformation", EL_PUBLIC_FOLDERS},

    {NS_MOBILE, "Response", EL_RESPONSE},
    {NS_MOBILE, "Error", EL_ERROR},
    {NS_MOBILE, "ErrorCode", EL_ERROR_CODE},
    {NS_MOBILE, "Status", EL_STATUS},
    {NS_MOBILE, "Message", EL_MESSAGE},
    {NS_MOBILE, "User", EL_USER},
    {NS_MOBILE, "DisplayName", EL_DISPLAY_NAME},
    {NS_MOBILE, "EMailAddress", EL_ADDRESS},
    {NS_MOBILE, "Action", EL_ACTION},
    {NS_MOBILE, "Redirect", EL_REDIRECT_ADDRESS},
    {NS_MOBILE, "Server", EL_M_SERVER},
    {NS_MOBILE, "Type", EL_M_TYPE},
    {NS_MOBILE, "Url", EL_M_URL},

    {NS_SOAP, "Response", EL_S_RESPONSE},
    {NS_SOAP, "UserResponse", EL_S_USER},
    {NS_SOAP, "ErrorCode", EL_S_CODE},
    {NS_SOAP, "RedirectTarget", EL_S_TARGET},
    {NS_SOAP, "UserSetting", EL_S_SETTING},
    {NS_SOAP, "Name", EL_S_NAME},
    {NS_SOAP, "Value", EL_S_VALUE},
};

struct autodiscover_reader {
    struct xml *xml;
    struct arena *arena;
    struct autodiscover_answer *answer;
    bool answered, error;
    struct str action;
    struct autodiscover_protocol protocol; /* the one that is open */
    struct str protocol_type, owa_internal;
    struct autodiscover_mailbox mailbox;
    struct str server_type, server_url;
    struct str setting_name, setting_value; /* SOAP */
};

static enum xml_want on_start(void *ctx, struct xml *x, const struct xml_name *name, const struct xml_attr *attrs,
                              size_t n)
{
    struct autodiscover_reader *r = ctx;
    (void)attrs;
    (void)n;
    switch (name->id) {
    case EL_RESPONSE:
    case EL_S_RESPONSE:
        r->answered = true;
        break;
    case EL_S_SETTING:
        r->setting_name = r->setting_value = STR_NULL;
        break;
    case EL_ERROR:
        r->error = true;
        break;
    case EL_PROTOCOL:
        if (xml_parent(x, 1) != EL_ACCOUNT) /* in Internal and External of WEB: nothing that is not in the others */
            return XML_SKIP;
        r->protocol = (struct autodiscover_protocol){.there = true};
        r->protocol_type = r->owa_internal = STR_NULL;
        break;
    case EL_ALTERNATIVE:
        r->mailbox = (struct autodiscover_mailbox){.type = STR_NULL};
        break;
    case EL_M_SERVER:
        r->server_type = r->server_url = STR_NULL;
        break;
    default:
        break;
    }
    return XML_COLLECT;
}

static struct str keep(struct autodiscover_reader *r, struct str text)
{
    text = str_trim(text);
    return text.n && text.n <= AUTODISCOVER_VALUE_MAX ? arena_str(r->arena, text) : STR_NULL;
}

static void end_protocol(struct autodiscover_reader *r)
{
    static const char *const types[] = {[AUTODISCOVER_EXPR] = "EXPR",
                                        [AUTODISCOVER_EXHTTP] = "EXHTTP",
                                        [AUTODISCOVER_EXCH] = "EXCH",
                                        [AUTODISCOVER_WEB] = "WEB"};
    for (size_t i = 0; i < AUTODISCOVER_SECTIONS; i++)
        if (str_case_is(r->protocol_type, types[i]))
            r->answer->sections[i] = r->protocol;
}

static void end_mailbox(struct autodiscover_reader *r)
{
    struct autodiscover_answer *a = r->answer;
    if (r->mailbox.address.n && a->mailbox_count < AUTODISCOVER_MAILBOXES_MAX)
        a->mailboxes[a->mailbox_count++] = r->mailbox;
}

static void end_setting(struct autodiscover_reader *r)
{
    struct autodiscover_answer *a = r->answer;
    const struct {
        const char *name;
        struct str *to;
        bool *there;
    } settings[] = {
        {"ExternalEwsUrl", &a->sections[AUTODISCOVER_EXPR].ews_url, &a->sections[AUTODISCOVER_EXPR].there},
        {"InternalEwsUrl", &a->sections[AUTODISCOVER_EXCH].ews_url, &a->sections[AUTODISCOVER_EXCH].there},
        {"AutoDiscoverSMTPAddress", &a->address, NULL},
        {"UserDisplayName", &a->display_name, NULL},
    };
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (!str_is(r->setting_name, settings[i].name) || r->setting_value.n == 0)
            continue;
        *settings[i].to = r->setting_value;
        if (settings[i].there)
            *settings[i].there = true;
    }
}

/* MS-OXWSADISC 2.2.4.1: of the request, or of the one user that was asked about. */
static void take_soap_code(struct autodiscover_reader *r, struct str code)
{
    if (str_is(code, "RedirectUrl")) {
        r->action = STR("redirectUrl");
    } else if (str_is(code, "RedirectAddress")) {
        r->action = STR("redirectAddr");
    } else if (!str_is(code, "NoError")) {
        r->error = true;
        r->answer->error_text = keep(r, code);
        if (str_is(code, "InvalidUser"))
            r->answer->error_code = 500; /* as POX says it */
    }
}

/* Elements whose only meaning is their text, by the element they stand in (0: any). */
static struct str *place_of(struct autodiscover_reader *r, int id, int parent)
{
    struct autodiscover_answer *a = r->answer;
    const struct {
        int id, parent;
        struct str *to;
    } places[] = {
        {EL_DISPLAY_NAME, EL_USER, &a->display_name},
        {EL_ADDRESS, EL_USER, &a->address},
        {EL_ACTION, EL_ACCOUNT, &r->action},
        {EL_REDIRECT_ADDRESS, 0, &a->redirect},
        {EL_REDIRECT_URL, 0, &a->redirect},
        {EL_TYPE, EL_PROTOCOL, &r->protocol_type},
        {EL_SERVER, EL_PROTOCOL, &r->protocol.server},
        {EL_AUTH_PACKAGE, EL_PROTOCOL, &r->protocol.auth_package},
        {EL_EWS_URL, EL_PROTOCOL, &r->protocol.ews_url},
        {EL_AS_URL, EL_PROTOCOL, &r->protocol.availability_url},
        {EL_OOF_URL, EL_PROTOCOL, &r->protocol.oof_url},
        {EL_OAB_URL, EL_PROTOCOL, &r->protocol.oab_url},
        {EL_OWA_URL, EL_EXTERNAL, &r->protocol.owa_url},
        {EL_OWA_URL, EL_INTERNAL, &r->owa_internal},
        {EL_TYPE, EL_ALTERNATIVE, &r->mailbox.type},
        {EL_DISPLAY_NAME, EL_ALTERNATIVE, &r->mailbox.name},
        {EL_SMTP_ADDRESS, EL_ALTERNATIVE, &r->mailbox.address},
        {EL_SMTP_ADDRESS, EL_PUBLIC_FOLDERS, &a->public_folders},
        {EL_M_TYPE, EL_M_SERVER, &r->server_type},
        {EL_M_URL, EL_M_SERVER, &r->server_url},
        {EL_MESSAGE, EL_ERROR, &a->error_text},
        {EL_S_TARGET, EL_S_USER, &a->redirect},
        {EL_S_NAME, EL_S_SETTING, &r->setting_name},
        {EL_S_VALUE, EL_S_SETTING, &r->setting_value},
    };
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        if (places[i].id == id && (places[i].parent == parent || places[i].parent == 0))
            return places[i].to;
    return NULL;
}

static void on_end(void *ctx, struct xml *x, const struct xml_name *name, struct str text)
{
    struct autodiscover_reader *r = ctx;
    struct autodiscover_answer *a = r->answer;
    int parent = xml_parent(x, 1);
    struct str *to = place_of(r, name->id, parent);
    if (to && to->n == 0) /* the first of several */
        *to = keep(r, text);
    switch (name->id) {
    case EL_ERROR_CODE: /* the mobile schema may have a Status beside it, which says less */
    case EL_STATUS:
        if (parent == EL_ERROR && (a->error_code == 0 || name->id == EL_ERROR_CODE))
            str_to_u32(str_trim(text), &a->error_code);
        break;
    case EL_ONLINE:
        a->microsoft_online = str_case_is(str_trim(text), "true");
        break;
    case EL_PROTOCOL:
        if (r->protocol.owa_url.n == 0)
            r->protocol.owa_url = r->owa_internal;
        end_protocol(r);
        break;
    case EL_ALTERNATIVE:
        end_mailbox(r);
        break;
    case EL_S_CODE:
        if (parent == EL_S_RESPONSE || parent == EL_S_USER)
            take_soap_code(r, str_trim(text));
        break;
    case EL_S_SETTING:
        end_setting(r);
        break;
    case EL_M_SERVER:
        if (str_case_is(r->server_type, "MobileSync") && r->server_url.n)
            a->eas_url = r->server_url;
        break;
    default:
        break;
    }
}

static const struct xml_spec spec = {
    .namespaces = namespaces,
    .namespace_count = sizeof(namespaces) / sizeof(namespaces[0]),
    .tags = tags,
    .tag_count = sizeof(tags) / sizeof(tags[0]),
    .mode = XML_SERVER,
    .max_elements = ELEMENTS_MAX,
    .max_text = 64 << 10,
    .max_bytes = AUTODISCOVER_ANSWER_MAX,
    .on_start = on_start,
    .on_end = on_end,
};

struct autodiscover_reader *autodiscover_reader_new(struct arena *arena, struct autodiscover_answer *ret_answer)
{
    struct autodiscover_reader *r = MEM_NEW(struct autodiscover_reader);
    memset(ret_answer, 0, sizeof(*ret_answer));
    r->arena = arena;
    r->answer = ret_answer;
    r->xml = xml_new(&spec, r);
    return r;
}

bool autodiscover_reader_feed(struct autodiscover_reader *r, struct str bytes, struct err *err)
{
    return xml_feed(r->xml, bytes, err);
}

bool autodiscover_reader_finish(struct autodiscover_reader *r, struct err *err)
{
    struct autodiscover_answer *a = r->answer;
    bool knows = a->eas_url.n || a->mailbox_count;
    if (!xml_finish(r->xml, err))
        return false;
    for (size_t i = 0; i < AUTODISCOVER_SECTIONS; i++)
        knows |= a->sections[i].there;
    if (r->error)
        a->action = AUTODISCOVER_ERROR;
    else if (a->redirect.n && !str_case_is(r->action, "settings"))
        a->action = str_case_is(r->action, "redirectUrl") ? AUTODISCOVER_REDIRECT_URL : AUTODISCOVER_REDIRECT_ADDRESS;
    else if (!r->answered || !knows)
        return err_set(err, ERR_PROTOCOL, "not an autodiscover answer that mentions Exchange");
    return true;
}

void autodiscover_reader_free(struct autodiscover_reader **reader)
{
    struct autodiscover_reader *r = *reader;
    *reader = NULL;
    if (!r)
        return;
    xml_free(r->xml);
    mem_free(r);
}

/* --- what is in an answer ------------------------------------------------------------------------------ */

struct str autodiscover_ews_url(const struct autodiscover_answer *a)
{
    for (size_t i = 0; i < AUTODISCOVER_SECTIONS; i++)
        if (a->sections[i].ews_url.n)
            return a->sections[i].ews_url;
    for (size_t i = 0; i < AUTODISCOVER_SECTIONS; i++)
        if (a->sections[i].availability_url.n)
            return a->sections[i].availability_url;
    return STR_NULL;
}

struct str autodiscover_owa_url(const struct autodiscover_answer *a)
{
    return a->sections[AUTODISCOVER_WEB].owa_url;
}

/* --- JSON ------------------------------------------------------------------------------------------------ */

static struct str text_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_string(value) ? str_of(json_string_value(value), json_string_length(value)) : STR_NULL;
}

bool autodiscover_read_json(struct str doc, struct arena *arena, struct str *ret_url, struct err *err)
{
    json_error_t problem;
    bool ok = false;
    *ret_url = STR_NULL;
    if (doc.n > JSON_SIZE_MAX)
        return err_set(err, ERR_TOO_BIG, "a JSON answer of %zu bytes", doc.n);
    json_t *root = json_loadb(doc.p ? doc.p : "", doc.n, JSON_REJECT_DUPLICATES, &problem);
    struct str url = text_of(root, "Url"), code = text_of(root, "ErrorCode"), text = text_of(root, "ErrorMessage");
    if (!json_is_object(root)) {
        err_set(err, ERR_PROTOCOL, "not an autodiscover answer in JSON");
    } else if (url.n && url.n <= AUTODISCOVER_VALUE_MAX) {
        *ret_url = arena_str(arena, url);
        ok = true;
    } else if (code.n) {
        err_set(err, ERR_NOT_FOUND, "%.*s: %.*s", STR_ARG(str_sub(code, 0, 60)), STR_ARG(str_sub(text, 0, 160)));
    } else {
        err_set(err, ERR_PROTOCOL, "an autodiscover answer in JSON without an address");
    }
    json_decref(root);
    return ok;
}
