// SPDX-License-Identifier: Apache-2.0
// tsdav does what the lines on stdin say; answers are JSON lines.
//   {"do": "login", "url": ..., "user": ..., "password": ...}   names of the calendars
//   {"do": "list", "calendar": NAME, "from": ISO, "to": ISO, "expand": bool}   objects, in a time range if given
//   {"do": "create" | "update" | "remove", "calendar": NAME, "name": ..., "ics": ...}   HTTP status
//   {"do": "sync", "calendar": NAME}   {"created": [url], "updated": [url], "deleted": [url]} since the last one
import readline from "node:readline";
import { createDAVClient } from "tsdav";

let client, calendars;
const known = {}; // by calendar: as of the last sync

const find = name => calendars.find(c => c.displayName === name || c.url.endsWith(name)); // by name or path
const all = (name, more) => { // it looks for events unless it is told
    const inner = { _attributes: { name: find(name).components[0] } };
    const filters = inner._attributes.name === "VTODO" &&
        [{ "comp-filter": { _attributes: { name: "VCALENDAR" }, "comp-filter": inner } }];
    return client.fetchCalendarObjects({ calendar: find(name), ...(filters && { filters }), ...more });
};
const object = async ({ calendar, name }) => (await all(calendar)).find(o => o.url.endsWith("/" + name));

const commands = {
    async login({ url, user, password }) {
        client = await createDAVClient({
            serverUrl: url, credentials: { username: user, password }, authMethod: "Basic", defaultAccountType: "caldav",
        });
        calendars = await client.fetchCalendars();
        return calendars.map(c => ({ name: c.displayName, url: c.url, components: c.components, reports: c.reports }));
    },
    async list({ calendar, from, to, expand }) {
        const timeRange = from && { start: from, end: to };
        const found = await all(calendar, { timeRange, expand });
        return found.map(o => ({ url: o.url, etag: o.etag, data: o.data }));
    },
    async create({ calendar, name, ics }) {
        return (await client.createCalendarObject({ calendar: find(calendar), iCalString: ics, filename: name })).status;
    },
    async update(given) {
        const calendarObject = await object(given);
        return (await client.updateCalendarObject({ calendarObject: { ...calendarObject, data: given.ics } })).status;
    },
    async remove(given) {
        return (await client.deleteCalendarObject({ calendarObject: await object(given) })).status;
    },
    async sync({ calendar }) {
        const first = !known[calendar];
        const collection = known[calendar] ??
            { ...find(calendar), objectMultiGet: client.calendarMultiGet, objects: await all(calendar) };
        const found = first ? collection : await client.smartCollectionSync({ collection, detailedResult: true });
        known[calendar] = first ? collection
            : { ...collection, ...found, objects: await all(calendar) };
        const urls = list => (list ?? []).map(o => o.url);
        return first ? urls(collection.objects)
            : { created: urls(found.objects.created), updated: urls(found.objects.updated), deleted: urls(found.objects.deleted) };
    },
};

for await (const line of readline.createInterface({ input: process.stdin })) {
    const { do: name, ...given } = JSON.parse(line);
    let answer;
    try {
        answer = { ok: await commands[name](given) };
    } catch (error) {
        answer = { error: String(error.stack ?? error) };
    }
    console.log(JSON.stringify(answer));
}
