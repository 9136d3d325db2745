/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BACKENDS_EAS_STATE_H
#define BACKENDS_EAS_STATE_H
/*
 * What a partnership with the server must remember over restarts: the device id (a new one is a new partnership, which
 * an administrator may have to allow), the protocol version (a change means a full resync), the policy key, the address
 * the server sent us to. One small record in the account's persistent storage.
 */
#include <stdbool.h>
#include <stdint.h>

#include "bridge/backend.h"
#include "bridge/base/err.h"
#include "bridge/base/str.h"

#define EAS_URL_MAX 2048

struct eas_state {
    char device_id[33]; /* 32 hexadecimal digits */
    unsigned version;   /* 121, 140, 141, 160, 161; 0 = not negotiated */
    unsigned epoch;     /* grows when the server wants all sync states thrown away: cursors of other epochs are stale */
    unsigned filter;    /* FilterType that the policy demands; 0 = all mail */
    unsigned calendar_filter; /* of calendars */
    bool device_told;         /* DeviceInformation was taken */
    bool events_by_sync;      /* events were fetched in a Sync, as ItemOperations did not give them (SOGo) */
    char policy_key[65];      /* "0" = none */
    char *url;                /* in use: the configured one, or where the server sent us from there */
};

/* Reads the record, or makes a new device id and stores it. ERR_DISK when that fails. */
bool eas_state_load(struct eas_state *state, const struct backend_config *config, struct err *err);
bool eas_state_save(const struct eas_state *state, const struct backend_config *config, struct err *err);
void eas_state_set_url(struct eas_state *state, struct str url);
void eas_state_done(struct eas_state *state);

const char *eas_version_name(unsigned version); /* "14.1"; "" for 0 */
unsigned eas_version_number(struct str name);   /* 0: none of ours */
/* The best version of a list like "2.5,12.0,14.1"; `sticky` where it is listed. 0: none in common. */
unsigned eas_version_choose(struct str list, unsigned sticky);

#endif
