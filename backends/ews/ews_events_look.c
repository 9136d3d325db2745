/* SPDX-License-Identifier: Apache-2.0 */
/* Which version of a calendar item or task has the server? */
#include "backends/ews/ews_events.h"

static bool write_look(void *ud, struct xml_writer *w, bool slow)
{
    struct ews_look *l = ud;
    (void)slow;
    l->answer.answered = 0;
    xml_open(w, "m:GetItem");
    xml_open(w, "m:ItemShape");
    xml_leaf_lit(w, "t:BaseShape", "IdOnly");
    xml_close(w);
    xml_open(w, "m:ItemIds");
    ews_write_item_id(w, l->id);
    xml_close(w);
    xml_close(w);
    return true;
}

static void on_look(void *ud, const struct err *err)
{
    struct ews_look *l = ud;
    struct err problem = *err;
    l->call = NULL;
    if (problem.code == ERR_NONE && ews_done_check(&l->answer, &problem) && !str_eq(l->done[0].change, l->change))
        err_set(&problem, ERR_CONFLICT, "the server's item was changed meanwhile");
    l->then(l->ud, &problem);
}

void ews_look_start(struct ews_look *l, struct ews *e, struct arena *arena, struct str id, struct str change,
                    void (*then)(void *ud, const struct err *err), void *ud)
{
    *l = (struct ews_look){.id = id, .change = change, .then = then, .ud = ud};
    l->answer = (struct ews_done_list){.operation = "GetItem", .arena = arena, .list = l->done, .count = 1};
    l->call = ews_call_start(e, &(struct ews_call_opts){.operation = "GetItem",
                                                        .write = write_look,
                                                        .reader = &ews_done_reader,
                                                        .reader_ud = &l->answer,
                                                        .on_done = on_look,
                                                        .ud = l,
                                                        .batch = true});
}
