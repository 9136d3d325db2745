/* SPDX-License-Identifier: Apache-2.0 */
#include "protocols/caldav/dav_names.h"

const char *const dav_namespaces[4] = {
    [NS_DAV - 1] = "DAV:",
    [NS_CALDAV - 1] = "urn:ietf:params:xml:ns:caldav",
    [NS_CALSERVER - 1] = "http://calendarserver.org/ns/",
    [NS_APPLE - 1] = "http://apple.com/ns/ical/",
};

const struct xml_tag dav_tags[DAV_ID_MAX - 1] = {
#define X(id, ns, local, written) {ns, local, DAV_ID_##id},
    DAV_NAMES(X)
#undef X
};

const char *dav_written(enum dav_id id)
{
    static const char *const written[] = {
#define X(id, ns, local, written) written,
        DAV_NAMES(X)
#undef X
    };
    return id > DAV_ID_NONE && id < DAV_ID_MAX ? written[id - 1] : "";
}

const char *dav_prefix_of(struct str uri)
{
    static const char *const prefixes[] = {"D", "C", "CS", "A"};
    for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
        if (str_is(uri, dav_namespaces[i]))
            return prefixes[i];
    return NULL;
}
