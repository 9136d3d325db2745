# SPDX-License-Identifier: Apache-2.0
"""Thunderbird's calendar in a real window as a calendar program (programs.py)."""
import os

from bridge import LOCAL_PASSWORD
from programs import Program
from thunderbird import Thunderbird, caldav_calendars, trust

PRELUDE = """const { cal } = ChromeUtils.importESModule("resource:///modules/calendar/calUtils.sys.mjs");
const { CalEvent } = ChromeUtils.importESModule("resource:///modules/CalEvent.sys.mjs");
const { CalTodo } = ChromeUtils.importESModule("resource:///modules/CalTodo.sys.mjs");
const calendar = cal.manager.getCalendars().find(c => c.name == arguments[0]);
const items = () => calendar.getItemsAsArray(Ci.calICalendar.ITEM_FILTER_ALL_ITEMS, 0, null, null);
const whole = item => { const s = Cc["@mozilla.org/calendar/ics-serializer;1"].createInstance(Ci.calIIcsSerializer);
    s.addItems([item]);
    return s.serializeToString(); };
"""
READY = PRELUDE + """const end = Date.now() + 30000;
while ((!calendar || calendar.readOnly || calendar.getProperty("currentStatus")) && Date.now() < end) await sleep(50);
return [calendar.readOnly, calendar.getProperty("currentStatus")];"""
LIST = PRELUDE + "calendar.refresh(); return (await items()).map(whole);"
ADD = PRELUDE + """const item = arguments[2] ? new CalTodo(arguments[1]) : new CalEvent(arguments[1]);
return (await calendar.addItem(item)).id;"""
CHANGE = PRELUDE + """const old = (await items()).find(i => i.id == arguments[1]), item = old.clone();
for (const [name, value] of Object.entries(arguments[2])) item.setProperty(name, value);
return (await calendar.modifyItem(item, old)).title;"""
MOVE_ONE = PRELUDE + """const series = (await items()).find(i => i.id == arguments[1]), old = series.clone(), item = series.clone();
const when = cal.createDateTime(arguments[2]);
const one = item.recurrenceInfo.getOccurrenceFor(when.getInTimezone(item.startDate.timezone)).clone();
one.title = arguments[3];
for (const side of ["startDate", "endDate"]) { const at = one[side].clone(); at.hour += arguments[5]; one[side] = at; }
item.recurrenceInfo.modifyException(one, true);
item.recurrenceInfo.removeOccurrenceAt(cal.createDateTime(arguments[4]).getInTimezone(item.startDate.timezone));
await calendar.modifyItem(item, old);"""
REMOVE = PRELUDE + "await calendar.deleteItem((await items()).find(i => i.id == arguments[1]));"
SHOW = PRELUDE + """window.document.getElementById("tabmail").openTab("calendar");
window.switchToView("month"); window.currentView().goToDay(cal.createDateTime("20261203T120000Z")); await sleep(1500);"""


class Bird(Program):
    """Its calendars are called after what they hold."""

    def __init__(self, dav, directory):
        super().__init__(dav, directory)
        folder = str(directory)
        if self.bridge.tls:
            trust(folder, self.bridge.ca_file)
        urls = {kind: self.base + path for kind, path in self.paths.items()}
        self.window = Thunderbird(folder, caldav_calendars(urls, dav.user), [(self.base, dav.user, LOCAL_PASSWORD, "exbridge")],
                                  any_certificate=False)
        try:
            for kind in urls:
                assert self.js(READY, kind) == [False, 0], open(os.path.join(folder, "stdout.txt")).read()[-2000:]
        except BaseException:
            self.close()
            raise

    def js(self, body, *arguments):
        return self.window.js(body, *arguments)

    def close(self):
        self.window.stop()

    def texts(self, kind):
        """What it has; it is told to look for news, which comes when it comes."""
        return self.js(LIST, kind)

    def create(self, kind, text):
        self.js(ADD, kind, text, kind == "VTODO")

    def change(self, kind, uid, properties):
        self.js(CHANGE, kind, uid, properties)

    def make_exceptions(self, uid, title):
        self.js(MOVE_ONE, "VEVENT", uid, "20261208T090000Z", title, "20261215T090000Z", 4)

    def remove(self, kind, uid):
        self.js(REMOVE, kind, uid)

    def show(self, kind):
        self.js(SHOW, kind)
