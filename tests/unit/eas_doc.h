/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_EAS_DOC_H
#define TESTS_UNIT_EAS_DOC_H
/*
 * WBXML documents for tests, written as text: Sync(Collections(Collection(SyncKey=5 Status=1 MoreAvailable))). A name
 * without namespace takes the one of the element around it ("Email:Read=1"); a value ends at a blank or a parenthesis,
 * and may be quoted with '...' where it has some. Fails the test on a name that does not exist.
 */
#include "bridge/base/buf.h"

void eas_doc(struct buf *out, const char *namespace, const char *text);

#endif
