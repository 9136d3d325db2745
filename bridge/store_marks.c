/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of a message here alone (names.h, marks; \Answered and $Forwarded where the server has no place for
 * them) goes along when another program moves or copies it. The server tells of that as of a message that is new in one
 * folder, and of one that is gone from another, in either order. It is recognised by its identity and the time it was
 * received: the new one takes over from one that is still there, or from a row of `item_gone`, which the trigger
 * `item_left` writes (schema.sql).
 */
#include "bridge/store_private.h"

_Static_assert(ITEM_MARKS == 16320 && (ITEM_ANSWERED | ITEM_FORWARDED) == 12, "the numbers in the statements");

bool store_marks_follow(struct store *s, int64_t item_pk, struct err *err)
{
    return store_run1(s,
                      "UPDATE item AS n SET flags = flags | (~known & coalesce("
                      "(SELECT i.flags & (16320 | (12 & ~i.known)) FROM item AS i WHERE i.identity = n.identity AND"
                      " i.received = n.received AND i.flags & 16332 <> 0 AND i.identity <> x'' AND i.pk <> n.pk"
                      " ORDER BY i.pk DESC LIMIT 1),"
                      "(SELECT g.flags FROM item_gone AS g WHERE g.identity = n.identity AND g.received = n.received"
                      " ORDER BY g.pk DESC LIMIT 1), 0)) WHERE pk = ?1 AND identity <> x''",
                      item_pk, err) &&
           store_run1(
               s,
               "DELETE FROM item_gone WHERE pk IN (SELECT g.pk FROM item AS n JOIN item_gone AS g ON g.identity ="
               " n.identity AND g.received = n.received WHERE n.pk = ?1)",
               item_pk, err);
}
