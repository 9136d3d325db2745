/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas_move_read.h"

#include "bridge/backend.h"

static bool on_response(void *ud, struct err *err)
{
    struct eas_move_answer *a = ud;

    (void)err;
    a->source_id = STR_NULL;
    a->current = (struct eas_moved){0};
    return true;
}

static bool on_source(void *ud, struct str text, struct err *err)
{
    struct eas_move_answer *a = ud;

    (void)err;
    if (text.n <= BACKEND_ID_MAX)
        a->source_id = arena_str(a->arena, text);
    return true;
}

static bool on_status(void *ud, struct str text, struct err *err)
{
    (void)err;
    ((struct eas_move_answer *)ud)->current.status = eas_number(text);
    return true;
}

static bool on_target(void *ud, struct str text, struct err *err)
{
    struct eas_move_answer *a = ud;

    (void)err;
    if (text.n <= BACKEND_ID_MAX)
        a->current.new_id = arena_str(a->arena, text);
    return true;
}

/* Answers about things that nobody asked for are nobody's. */
static bool close_response(void *ud, struct err *err)
{
    struct eas_move_answer *a = ud;

    (void)err;
    for (size_t i = 0; i < a->count && a->source_id.n > 0; i++)
        if (a->list[i].status == 0 && str_eq(a->ids[i], a->source_id)) {
            a->list[i] = a->current;
            break;
        }
    return true;
}

static const struct eas_rule rules[] = {
    {.tag = Move_MoveItems},
    {Move_MoveItems, Move_Response, .open = on_response, .close = close_response},
    {Move_Response, Move_SrcMsgId, .text = on_source},
    {Move_Response, Move_Status, .text = on_status},
    {Move_Response, Move_DstMsgId, .text = on_target},
};
const struct eas_rules eas_move_rules = {rules, sizeof(rules) / sizeof(rules[0])};

void eas_move_answer_begin(struct eas_move_answer *a, const struct str *ids, size_t count)
{
    a->ids = ids;
    a->count = count;
    a->list = arena_array(a->arena, count + 1, sizeof(*a->list));
}
