/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas_policy.h"

/* When does a value restrict something? */
enum demand {
    DEMAND_ONE,    /* 1: switched on */
    DEMAND_ZERO,   /* 0: forbidden */
    DEMAND_NUMBER, /* any number but 0 */
    DEMAND_SIZE,   /* any number, 0 included; -1 and empty are none */
    DEMAND_TIME,   /* seconds below 9999 */
    DEMAND_LIST    /* anything at all */
};

static const struct setting {
    enum eas_tag tag;
    enum demand demand;
    bool password;     /* counts only with DevicePasswordEnabled */
    const char *unmet; /* in words; NULL: enforced, because exbridge has no such feature or obeys */
} settings[] = {
    {Provision_DevicePasswordEnabled, DEMAND_ONE, false, "a device password"},
    {Provision_AlphanumericDevicePasswordRequired, DEMAND_ONE, true, NULL},
    {Provision_PasswordRecoveryEnabled, DEMAND_ONE, true, NULL},
    {Provision_MinDevicePasswordLength, DEMAND_NUMBER, true, NULL},
    {Provision_MinDevicePasswordComplexCharacters, DEMAND_NUMBER, true, NULL},
    {Provision_MaxDevicePasswordFailedAttempts, DEMAND_NUMBER, true, "a wipe after failed device passwords"},
    {Provision_AllowSimpleDevicePassword, DEMAND_ZERO, true, NULL},
    {Provision_DevicePasswordExpiration, DEMAND_NUMBER, true, "device passwords that expire"},
    {Provision_DevicePasswordHistory, DEMAND_NUMBER, true, NULL},
    {Provision_MaxInactivityTimeDeviceLock, DEMAND_TIME, true, "a lock after inactivity"},
    {Provision_RequireDeviceEncryption, DEMAND_ONE, false, "encryption of the device"},
    {Provision_RequireStorageCardEncryption, DEMAND_ONE, false, NULL},
    {Provision_AttachmentsEnabled, DEMAND_ZERO, false, "no attachments"},
    {Provision_MaxAttachmentSize, DEMAND_SIZE, false, "a limit for attachments"},
    {Provision_AllowPOPIMAPEmail, DEMAND_ZERO, false, "no IMAP on this device"},
    {Provision_AllowHTMLEmail, DEMAND_ZERO, false, "no HTML mail"},
    {Provision_MaxEmailBodyTruncationSize, DEMAND_SIZE, false, "a limit for message bodies"},
    {Provision_MaxEmailHTMLBodyTruncationSize, DEMAND_SIZE, false, "a limit for HTML bodies"},
    {Provision_RequireSignedSMIMEMessages, DEMAND_ONE, false, "S/MIME signatures on all mail"},
    {Provision_RequireEncryptedSMIMEMessages, DEMAND_ONE, false, "S/MIME encryption of all mail"},
    {Provision_MaxEmailAgeFilter, DEMAND_NUMBER, false, NULL},
    {Provision_MaxCalendarAgeFilter, DEMAND_NUMBER, false, NULL},
    {Provision_RequireManualSyncWhenRoaming, DEMAND_ONE, false, NULL},
    {Provision_RequireSignedSMIMEAlgorithm, DEMAND_NUMBER, false, NULL},
    {Provision_RequireEncryptionSMIMEAlgorithm, DEMAND_NUMBER, false, NULL},
    {Provision_AllowSMIMEEncryptionAlgorithmNegotiation, DEMAND_ZERO, false, NULL},
    {Provision_AllowSMIMESoftCerts, DEMAND_ZERO, false, NULL},
    {Provision_AllowStorageCard, DEMAND_ZERO, false, NULL},
    {Provision_AllowCamera, DEMAND_ZERO, false, NULL},
    {Provision_AllowUnsignedApplications, DEMAND_ZERO, false, NULL},
    {Provision_AllowUnsignedInstallationPackages, DEMAND_ZERO, false, NULL},
    {Provision_AllowWiFi, DEMAND_ZERO, false, NULL},
    {Provision_AllowTextMessaging, DEMAND_ZERO, false, NULL},
    {Provision_AllowBluetooth, DEMAND_ZERO, false, NULL},
    {Provision_AllowIrDA, DEMAND_ZERO, false, NULL},
    {Provision_AllowDesktopSync, DEMAND_ZERO, false, NULL},
    {Provision_AllowBrowser, DEMAND_ZERO, false, NULL},
    {Provision_AllowConsumerEmail, DEMAND_ZERO, false, NULL},
    {Provision_AllowRemoteDesktop, DEMAND_ZERO, false, NULL},
    {Provision_AllowInternetSharing, DEMAND_ZERO, false, NULL},
    {Provision_UnapprovedInROMApplicationList, DEMAND_LIST, false, NULL},
    {Provision_ApprovedApplicationList, DEMAND_LIST, false, NULL},
};

#define SETTINGS  (sizeof(settings) / sizeof(settings[0]))
#define NO_LOCK_S 9999 /* MaxInactivityTimeDeviceLock: this and more is "never" */

static bool demands(enum demand demand, struct str value)
{
    int n = eas_number(value);

    switch (demand) {
    case DEMAND_ONE:
        return n == 1;
    case DEMAND_ZERO:
        return n == 0;
    case DEMAND_NUMBER:
        return n > 0;
    case DEMAND_SIZE:
        return n >= 0;
    case DEMAND_TIME:
        return n > 0 && n < NO_LOCK_S;
    case DEMAND_LIST:
        return true;
    }
    return true;
}

bool eas_policy_setting(struct eas_policy *policy, enum eas_tag tag, struct str value)
{
    const struct setting *s = settings;

    value = str_trim(value);
    while (s < settings + SETTINGS && s->tag != tag)
        s++;
    if (s == settings + SETTINGS || !demands(s->demand, value))
        return true;
    policy->demanded++;
    if (tag == Provision_DevicePasswordEnabled)
        policy->has_password = true;
    if (tag == Provision_MaxEmailAgeFilter && eas_number(value) <= 5)
        policy->email_age = (unsigned)eas_number(value);
    if (tag == Provision_MaxCalendarAgeFilter && eas_number(value) >= 4 && eas_number(value) <= 7)
        policy->calendar_age = (unsigned)eas_number(value);
    if (s->unmet && (!s->password || policy->has_password) && policy->unmet_count < EAS_POLICY_UNMET_MAX)
        policy->unmet[policy->unmet_count++] = s->unmet;
    return true;
}

enum eas_acknowledgement eas_policy_answer(const struct eas_policy *policy, enum provision_answer configured)
{
    static const enum eas_acknowledgement unmet[] = {
        [PROVISION_ASK] = EAS_ACK_NONE,
        [PROVISION_ACCEPT] = EAS_ACK_PARTIAL,
        [PROVISION_REFUSE] = EAS_ACK_REFUSED,
    };

    return policy->unmet_count == 0 ? EAS_ACK_APPLIED : unmet[configured];
}

struct str eas_policy_text(const struct eas_policy *policy, struct arena *arena, size_t max)
{
    struct buf text = BUF_INIT(4096);
    struct str result;

    for (size_t i = 0; i < policy->unmet_count; i++) {
        if (text.n + strlen(policy->unmet[i]) + 8 > max) {
            buf_lit(&text, ", ...");
            break;
        }
        buf_printf(&text, "%s%s", i ? ", " : "", policy->unmet[i]);
    }
    result = arena_str(arena, buf_view(&text));
    buf_done(&text);
    return result;
}

/* --- the answer -------------------------------------------------------------------------------------------------- */

static bool on_wipe(void *ud, struct err *err)
{
    (void)err;
    ((struct eas_provision *)ud)->wipe = true;
    return true;
}

static bool on_account_wipe(void *ud, struct err *err)
{
    (void)err;
    ((struct eas_provision *)ud)->account_wipe = true;
    return true;
}

static bool on_policy(void *ud, struct err *err)
{
    (void)err;
    ((struct eas_provision *)ud)->has_policy = true;
    return true;
}

static bool on_status(void *ud, struct str text, struct err *err)
{
    (void)err;
    ((struct eas_provision *)ud)->policy_status = eas_number(text);
    return true;
}

static bool on_key(void *ud, struct str text, struct err *err)
{
    struct eas_provision *p = ud;

    text = str_trim(text);
    if (text.n > EAS_POLICY_KEY_MAX)
        return err_set(err, ERR_PROTOCOL, "a policy key of %zu bytes", text.n);
    for (size_t i = 0; i < text.n; i++)
        if ((unsigned char)text.p[i] <= ' ' || (unsigned char)text.p[i] > '~')
            return err_set(err, ERR_PROTOCOL, "a policy key that is not a number");
    if (text.n > 0)
        memcpy(p->key, text.p, text.n);
    p->key[text.n] = '\0';
    return true;
}

/* One function a setting, because a text handler is not told its tag. */
#define SETTING(name)                                                                                                  \
    static bool on_##name(void *ud, struct str text, struct err *err)                                                  \
    {                                                                                                                  \
        (void)err;                                                                                                     \
        return eas_policy_setting(&((struct eas_provision *)ud)->policy, Provision_##name, text);                      \
    }
#define SETTING_LIST(name)                                                                                             \
    static bool on_##name(void *ud, struct err *err)                                                                   \
    {                                                                                                                  \
        (void)err;                                                                                                     \
        return eas_policy_setting(&((struct eas_provision *)ud)->policy, Provision_##name, STR_NULL);                  \
    }

/* clang-format off */
#define TEXTS(X) \
    X(DevicePasswordEnabled) X(AlphanumericDevicePasswordRequired) X(PasswordRecoveryEnabled) X(MinDevicePasswordLength) \
    X(MinDevicePasswordComplexCharacters) X(MaxDevicePasswordFailedAttempts) X(AllowSimpleDevicePassword) \
    X(DevicePasswordExpiration) X(DevicePasswordHistory) X(MaxInactivityTimeDeviceLock) X(RequireDeviceEncryption) \
    X(RequireStorageCardEncryption) X(AttachmentsEnabled) X(MaxAttachmentSize) X(AllowPOPIMAPEmail) X(AllowHTMLEmail) \
    X(MaxEmailBodyTruncationSize) X(MaxEmailHTMLBodyTruncationSize) X(RequireSignedSMIMEMessages) \
    X(RequireEncryptedSMIMEMessages) X(MaxEmailAgeFilter) X(MaxCalendarAgeFilter) X(RequireManualSyncWhenRoaming) \
    X(RequireSignedSMIMEAlgorithm) X(RequireEncryptionSMIMEAlgorithm) X(AllowSMIMEEncryptionAlgorithmNegotiation) \
    X(AllowSMIMESoftCerts) X(AllowStorageCard) X(AllowCamera) X(AllowUnsignedApplications) \
    X(AllowUnsignedInstallationPackages) X(AllowWiFi) X(AllowTextMessaging) X(AllowBluetooth) X(AllowIrDA) \
    X(AllowDesktopSync) X(AllowBrowser) X(AllowConsumerEmail) X(AllowRemoteDesktop) X(AllowInternetSharing)
#define RULE(name) {Provision_EASProvisionDoc, Provision_##name, .text = on_##name},

TEXTS(SETTING)
SETTING_LIST(UnapprovedInROMApplicationList)
SETTING_LIST(ApprovedApplicationList)

static const struct eas_rule rules[] = {
    {.tag = Provision_Provision},
    {Provision_Provision, Provision_RemoteWipe, .open = on_wipe},
    {Provision_Provision, Provision_AccountOnlyRemoteWipe, .open = on_account_wipe},
    EAS_CONTAINER(Provision_Provision, Provision_Policies),
    {Provision_Policies, Provision_Policy, .open = on_policy},
    {Provision_Policy, Provision_Status, .text = on_status},
    {Provision_Policy, Provision_PolicyKey, .text = on_key},
    EAS_CONTAINER(Provision_Policy, Provision_Data),
    EAS_CONTAINER(Provision_Data, Provision_EASProvisionDoc),
    TEXTS(RULE)
    {Provision_EASProvisionDoc, Provision_UnapprovedInROMApplicationList, .open = on_UnapprovedInROMApplicationList},
    {Provision_EASProvisionDoc, Provision_ApprovedApplicationList, .open = on_ApprovedApplicationList},
};
/* clang-format on */
const struct eas_rules eas_provision_rules = {rules, sizeof(rules) / sizeof(rules[0])};
