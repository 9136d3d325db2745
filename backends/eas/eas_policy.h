/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_POLICY_H
#define BACKENDS_EAS_POLICY_H
/*
 * Device policies (MS-ASPROV): what the server demands, and what can honestly be said to be met by a program on a
 * desktop that hands the mail on to other programs.
 *
 * What restricts a feature that exbridge does not have (camera, Bluetooth, text messages, ...) counts as enforced
 * (MS-ASPROV 3.2.5.1.1). What would need control over the machine or over the mail clients (a device password,
 * encryption of the device, a lock after inactivity, no IMAP) is not met and is never claimed. The age filters for
 * mail and calendars are obeyed.
 */
#include <stdbool.h>
#include <stdint.h>

#include "backends/eas/eas_answer.h"
#include "bridge/backend.h"
#include "bridge/base/arena.h"

#define EAS_POLICY_UNMET_MAX 24

/* MS-ASPROV 2.2.2.54.2: what a client tells about a policy. */
enum eas_acknowledgement {
    EAS_ACK_NONE = 0, /* nothing is sent: the user is asked first */
    EAS_ACK_APPLIED = 1,
    EAS_ACK_PARTIAL = 2,
    EAS_ACK_REFUSED = 3
};

struct eas_policy {
    const char *unmet[EAS_POLICY_UNMET_MAX]; /* what is demanded and not met, in words */
    size_t unmet_count;
    size_t demanded; /* settings that restrict anything at all */
    bool has_password;
    unsigned email_age;    /* MaxEmailAgeFilter: a FilterType, 0 = all */
    unsigned calendar_age; /* MaxCalendarAgeFilter, the same; 4 to 7 */
};

/* Rules for EASProvisionDoc; ud of the answer must begin with struct eas_policy. */
bool eas_policy_setting(struct eas_policy *policy, enum eas_tag tag, struct str value);
enum eas_acknowledgement eas_policy_answer(const struct eas_policy *policy, enum provision_answer configured);
/* "a device password, encryption of the device": at most `max` bytes. */
struct str eas_policy_text(const struct eas_policy *policy, struct arena *arena, size_t max);

/* --- the whole answer to Provision ----------------------------------------------------------------------------------
 */

#define EAS_POLICY_KEY_MAX 64

struct eas_provision {
    struct eas_policy policy;
    bool wipe, account_wipe;
    bool has_policy;
    int policy_status; /* 1 ok, 2 there is none, 3 unknown type, 4 corrupt, 5 wrong key; 0 = not told */
    char key[EAS_POLICY_KEY_MAX + 1];
};
extern const struct eas_rules eas_provision_rules; /* ud is the struct eas_provision */

#endif
