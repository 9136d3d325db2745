/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RFC 5256 3, in its steps:
 *   1 link messages and the ids they refer to          link_all()
 *   2, 3 roots; dummies without use go                 prune()
 *   4 order the roots                                  order()
 *   5 gather roots by subject (not REFS)               gather()
 *   6 order everything                                 order()
 * A tree is an array of parents. Children are a range of one array of nodes sorted by parent and date, made anew where
 * it is needed; so nothing here recurses and no list is walked more than once.
 */
#include "protocols/imap/imap_thread.h"

#include <stdlib.h>

#include "bridge/base/mem.h"
#include "protocols/imap/imap_thread_ids.h"

#define NONE IMAP_THREAD_NONE
/* Steps spent in all on looking whether a link would make a loop; then links in doubt are not made. */
#define LOOP_BUDGET 50000000u

struct node {
    const struct imap_thread_entry *entry; /* NULL: a dummy */
    uint32_t parent;
    uint32_t set;                   /* union-find over everything ever linked */
    uint32_t children, first_child; /* first_child: index into `order` */
    bool gone;
    int64_t date_s;
    uint32_t seq;
};

struct forest {
    struct node *nodes;
    uint32_t n, size;
    uint32_t *order; /* nodes sorted by parent (roots last), date, number */
    uint32_t order_n, roots_at;
    uint32_t loop_steps;
};

static uint32_t add_node(struct forest *f, const struct imap_thread_entry *entry)
{
    if (f->n == f->size) {
        f->size = f->size ? f->size * 2 : 1024;
        f->nodes = mem_realloc(f->nodes, f->size * sizeof(*f->nodes));
    }
    f->nodes[f->n] = (struct node){.entry = entry, .parent = NONE, .set = f->n};
    return f->n++;
}

/* --- 1: linking ------------------------------------------------------------------------------- */

static uint32_t set_of(struct forest *f, uint32_t i)
{
    while (f->nodes[i].set != i) {
        f->nodes[i].set = f->nodes[f->nodes[i].set].set;
        i = f->nodes[i].set;
    }
    return i;
}

/* Would `child` below `parent` make a loop? Sets never part, though links do, so "same set" only means perhaps. */
static bool makes_loop(struct forest *f, uint32_t parent, uint32_t child)
{
    if (parent == child)
        return true;
    if (f->nodes[child].children == 0 || set_of(f, parent) != set_of(f, child))
        return false;
    for (uint32_t i = parent; i != NONE; i = f->nodes[i].parent) {
        if (i == child || f->loop_steps >= LOOP_BUDGET)
            return true;
        f->loop_steps++;
    }
    return false;
}

static void unlink_node(struct forest *f, uint32_t child)
{
    if (f->nodes[child].parent != NONE)
        f->nodes[f->nodes[child].parent].children--;
    f->nodes[child].parent = NONE;
}

static void link_node(struct forest *f, uint32_t parent, uint32_t child)
{
    if (makes_loop(f, parent, child))
        return;
    f->nodes[child].parent = parent;
    f->nodes[parent].children++;
    f->nodes[set_of(f, child)].set = set_of(f, parent);
}

/* The node of an id that is referred to. */
static uint32_t node_of_id(struct forest *f, struct imap_thread_ids *ids, struct str id)
{
    uint32_t *at = imap_thread_ids_at(ids, id);
    if (*at == NONE)
        *at = add_node(f, NULL);
    return *at;
}

/* The node of a message. One without id, or with an id that another has already, is nobody's parent. */
static uint32_t node_of_entry(struct forest *f, struct imap_thread_ids *ids, const struct imap_thread_entry *e)
{
    if (e->message_id.n == 0)
        return add_node(f, e);
    uint32_t node = node_of_id(f, ids, e->message_id);
    if (f->nodes[node].entry)
        return add_node(f, e);
    f->nodes[node].entry = e;
    return node;
}

static void link_entry(struct forest *f, struct imap_thread_ids *ids, const struct imap_thread_entry *e)
{
    uint32_t message = node_of_entry(f, ids, e), before = NONE;
    struct str rest = e->references, id;
    while (rest.n > 0 && str_cut(&rest, '\n', &id)) {
        if (id.n == 0)
            continue;
        uint32_t node = node_of_id(f, ids, id);
        if (before != NONE && f->nodes[node].parent == NONE)
            link_node(f, before, node);
        before = node;
    }
    /* The message itself knows best who its parent is. */
    if (f->nodes[message].parent == before)
        return;
    unlink_node(f, message);
    if (before != NONE)
        link_node(f, before, message);
}

static void link_all(struct forest *f, const struct imap_thread_entry *entries, size_t count)
{
    struct imap_thread_ids ids;
    imap_thread_ids_init(&ids);
    for (size_t i = 0; i < count; i++)
        link_entry(f, &ids, &entries[i]);
    imap_thread_ids_done(&ids);
}

/* --- 2, 3: pruning ----------------------------------------------------------------------------------------------- */

/* Whose child a node is when dummies in between are gone: the nearest message above, or the dummy at the root. */
static uint32_t lasting_parent(struct forest *f, uint32_t i)
{
    uint32_t top = f->nodes[i].parent;
    while (top != NONE && f->nodes[top].entry == NULL && f->nodes[top].parent != NONE)
        top = f->nodes[top].parent;
    /* Shorten the way for those who come after. */
    for (uint32_t k = f->nodes[i].parent; k != top && k != NONE;) {
        uint32_t above = f->nodes[k].parent;
        f->nodes[k].parent = top;
        k = above;
    }
    return top;
}

static void prune(struct forest *f)
{
    for (uint32_t i = 0; i < f->n; i++)
        f->nodes[i].children = 0;
    for (uint32_t i = 0; i < f->n; i++) {
        if (f->nodes[i].entry == NULL)
            continue;
        f->nodes[i].parent = lasting_parent(f, i);
        if (f->nodes[i].parent != NONE)
            f->nodes[f->nodes[i].parent].children++;
    }
    /* A dummy stays only at the root, and only with two children or more. */
    for (uint32_t i = 0; i < f->n; i++) {
        struct node *node = &f->nodes[i];
        if (node->entry == NULL) {
            node->gone = node->children < 2;
            continue;
        }
        if (node->parent != NONE && f->nodes[node->parent].entry == NULL && f->nodes[node->parent].children < 2)
            node->parent = NONE;
    }
    for (uint32_t i = 0; i < f->n; i++)
        if (f->nodes[i].entry == NULL)
            f->nodes[i].parent = NONE;
}

/* --- 4, 6: order ------------------------------------------------------------------------------ */

static int compare_dates(const struct node *a, const struct node *b)
{
    if (a->date_s != b->date_s)
        return a->date_s < b->date_s ? -1 : 1;
    return a->seq < b->seq ? -1 : a->seq > b->seq;
}

static int compare_nodes(const void *pa, const void *pb, void *ud)
{
    const struct forest *f = ud;
    const struct node *a = &f->nodes[*(const uint32_t *)pa], *b = &f->nodes[*(const uint32_t *)pb];
    if (a->parent != b->parent)
        return a->parent < b->parent ? -1 : 1;
    return compare_dates(a, b);
}

/* A dummy has the date of its first child. */
static void date_nodes(struct forest *f)
{
    for (uint32_t i = 0; i < f->n; i++) {
        struct node *node = &f->nodes[i];
        node->date_s = node->entry ? node->entry->date_s : INT64_MAX;
        node->seq = node->entry ? node->entry->seq : UINT32_MAX;
    }
    for (uint32_t i = 0; i < f->n; i++) {
        struct node *node = &f->nodes[i];
        if (node->gone || node->parent == NONE || f->nodes[node->parent].entry)
            continue;
        struct node *dummy = &f->nodes[node->parent];
        if (compare_dates(node, dummy) < 0) {
            dummy->date_s = node->date_s;
            dummy->seq = node->seq;
        }
    }
}

/* Fill f->order, and each node's range of children in it. */
static void order(struct forest *f)
{
    date_nodes(f);
    f->order = mem_realloc(f->order, (f->n + 1) * sizeof(*f->order));
    f->order_n = 0;
    for (uint32_t i = 0; i < f->n; i++) {
        f->nodes[i].children = 0;
        if (!f->nodes[i].gone)
            f->order[f->order_n++] = i;
    }
    if (f->order_n > 1)
        qsort_r(f->order, f->order_n, sizeof(*f->order), compare_nodes, f);
    f->roots_at = f->order_n;
    for (uint32_t i = f->order_n; i-- > 0;) {
        uint32_t parent = f->nodes[f->order[i]].parent;
        if (parent == NONE) {
            f->roots_at = i;
            continue;
        }
        f->nodes[parent].first_child = i;
        f->nodes[parent].children++;
    }
}

/* --- 5: gathering by subject ------------------------------------------------------------------------------------- */

/* The message whose subject a thread goes by. */
static const struct imap_thread_entry *subject_entry(const struct forest *f, uint32_t root)
{
    const struct node *node = &f->nodes[root];
    return node->entry ? node->entry : f->nodes[f->order[node->first_child]].entry;
}

static void fill_subjects(struct forest *f, struct imap_thread_ids *subjects)
{
    for (uint32_t i = f->roots_at; i < f->order_n; i++) {
        uint32_t root = f->order[i];
        const struct imap_thread_entry *e = subject_entry(f, root);
        if (e->base_subject.n == 0)
            continue;
        uint32_t *at = imap_thread_ids_at(subjects, e->base_subject);
        if (*at == NONE) {
            *at = root;
            continue;
        }
        bool dummy = f->nodes[root].entry == NULL, table_dummy = f->nodes[*at].entry == NULL;
        if ((dummy && !table_dummy) || (dummy == table_dummy && subject_entry(f, *at)->is_reply && !e->is_reply))
            *at = root;
    }
}

static void adopt(struct forest *f, uint32_t parent, uint32_t child)
{
    f->nodes[child].parent = parent;
}

/* RFC 5256 3, step 5 C. */
static void merge(struct forest *f, uint32_t *table, uint32_t current, const struct imap_thread_entry *e)
{
    bool dummy = f->nodes[current].entry == NULL, table_dummy = f->nodes[*table].entry == NULL;
    if (dummy && table_dummy) {
        const struct node *node = &f->nodes[current];
        for (uint32_t i = 0; i < node->children; i++)
            adopt(f, *table, f->order[node->first_child + i]);
        f->nodes[current].gone = true;
    } else if (table_dummy || (e->is_reply && !subject_entry(f, *table)->is_reply)) {
        adopt(f, *table, current);
    } else {
        uint32_t both = add_node(f, NULL);
        adopt(f, both, *table);
        adopt(f, both, current);
        *table = both;
    }
}

static void gather(struct forest *f)
{
    struct imap_thread_ids subjects;
    imap_thread_ids_init(&subjects);
    fill_subjects(f, &subjects);
    for (uint32_t i = f->roots_at; i < f->order_n; i++) {
        uint32_t root = f->order[i];
        const struct imap_thread_entry *e = subject_entry(f, root);
        if (e->base_subject.n == 0)
            continue;
        uint32_t *table = imap_thread_ids_at(&subjects, e->base_subject);
        /* A table entry that has become part of a new dummy is not met again: the dummy is in the table in its place.
         */
        if (*table != root && f->nodes[root].parent == NONE)
            merge(f, table, root, e);
    }
    imap_thread_ids_done(&subjects);
}

/* --- REFS: threads by their latest message ----------------------------------------------------------------------- */

static void order_by_latest(struct forest *f)
{
    /* The root of each node, by shortening ways; dates of roots become the latest below them. */
    uint32_t *root = mem_array(f->n + 1, sizeof(*root));
    uint32_t *path = mem_array(f->n + 1, sizeof(*path));
    for (uint32_t i = 0; i < f->n; i++)
        root[i] = NONE;
    for (uint32_t i = 0; i < f->n; i++) {
        uint32_t depth = 0, k = i;
        while (root[k] == NONE && f->nodes[k].parent != NONE) {
            path[depth++] = k;
            k = f->nodes[k].parent;
        }
        uint32_t top = root[k] == NONE ? k : root[k];
        root[k] = top;
        while (depth > 0)
            root[path[--depth]] = top;
        const struct imap_thread_entry *e = f->nodes[i].entry;
        struct node *t = &f->nodes[top];
        if (e && e->date_s > t->date_s)
            t->date_s = e->date_s;
    }
    if (f->order_n - f->roots_at > 1)
        qsort_r(f->order + f->roots_at, f->order_n - f->roots_at, sizeof(*f->order), compare_nodes, f);
    mem_free(root);
    mem_free(path);
}

/* --- writing ---------------------------------------------------------------------------------- */

/* Where a node is among its siblings is found again from its place in `order`. */
static void write_thread(struct buf *out, const struct forest *f, uint32_t root_place, uint32_t *stack)
{
    size_t depth = 0;
    stack[depth++] = root_place;
    buf_byte(out, '(');
    bool fresh = true; /* the node on top has not been written yet */
    while (depth > 0) {
        const struct node *node = &f->nodes[f->order[stack[depth - 1]]];
        if (fresh) {
            if (node->entry) {
                buf_u64(out, node->entry->id);
                if (node->children > 0)
                    buf_byte(out, ' ');
            }
            if (node->children > 1)
                buf_byte(out, '(');
            fresh = node->children > 0;
            if (fresh) {
                stack[depth++] = node->first_child;
                continue;
            }
        }
        /* Everything below it is written. */
        uint32_t place = stack[--depth];
        if (depth == 0)
            break;
        const struct node *parent = &f->nodes[node->parent];
        if (parent->children > 1)
            buf_byte(out, ')');
        if (place + 1 < parent->first_child + parent->children) {
            buf_byte(out, '(');
            stack[depth++] = place + 1;
            fresh = true;
        }
    }
    buf_byte(out, ')');
}

static void write_forest(struct buf *out, const struct forest *f)
{
    uint32_t *stack = mem_array(f->order_n + 1, sizeof(*stack));
    for (uint32_t i = f->roots_at; i < f->order_n; i++)
        write_thread(out, f, i, stack);
    mem_free(stack);
}

/* --- ORDEREDSUBJECT (RFC 5256 3) --------------------------------------------------------------------------------- */

static int compare_subjects(const void *pa, const void *pb)
{
    const struct imap_thread_entry *a = pa, *b = pb;
    int c = str_cmp(a->base_subject, b->base_subject);
    if (c != 0)
        return c;
    if (a->date_s != b->date_s)
        return a->date_s < b->date_s ? -1 : 1;
    return a->seq < b->seq ? -1 : a->seq > b->seq;
}

/* The messages of one subject are children of the first of them. */
static void link_subjects(struct forest *f, struct imap_thread_entry *entries, size_t count)
{
    if (count > 1)
        qsort(entries, count, sizeof(*entries), compare_subjects);
    uint32_t first = NONE;
    for (size_t i = 0; i < count; i++) {
        uint32_t node = add_node(f, &entries[i]);
        if (first != NONE && str_eq(entries[i].base_subject, f->nodes[first].entry->base_subject))
            f->nodes[node].parent = first;
        else
            first = node;
    }
}

/* --- all of it -------------------------------------------------------------------------------- */

void imap_thread_run(struct buf *out, enum imap_thread_by by, struct imap_thread_entry *entries, size_t count)
{
    struct forest f = {0};
    if (by == IMAP_THREAD_ORDEREDSUBJECT) {
        link_subjects(&f, entries, count);
    } else {
        link_all(&f, entries, count);
        prune(&f);
    }
    order(&f);
    if (by == IMAP_THREAD_REFERENCES) {
        gather(&f);
        order(&f);
    } else if (by == IMAP_THREAD_REFS) {
        order_by_latest(&f);
    }
    write_forest(out, &f);
    mem_free(f.nodes);
    mem_free(f.order);
}

void imap_thread_fill(struct arena *a, enum imap_thread_by by, const struct imap_digest *digest, int64_t arrival_s,
                      struct imap_thread_entry *entry)
{
    entry->date_s = digest && digest->has_date ? digest->date_s : arrival_s;
    if (digest == NULL)
        return;
    if (by != IMAP_THREAD_REFS) {
        entry->is_reply = digest->is_reply;
        entry->base_subject = arena_str(a, digest->base_subject);
    }
    if (by != IMAP_THREAD_ORDEREDSUBJECT) {
        entry->message_id = arena_str(a, digest->message_id);
        entry->references = arena_str(a, digest->references);
    }
}
