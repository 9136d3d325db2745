/* SPDX-License-Identifier: Apache-2.0 */
#include "backends/eas/eas_state.h"

#include "bridge/base/mem.h"
#include "bridge/base/rand.h"

#define RECORD_KEY STR("eas.state")
#define RECORD_MAX ((size_t)8192)

static const struct {
    const char *name;
    unsigned number;
} versions[] = {{"16.1", 161}, {"16.0", 160}, {"14.1", 141}, {"14.0", 140}, {"12.1", 121}}; /* best first */

#define VERSIONS (sizeof(versions) / sizeof(versions[0]))

const char *eas_version_name(unsigned version)
{
    for (size_t i = 0; i < VERSIONS; i++)
        if (versions[i].number == version)
            return versions[i].name;
    return "";
}

unsigned eas_version_number(struct str name)
{
    for (size_t i = 0; i < VERSIONS; i++)
        if (str_is(name, versions[i].name))
            return versions[i].number;
    return 0;
}

unsigned eas_version_choose(struct str list, unsigned sticky)
{
    unsigned best = 0;
    struct str piece, word;

    while (str_cut(&list, ',', &piece))
        while (str_cut(&piece, ' ', &word)) { /* by blanks alone it is a list, too */
            unsigned number = eas_version_number(str_trim(word));

            if (number != 0 && number == sticky)
                return sticky;
            if (number > best)
                best = number;
        }
    return best;
}

/* --- the record: lines of "name value" --------------------------------------------------------------------------- */

static void set_text(char *to, size_t size, struct str value)
{
    if (value.n >= size)
        return;
    if (value.n > 0)
        memcpy(to, value.p, value.n);
    to[value.n] = '\0';
}

static void read_line(struct eas_state *state, const struct backend_config *config, struct str line, bool *same_server)
{
    struct str name;
    uint32_t n;

    if (!str_cut(&line, ' ', &name))
        return;
    if (str_is(name, "device"))
        set_text(state->device_id, sizeof(state->device_id), line);
    else if (str_is(name, "policy"))
        set_text(state->policy_key, sizeof(state->policy_key), line);
    else if (str_is(name, "version"))
        state->version = eas_version_number(line);
    else if (str_is(name, "epoch") && str_to_u32(line, &n))
        state->epoch = n;
    else if (str_is(name, "filter") && str_to_u32(line, &n) && n <= 5)
        state->filter = n;
    else if (str_is(name, "calendar-filter") && str_to_u32(line, &n) && n <= 7)
        state->calendar_filter = n;
    else if (str_is(name, "told"))
        state->device_told = str_is(line, "1");
    else if (str_is(name, "events"))
        state->events_by_sync = str_is(line, "sync");
    else if (str_is(name, "server"))
        *same_server = str_is(line, config->url);
    else if (str_is(name, "url") && *same_server && line.n <= EAS_URL_MAX)
        eas_state_set_url(state, line);
}

bool eas_state_load(struct eas_state *state, const struct backend_config *config, struct err *err)
{
    const struct backend_host *host = &config->host;
    struct buf record = BUF_INIT(RECORD_MAX);
    bool same_server = false;
    struct str rest, line;

    *state = (struct eas_state){.policy_key = "0"};
    eas_state_set_url(state, str_from(config->url));
    if (host->persist_get(host->ud, RECORD_KEY, &record)) {
        rest = buf_view(&record);
        while (str_cut(&rest, '\n', &line))
            read_line(state, config, line, &same_server);
    }
    buf_done(&record);
    if (!same_server) { /* a new account, or its address was changed by hand: nothing of the old server counts but the
                           device */
        state->version = 0;
        state->filter = state->calendar_filter = 0;
        state->device_told = state->events_by_sync = false;
        state->epoch++;
        set_text(state->policy_key, sizeof(state->policy_key), STR("0"));
    }
    if (strlen(state->device_id) != sizeof(state->device_id) - 1) {
        struct buf id = BUF_INIT(64);

        rand_add_hex(&id, (sizeof(state->device_id) - 1) / 2);
        set_text(state->device_id, sizeof(state->device_id), buf_view(&id));
        buf_done(&id);
    }
    return same_server ? true : eas_state_save(state, config, err);
}

bool eas_state_save(const struct eas_state *state, const struct backend_config *config, struct err *err)
{
    const struct backend_host *host = &config->host;
    struct buf record = BUF_INIT(RECORD_MAX);
    bool ok;

    buf_printf(&record,
               "device %s\nversion %s\nepoch %u\nfilter %u\ncalendar-filter %u\ntold %d\npolicy %s\n"
               "events %s\nserver %s\nurl %s\n",
               state->device_id, eas_version_name(state->version), state->epoch, state->filter, state->calendar_filter,
               state->device_told, state->policy_key, state->events_by_sync ? "sync" : "items", config->url,
               state->url);
    ok = record.failed ? err_set(err, ERR_INVALID, "the server's address is too long")
                       : host->persist_put(host->ud, RECORD_KEY, buf_view(&record), err);
    buf_done(&record);
    return ok;
}

void eas_state_set_url(struct eas_state *state, struct str url)
{
    char *copy = str_dup(url);

    mem_free(state->url);
    state->url = copy;
}

void eas_state_done(struct eas_state *state)
{
    mem_free(state->url);
    mem_wipe(state, sizeof(*state));
}
