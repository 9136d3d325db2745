# SPDX-License-Identifier: Apache-2.0
"""The client's commands on calendars and task folders in Sync (MS-ASCMD 2.2.1.21, MS-ASCAL, MS-ASTASK)."""
import dataclasses

import cal_meet
import cal_model
import eas_calendar
import eas_calendar_in
import eas_items
import eas_sync
import eas_tasks
from cal_model import RECEIVED, Appointment, Task
from eas_calendar_in import Invalid
from eas_state import seen_of
from mimeinfo import Address
from model import ModelError
from wbxml import E

OK, INVALID, CONFLICT, NOT_FOUND, RETRY = "1", "6", "7", "8", "16"
# What an attendee may change of somebody else's meeting without taking it over.
OWN_FIELDS = {"reminder", "categories", "busy", "sensitivity", "exceptions"}
TO_ALL = "SendToAllAndSaveCopy"


class PimCommands(eas_sync.Commands):
    """Changes of items that clients may write: a command that was applied before its answer got lost is not applied again."""

    def __init__(self, ctx, folder, state, wish):
        super().__init__(ctx, folder, state, wish)
        self.instances = set()  # masters of which an occurrence was named in this request
        self.named = set()

    def one(self, command, as_moves):
        if command.tag == "Add":
            return self.add(command)
        number, instance = command.value("ServerId"), command.value("AirSyncBase:InstanceId")
        code, fields = self.forced(), []
        done = (command.tag, number, instance)
        if code is None and done in self.state.replay:
            code = OK
            self.state.applied[done] = True
        if code is None:
            code, fields = self.apply(command, number, instance, as_moves)
        if code == OK and command.tag != "Fetch":
            self.state.applied[done] = True
            if not self.ctx.options.eas_echo_success:
                return None
        named = [E("AirSyncBase:InstanceId", instance)] if instance is not None else []
        data = [E("ApplicationData", *fields)] if fields else []
        return E(f"AirSync:{command.tag}", E("ServerId", number), *named, E("Status", code), *data)

    def apply(self, command, number, instance, as_moves):
        """(Status, fields of a Fetch)"""
        item = self.folder.items.get(self.state.ids.num_of(number, self.state.mode))
        if item is None or not self.state.shows(item):
            return NOT_FOUND, []
        if command.tag == "Fetch":
            return OK, eas_items.item_data(self.ctx, item, self.wish)
        if number in self.instances or (instance is not None and number in self.named):
            return RETRY, []  # one command for an occurrence of a series in a request, and no other for the series
        self.named.add(number)
        if instance is not None:
            self.instances.add(number)
        try:
            if command.tag == "Change":
                if self.outdated(item):
                    return CONFLICT, []
                self.change(item, command.get("ApplicationData"), instance)
            else:
                self.delete(item, instance, as_moves)
        except Invalid as error:
            self.ctx.detail(invalid=str(error))
            return INVALID, []
        return OK, []

    def outdated(self, item):
        """Somebody else changed it since the client saw it, and the server wins (Conflict 1, the default)."""
        seen = self.state.have.get(item.num)
        options = self.state.sticky
        wins = options is None or options.value("Conflict", "1") == "1"
        return wins and seen is not None and seen != seen_of(item)

    def stored(self, item, cal):
        cal_model.save(self.ctx.mailbox, item, cal)
        if not self.ctx.options.eas_echo_own:
            self.state.note(item.num, seen_of(item))

    def add(self, command):
        ctx, client_id = self.ctx, command.value("ClientId")
        code = self.forced()
        if not client_id or len(client_id) > 64:
            code = code or "4"
        before = self.state.replay.get(("Add", client_id))
        item = self.folder.items.get(before) if before else None
        try:
            if code is None and item is None:
                item = self.create(command.get("ApplicationData"))
        except Invalid as error:
            ctx.detail(invalid=str(error))
            code = INVALID
        except ModelError:
            code = "5"
        if code is not None:
            return E("AirSync:Add", E("ClientId", client_id), E("Status", code))
        self.state.applied["Add", client_id] = item.num
        if not ctx.options.eas_echo_own:
            self.state.note(item.num, seen_of(item))
        number = self.state.ids.id_of(item.num, self.state.mode)
        return E("AirSync:Add", E("ClientId", client_id), E("ServerId", number), E("Status", 1), *self.made(item))

    def made(self, item):
        return []

    def remove(self, item, as_moves):
        trash = self.ctx.mailbox.kinds["deleteditems"]
        self.ctx.mailbox.delete_item(item, "trash" if as_moves and self.folder is not trash else "hard")
        self.state.note(item.num, None)


class CalendarCommands(PimCommands):
    @property
    def at16(self):
        return self.ctx.at_least("16.0")

    def tell(self, item, before, day=None):
        """From 16.0 on the server sends what has to be sent; before that it is the client's task."""
        if self.at16 and self.worth_telling(before, item.cal, day):
            cal_meet.organized(self.ctx.app, self.ctx.mailbox, item, before, TO_ALL, day)
            if not self.ctx.options.eas_echo_own:
                self.state.note(item.num, seen_of(item))

    @staticmethod
    def worth_telling(before, now, day):
        if before is None or day is None:
            return cal_meet.shown_change(before, now)
        return cal_meet.shown_change(before.occurrence(day), now.occurrence(day))

    def create(self, data):
        known = self.same_client_uid(data) if self.at16 else None
        if known is not None:
            return known
        item = cal_model.add(self.ctx.mailbox, self.folder, eas_calendar_in.added(self.ctx, data))
        self.tell(item, None)
        return item

    def same_client_uid(self, data):
        """An Add whose answer was lost (MS-ASCAL 2.2.2.11): the client's name for it tells."""
        wanted = data.value("Calendar:ClientUid")
        items = self.folder.items.values() if wanted else ()
        return next((i for i in items if cal_model.is_event(i) and i.cal.client_uid == wanted), None)

    def made(self, item):
        return [E("ApplicationData", E("Calendar:UID", item.cal.uid))] if self.at16 else []

    def change(self, item, data, instance):
        before, day = item.cal, None
        if instance is None:
            new = eas_calendar_in.updated(self.ctx, before, data, self.state.supported)
        else:
            day = eas_calendar_in.instance_of(self.ctx, before, instance)
            new = eas_calendar_in.instance_changed(self.ctx, before, day, data)
        new = self.taken_over(before, new)
        self.stored(item, new)
        self.tell(item, before, day)

    def taken_over(self, before, new):
        """Who changes another one's meeting from 16.0 on becomes its organizer, as on Exchange."""
        if not self.at16 or not before.state & RECEIVED:
            return new
        names = (f.name for f in dataclasses.fields(new))
        if {name for name in names if getattr(new, name) != getattr(before, name)} <= OWN_FIELDS:
            return new
        self.ctx.violation("an attendee changed the meeting and is its organizer now")
        me = Address(self.ctx.mailbox.display_name, self.ctx.mailbox.email)
        state = new.state & ~RECEIVED
        return dataclasses.replace(new, organizer=me, state=state, my_response="Organizer")

    def delete(self, item, instance, as_moves):
        before = item.cal
        if instance is None:
            if self.at16:
                cal_meet.cancelled(self.ctx.app, self.ctx.mailbox, before, TO_ALL)
            return self.remove(item, as_moves)
        day = eas_calendar_in.instance_of(self.ctx, before, instance)
        left = eas_calendar_in.guarded(cal_model.without_occurrence, before, day)
        cal_meet.cancelled(self.ctx.app, self.ctx.mailbox, before.occurrence(day), TO_ALL)
        if left is None:
            return self.remove(item, as_moves)
        return self.stored(item, left)


class TaskCommands(PimCommands):
    def create(self, data):
        return cal_model.add(self.ctx.mailbox, self.folder, eas_tasks.whole(self.ctx, data))

    def change(self, item, data, instance):
        if instance is not None:
            raise Invalid("InstanceId of a task")
        self.stored(item, eas_tasks.whole(self.ctx, data, item.cal))

    def delete(self, item, instance, as_moves):
        if instance is not None:
            raise Invalid("InstanceId of a task")
        self.remove(item, as_moves)


eas_items.DATA.update({Appointment: eas_calendar.event_data, Task: eas_tasks.task_data})
eas_items.DATA["attachment"] = eas_calendar.attachment
eas_sync.COMMANDS_OF.update({"Calendar": CalendarCommands, "Tasks": TaskCommands})
