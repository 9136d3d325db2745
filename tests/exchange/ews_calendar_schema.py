# SPDX-License-Identifier: Apache-2.0
"""What requests about calendar items, tasks and meetings may hold: rows for the tables of ews_schema (MS-OXWSCDATA,
MS-OXWSMTGS, MS-OXWSTASK)."""
from ews_schema import ATTRIBUTES, BOOL, CONTENT, ITEM_ORDER, MESSAGE_ORDER, either, optional

CALENDAR_ORDER = (
    ITEM_ORDER
    + """UID RecurrenceId DateTimeStamp Start End OriginalStart IsAllDayEvent LegacyFreeBusyStatus Location When
IsMeeting IsCancelled IsRecurring MeetingRequestWasSent IsResponseRequested CalendarItemType MyResponseType Organizer
RequiredAttendees OptionalAttendees Resources InboxReminders ConflictingMeetingCount AdjacentMeetingCount
ConflictingMeetings AdjacentMeetings Duration TimeZone AppointmentReplyTime AppointmentSequenceNumber AppointmentState
Recurrence FirstOccurrence LastOccurrence ModifiedOccurrences DeletedOccurrences MeetingTimeZone StartTimeZone
EndTimeZone ConferenceType AllowNewTimeProposal IsOnlineMeeting MeetingWorkspaceUrl NetShowUrl EnhancedLocation
StartWallClock EndWallClock StartTimeZoneId EndTimeZoneId IntendedFreeBusyStatus JoinOnlineMeetingUrl
OnlineMeetingSettings IsOrganizer CalendarActivityData""".split()
)
TASK_ORDER = (
    ITEM_ORDER
    + """ActualWork AssignedTime BillingInformation ChangeCount Companies CompleteDate Contacts DelegationState
Delegator DueDate IsAssignmentEditable IsComplete IsRecurring IsTeamTask Mileage Owner PercentComplete Recurrence
StartDate Status StatusDescription TotalWork""".split()
)
MEETING_ORDER = (
    MESSAGE_ORDER
    + """AssociatedCalendarItemId IsDelegated IsOutOfDate HasBeenProcessed ResponseType UID RecurrenceId DateTimeStamp
IsOrganizer""".split()
)
REQUEST_ORDER = (
    MEETING_ORDER
    + """MeetingRequestType IntendedFreeBusyStatus Start End OriginalStart IsAllDayEvent LegacyFreeBusyStatus Location
When IsMeeting IsCancelled IsRecurring MeetingRequestWasSent CalendarItemType MyResponseType Organizer
RequiredAttendees OptionalAttendees Resources ConflictingMeetingCount AdjacentMeetingCount ConflictingMeetings
AdjacentMeetings Duration TimeZone AppointmentReplyTime AppointmentSequenceNumber AppointmentState Recurrence
FirstOccurrence LastOccurrence ModifiedOccurrences DeletedOccurrences MeetingTimeZone StartTimeZone EndTimeZone
ConferenceType AllowNewTimeProposal IsOnlineMeeting MeetingWorkspaceUrl NetShowUrl EnhancedLocation ChangeHighlights
StartWallClock EndWallClock StartTimeZoneId EndTimeZoneId""".split()
)
RESPONSE_ORDER = MEETING_ORDER + "Start End Location Recurrence CalendarItemType ProposedStart ProposedEnd".split()
CANCELLATION_ORDER = MEETING_ORDER + "Start End Location Recurrence CalendarItemType EnhancedLocation".split()
DAYS = "Sunday Monday Tuesday Wednesday Thursday Friday Saturday".split()
MONTHS = "January February March April May June July August September October November December".split()
ANY_DAY = "|".join(DAYS + ["Day", "Weekday", "WeekendDay"])
PATTERNS = (
    "RelativeYearlyRecurrence AbsoluteYearlyRecurrence RelativeMonthlyRecurrence AbsoluteMonthlyRecurrence "
    "WeeklyRecurrence DailyRecurrence"
).split()
REGENERATIONS = "DailyRegeneration WeeklyRegeneration MonthlyRegeneration YearlyRegeneration".split()
RANGES = either(["NoEndRecurrence", "EndDateRecurrence", "NumberedRecurrence"])
ANSWER = (
    "ItemClass? Sensitivity? Body? Attachments? InternetMessageHeaders? Sender? ToRecipients? CcRecipients? "
    "BccRecipients? IsReadReceiptRequested? IsDeliveryReceiptRequested? From? ReferenceItemId? ProposedStart? "
    "ProposedEnd?"
)
INDEXES = "#First|Second|Third|Fourth|Last"

CONTENT.update(
    {
        "CalendarItem": optional(CALENDAR_ORDER),
        "Task": optional(TASK_ORDER),
        "MeetingRequest": optional(REQUEST_ORDER),
        "MeetingResponse": optional(RESPONSE_ORDER),
        "MeetingCancellation": optional(CANCELLATION_ORDER),
        "Recurrence": either(PATTERNS) + " " + RANGES,
        "Task/Recurrence": either(PATTERNS + REGENERATIONS) + " " + RANGES,
        "RelativeYearlyRecurrence": "DaysOfWeek DayOfWeekIndex Month",
        "RelativeYearlyRecurrence/DaysOfWeek": "#" + ANY_DAY,
        "RelativeMonthlyRecurrence/DaysOfWeek": "#" + ANY_DAY,
        "AbsoluteYearlyRecurrence": "DayOfMonth Month",
        "RelativeMonthlyRecurrence": "Interval DaysOfWeek DayOfWeekIndex",
        "AbsoluteMonthlyRecurrence": "Interval DayOfMonth",
        "WeeklyRecurrence": "Interval DaysOfWeek FirstDayOfWeek?",
        "DailyRecurrence": "Interval",
        **{name: "Interval" for name in REGENERATIONS},
        "DayOfWeekIndex": INDEXES,
        "RelativeYearlyRecurrence/Month": "#" + "|".join(MONTHS),
        "AbsoluteYearlyRecurrence/Month": "#" + "|".join(MONTHS),
        "FirstDayOfWeek": "#" + "|".join(DAYS),
        "DaysOfWeek": "#",
        "Interval": "#",
        "DayOfMonth": "#",
        "NoEndRecurrence": "StartDate",
        "EndDateRecurrence": "StartDate EndDate",
        "NumberedRecurrence": "StartDate NumberOfOccurrences",
        "NumberOfOccurrences": "#",
        "StartDate": "#",
        "EndDate": "#",
        "Start": "#",
        "End": "#",
        "IsAllDayEvent": "#" + BOOL,
        "IsResponseRequested": "#" + BOOL,
        "AllowNewTimeProposal": "#" + BOOL,
        "ReminderIsSet": "#" + BOOL,
        "LegacyFreeBusyStatus": "#Free|Tentative|Busy|OOF|WorkingElsewhere|NoData",
        "Sensitivity": "#Normal|Personal|Private|Confidential",
        "Importance": "#Low|Normal|High",
        "Location": "#",
        "RequiredAttendees": "Attendee+",
        "OptionalAttendees": "Attendee+",
        "Resources": "Attendee+",
        "Attendee": "Mailbox ResponseType? LastResponseTime? ProposedStart? ProposedEnd?",
        "StartTimeZone": "Periods? TransitionsGroups? Transitions?",
        "EndTimeZone": "Periods? TransitionsGroups? Transitions?",
        "Periods": "Period+",
        "Period": "",
        "TransitionsGroups": "TransitionsGroup+",
        "TransitionsGroup": "(Transition|AbsoluteDateTransition|RecurringDayTransition|RecurringDateTransition)+",
        "Transitions": "(Transition|AbsoluteDateTransition|RecurringDayTransition|RecurringDateTransition)+",
        "Transition": "To",
        "AbsoluteDateTransition": "To DateTime",
        "RecurringDayTransition": "To TimeOffset Month DayOfWeek Occurrence",
        "RecurringDateTransition": "To TimeOffset Month Day",
        "To": "#",
        "TimeOffset": "#",
        "DateTime": "#",
        "RecurringDayTransition/Month": "#",
        "RecurringDateTransition/Month": "#",
        "RecurringDayTransition/DayOfWeek": "#" + ANY_DAY,
        "Occurrence": "#",
        "EnhancedLocation": "DisplayName Annotation? PostalAddress?",
        "Status": "#NotStarted|InProgress|Completed|WaitingOnOthers|Deferred",
        "DueDate": "#",
        "CompleteDate": "#",
        "PercentComplete": "#",
        "AcceptItem": ANSWER,
        "TentativelyAcceptItem": ANSWER,
        "DeclineItem": ANSWER,
        "CancelCalendarItem": "Subject? Body? ToRecipients? CcRecipients? BccRecipients? IsReadReceiptRequested? "
        "IsDeliveryReceiptRequested? From? ReferenceItemId? NewBodyContent?",
        "RemoveItem": "ReferenceItemId?",
        "ReferenceItemId": "",
        "CreateAttachment": "ParentItemId Attachments",
        "ParentItemId": "",
        "Attachments": "(ItemAttachment|FileAttachment|ReferenceAttachment)*",
        "FileAttachment": "AttachmentId? Name? ContentType? ContentId? ContentLocation? AttachmentOriginalUrl? Size? "
        "LastModifiedTime? IsInline? IsContactPhoto? Content?",
        "ItemAttachment": "...",
        "DeleteAttachment": "AttachmentIds",
        "Content": "#",
        "Name": "#",
        "ContentType": "#",
        "IsInline": "#" + BOOL,
        "CalendarFolder": "...",
        "TasksFolder": "...",
        "ContactsFolder": "...",
    }
)
ATTRIBUTES.update(
    {
        "OccurrenceItemId": {
            "RecurringMasterId": (True, None),
            "ChangeKey": (False, None),
            "InstanceIndex": (True, None),
        },
        "RecurringMasterItemId": {"OccurrenceId": (True, None), "ChangeKey": (False, None)},
        "CalendarView": {
            "MaxEntriesReturned": (False, None),
            "StartDate": (True, None),
            "EndDate": (True, None),
        },
        "ParentItemId": {"Id": (True, None), "ChangeKey": (False, None)},
        "ReferenceItemId": {"Id": (True, None), "ChangeKey": (False, None)},
        "AttachmentId": {"Id": (True, None), "RootItemId": (False, None), "RootItemChangeKey": (False, None)},
        "Period": {"Bias": (True, None), "Name": (True, None), "Id": (True, None)},
        "TransitionsGroup": {"Id": (False, None)},
        "StartTimeZone": {"Id": (False, None), "Name": (False, None)},
        "EndTimeZone": {"Id": (False, None), "Name": (False, None)},
    }
)
