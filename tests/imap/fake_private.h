/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_IMAP_FAKE_PRIVATE_H
#define TESTS_IMAP_FAKE_PRIVATE_H
/* The inside of the scripted backend, for fake_*.c. */
#include "bridge/base/list.h"
#include "bridge/op.h"
#include "tests/imap/fake_backend.h"

#define HASH_SIZE 65536

enum fake_kind { FAKE_LOGIN, FAKE_FOLDERS, FAKE_SYNC, FAKE_FETCH, FAKE_WATCH, FAKE_WRITE, FAKE_MAX };

struct fake_folder {
    struct list link;
    char *id, *parent, *name;
    enum folder_kind kind;
    enum folder_use use;
    bool gone;
    uint64_t changed; /* number of its last change */
    bool stale;
};

struct fake_item {
    struct list link;
    struct fake_item *same_hash;
    char *folder, *id;
    struct str message; /* ours */
    unsigned flags;
    int64_t received_s;
    struct str *categories;
    size_t category_n;
    bool gone;
    uint64_t changed;
    enum err_code fail;
    unsigned fail_n;
    char *evidence; /* of the append that made it */
};

struct fake {
    struct list folders, items;
    struct fake_item *by_id[HASH_SIZE];
    uint64_t changes; /* numbers every change */
    struct {
        uint64_t delay_ms;
        enum err_code fail;
        unsigned fail_n, fail_after; /* so many go well first */
        unsigned lose_n, lose_after; /* done, and the answer is lost */
        bool held;                   /* wait until they are released, */
        unsigned held_after;         /* but for so many */
        unsigned count;
    } ops[FAKE_MAX];
    unsigned caps; /* of the backend */
    unsigned headers, messages, page;
    uint64_t made; /* items and folders that clients made */
    bool quiet, writes;
    struct fake_op *reporting; /* the fetch that calls on_item now; NULL when that cancelled it */
    struct list watches, held; /* struct fake_op */
};

struct fake_backend {
    struct backend base;
    struct fake *fake;
};

struct fake_op {
    struct op op;
    struct list link; /* parked watch, held op */
    struct fake *fake;
    enum fake_kind kind;
    struct timer *timer;
    struct str folder, cursor;
    struct str *ids;
    size_t id_n;
    enum fetch_what what;
    fetched_cb *on_item;
    void *ud;
    /* writes */
    void (*write)(struct fake_op *o);
    struct str to, name;
    struct flag_change *changes;
    struct blob *message;
    unsigned flags;
    int64_t received_ms;
    struct str *categories;
    size_t category_n;
    struct str evidence;
    bool retry;
    /* calendars */
    bool events;
    event_known_cb *is_known;
    struct event event;
};

/* fake_backend.c */
void fake_finish_write(struct fake_op *o); /* the change is made: answer, unless that is to be lost */
void fake_release(struct fake *f, enum fake_kind kind);
struct fake_folder *fake_find_folder(struct fake *f, struct str id);
struct fake_folder *fake_add_folder(struct fake *f, struct str id); /* or the one that is there */
void fake_folder_changed(struct fake *f, struct fake_folder *folder);
struct fake_item *fake_find_item(struct fake *f, struct str folder, struct str id); /* folder empty: any */
struct fake_item *fake_add_item(struct fake *f, struct str folder, struct str id,
                                struct str message);            /* takes the bytes */
void fake_item_changed(struct fake *f, struct fake_item *item); /* numbers the change, ends watches */
void fake_free_categories(struct fake_item *item);
void fake_wake(struct fake *f, const char *folder); /* NULL: the hierarchy */
struct fake_op *fake_new_op(struct backend *b, enum fake_kind kind, op_cb *cb, void *ud);

/* fake_writes.c */
struct op *fake_new_write(struct backend *b, void (*write)(struct fake_op *o), struct str folder, const struct str *ids,
                          size_t n, op_cb *cb, void *ud);
struct str fake_new_id(struct fake_op *o);
struct fake_item *fake_find_evidence(struct fake_op *o);
struct op *fake_flag(struct backend *b, const struct flag_request *request, op_cb *cb, void *ud);
struct op *fake_move(struct backend *b, struct str from, struct str to, const struct str *ids, size_t n, op_cb *cb,
                     void *ud);
struct op *fake_copy(struct backend *b, struct str from, struct str to, const struct str *ids, size_t n, op_cb *cb,
                     void *ud);
struct op *fake_remove(struct backend *b, struct str folder, const struct str *ids, size_t n, bool permanent, op_cb *cb,
                       void *ud);
struct op *fake_append(struct backend *b, const struct append_request *request, op_cb *cb, void *ud);
struct op *fake_find_appended(struct backend *b, struct str folder_id, struct str evidence, op_cb *cb, void *ud);
struct op *fake_folder_create(struct backend *b, struct str parent, struct str name, enum folder_kind kind, op_cb *cb,
                              void *ud);
struct op *fake_folder_change(struct backend *b, struct str id, struct str parent, struct str name, op_cb *cb,
                              void *ud);
struct op *fake_folder_remove(struct backend *b, struct str id, op_cb *cb, void *ud);

/* fake_events.c */
/* What a page of a calendar tells of an item besides; false: its reader has it. */
bool fake_add_event(struct fake_op *o, const struct fake_item *item, struct item_info *info);
struct op *fake_sync_events(struct backend *b, struct str folder_id, enum folder_kind kind, struct str cursor,
                            event_known_cb *is_known, op_cb *cb, void *ud);
struct op *fake_event_fetch(struct backend *b, struct str folder_id, enum folder_kind kind, const struct str *ids,
                            size_t count, op_cb *cb, void *ud);
struct op *fake_event_put(struct backend *b, const struct event_put *request, op_cb *cb, void *ud);
struct op *fake_event_remove(struct backend *b, struct str folder_id, enum folder_kind kind, struct str id,
                             struct str change, bool notify, event_current_cb *is_current, op_cb *cb, void *ud);
struct op *fake_event_respond(struct backend *b, const struct event_reply *request, op_cb *cb, void *ud);
struct op *fake_free_busy(struct backend *b, const struct str *addresses, size_t count, int64_t from, int64_t to,
                          op_cb *cb, void *ud);

#endif
