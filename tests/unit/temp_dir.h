/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TESTS_UNIT_TEMP_DIR_H
#define TESTS_UNIT_TEMP_DIR_H
/* A private directory for a test; freed and removed by temp_dir_done(). */
char *temp_dir_new(void);
char *temp_dir_in_memory(void); /* where there is one: for what syncs thousands of times */
void temp_dir_done(char **dir);
#endif
