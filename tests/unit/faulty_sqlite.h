/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_FAULTY_SQLITE_H
#define TESTS_UNIT_FAULTY_SQLITE_H
/* A disk and a memory that fail under SQLite at a moment of the test's choice. */
#include <stdbool.h>

enum faulty {
    FAULTY_DISK,  /* errors of reading, writing, syncing, opening, locking */
    FAULTY_FULL,  /* the same, but writing says that the disk is full */
    FAULTY_MEMORY /* allocations fail */
};

/* First thing in main(), before SQLite is used. */
void faulty_sqlite_init(void);
/* The n-th call from now (1 = the next) fails, and with `on` all after it. */
void faulty_sqlite_arm(enum faulty what, unsigned n, bool on);
/* All is well again. True: it has failed since it was armed. */
bool faulty_sqlite_disarm(void);

#endif
