/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas_answer.h"

#include "bridge/base/text.h"

/* Where each command's answer has its own, global status. */
static const struct {
    enum eas_tag root, status;
} statuses[] = {
    {AirSync_Sync, AirSync_Status},
    {FolderHierarchy_FolderSync, FolderHierarchy_Status},
    {FolderHierarchy_FolderCreate, FolderHierarchy_Status},
    {FolderHierarchy_FolderUpdate, FolderHierarchy_Status},
    {FolderHierarchy_FolderDelete, FolderHierarchy_Status},
    {Ping_Ping, Ping_Status},
    {ItemOperations_ItemOperations, ItemOperations_Status},
    {Settings_Settings, Settings_Status},
    {Provision_Provision, Provision_Status},
    {Move_MoveItems, Move_Status},
    {ComposeMail_SendMail, ComposeMail_Status},
    {ComposeMail_SmartReply, ComposeMail_Status},
    {ComposeMail_SmartForward, ComposeMail_Status},
    {GetItemEstimate_GetItemEstimate, GetItemEstimate_Status},
    {MeetingResponse_MeetingResponse, MeetingResponse_Status},
    {ResolveRecipients_ResolveRecipients, ResolveRecipients_Status},
    {Search_Search, Search_Status},
};

int eas_number(struct str text)
{
    uint32_t n;

    return str_to_u32(str_trim(text), &n) && n <= 0x7FFFFFFF ? (int)n : -1;
}

bool eas_key_valid(struct str text, size_t max)
{
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] < ' ' || text.p[i] == '\x7F')
            return false;
    return text.n <= max && text_utf8_valid(text);
}

static bool is_root_status(const struct eas_answer *a, enum eas_tag tag)
{
    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++)
        if (statuses[i].root == a->root && statuses[i].status == tag)
            return true;
    return false;
}

static const struct eas_rule *find_rule(const struct eas_answer *a, enum eas_tag parent, enum eas_tag tag)
{
    for (size_t i = 0; i < a->rules.count; i++)
        if (a->rules.list[i].tag == tag && a->rules.list[i].parent == parent)
            return &a->rules.list[i];
    return NULL;
}

static bool on_open(void *ud, unsigned number, struct err *err)
{
    struct eas_answer *a = ud;
    enum eas_tag tag = (enum eas_tag)number;
    enum eas_tag parent = a->depth ? a->stack[a->depth - 1]->tag : EAS_NO_TAG;
    const struct eas_rule *rule;

    if (a->skipped || a->in_status) {
        a->skipped++;
        return true;
    }
    if (a->depth == 0)
        a->root = tag;
    if (a->depth == 1 && is_root_status(a, tag)) {
        a->in_status = true;
        buf_reset(&a->text);
        return true;
    }
    rule = find_rule(a, parent, tag);
    if (!rule && a->depth == 0)
        return err_set(err, ERR_PROTOCOL, "the server answered another command (%s:%s)", eas_tag_space(number),
                       eas_tag_name(number));
    if (!rule) {
        a->skipped = 1;
        return true;
    }
    a->stack[a->depth++] = rule;
    buf_reset(&a->text);
    return rule->open ? rule->open(a->ud, err) : true;
}

static bool on_text(void *ud, struct str piece, struct err *err)
{
    struct eas_answer *a = ud;
    const struct eas_rule *rule = a->stack[a->depth - 1];

    if (a->skipped)
        return true;
    if (!a->in_status && rule->data)
        return rule->data(a->ud, piece, err);
    if ((a->in_status || rule->text) && !buf_str(&a->text, piece))
        return err_set(err, ERR_TOO_BIG, "the server sent a property over %zu bytes (%s:%s)", EAS_TEXT_MAX,
                       eas_tag_space(rule->tag), eas_tag_name(rule->tag));
    return true;
}

static bool on_close(void *ud, struct err *err)
{
    struct eas_answer *a = ud;
    const struct eas_rule *rule;

    if (a->skipped) {
        a->skipped--;
        return true;
    }
    if (a->in_status) {
        a->in_status = false;
        a->status = eas_number(buf_view(&a->text));
        return true;
    }
    rule = a->stack[--a->depth];
    if (rule->text && !rule->text(a->ud, buf_view(&a->text), err))
        return false;
    buf_reset(&a->text);
    return rule->close ? rule->close(a->ud, err) : true;
}

static const struct eas_wbxml_events events = {.on_open = on_open, .on_text = on_text, .on_close = on_close};

void eas_answer_init(struct eas_answer *a, struct eas_rules rules, void *ud)
{
    *a = (struct eas_answer){.rules = rules, .ud = ud, .text = BUF_INIT(EAS_TEXT_MAX)};
    eas_wbxml_init(&a->wbxml, &events, a);
}

bool eas_answer_feed(struct eas_answer *a, struct str bytes, struct err *err)
{
    return eas_wbxml_feed(&a->wbxml, bytes, err);
}

bool eas_answer_end(struct eas_answer *a, struct err *err)
{
    return eas_wbxml_end(&a->wbxml, err);
}

void eas_answer_done(struct eas_answer *a)
{
    buf_done(&a->text);
}
