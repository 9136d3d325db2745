# SPDX-License-Identifier: Apache-2.0
"""Which elements an EAS request may hold, in which order and how often (the schemas of MS-ASCMD, MS-ASPROV, MS-ASAIRS).

A rule is a word `seq` (order matters), `all` (any order), `any` (repeated in any order) or `free`, and the children
with `?`, `*`, `+` or nothing for exactly one.  A child without namespace has the parent's.  Elements without a rule
hold text only.
"""
import collections

RULES = {
    "AirSync:Sync": "all Collections? Wait? HeartbeatInterval? WindowSize? Partial?",
    "AirSync:Collections": "seq Collection+",
    "AirSync:Collection": (
        "seq Class? SyncKey CollectionId Supported? DeletesAsMoves? GetChanges? WindowSize? ConversationMode? Options* "
        "Commands?"
    ),
    "AirSync:Options": (
        "all FilterType? Class? AirSyncBase:BodyPreference* AirSyncBase:BodyPartPreference* Conflict? MIMESupport? "
        "MIMETruncation? MaxItems? RightsManagement:RightsManagementSupport?"
    ),
    "AirSyncBase:BodyPreference": "seq Type TruncationSize? AllOrNone? Preview?",
    "AirSyncBase:BodyPartPreference": "seq Type TruncationSize? AllOrNone? Preview?",
    "AirSync:Commands": "any Add Change Delete Fetch",
    "AirSync:Add": "seq Class? ClientId ApplicationData",
    "AirSync:Change": "seq ServerId AirSyncBase:InstanceId? Class? ApplicationData",
    "AirSync:Delete": "seq ServerId AirSyncBase:InstanceId?",
    "AirSync:Fetch": "seq ServerId",
    "AirSync:Supported": "free",
    "AirSync:ApplicationData": "free",
    "FolderHierarchy:FolderSync": "seq SyncKey",
    "FolderHierarchy:FolderCreate": "all SyncKey ParentId DisplayName Type",
    "FolderHierarchy:FolderUpdate": "all SyncKey ServerId ParentId DisplayName",
    "FolderHierarchy:FolderDelete": "all SyncKey ServerId",
    "Provision:Provision": "all Settings:DeviceInformation? Policies? RemoteWipe? AccountOnlyRemoteWipe?",
    "Provision:Policies": "seq Policy",
    "Provision:Policy": "seq PolicyType PolicyKey? Status?",
    "Provision:RemoteWipe": "seq Status",
    "Provision:AccountOnlyRemoteWipe": "seq Status",
    "Settings:Settings": "all Oof? DevicePassword? DeviceInformation? UserInformation? RightsManagementInformation?",
    "Settings:DeviceInformation": "seq Set",
    "Settings:UserInformation": "seq Get",
    "Settings:RightsManagementInformation": "seq Get",
    "Settings:DevicePassword": "seq Set",
    "Settings:Oof": "all Get? Set?",
    "Settings:Get": "all BodyType?",
    "Settings:Set": (
        "all Model? IMEI? FriendlyName? OS? OSLanguage? PhoneNumber? UserAgent? EnableOutboundSMS? MobileOperator? "
        "Password? OofState? StartTime? EndTime? OofMessage*"
    ),
    "Settings:OofMessage": (
        "all AppliesToInternal? AppliesToExternalKnown? AppliesToExternalUnknown? Enabled? ReplyMessage? BodyType?"
    ),
    "ItemOperations:ItemOperations": "any Fetch EmptyFolderContents Move",
    "ItemOperations:Fetch": (
        "all Store AirSync:ServerId? AirSync:CollectionId? DocumentLibrary:LinkId? Search:LongId? "
        "AirSyncBase:FileReference? Options? RightsManagement:RemoveRightsManagementProtection?"
    ),
    "ItemOperations:Options": (
        "all Schema? Range? UserName? Password? AirSync:MIMESupport? AirSyncBase:BodyPreference* "
        "AirSyncBase:BodyPartPreference* RightsManagement:RightsManagementSupport?"
    ),
    "ItemOperations:Schema": "free",
    "ItemOperations:EmptyFolderContents": "all AirSync:CollectionId Options?",
    "ItemOperations:Move": "all ConversationId DstFldId Options?",
    "Move:MoveItems": "seq Move+",
    "Move:Move": "seq SrcMsgId SrcFldId DstFldId",
    "GetItemEstimate:GetItemEstimate": "seq Collections",
    "GetItemEstimate:Collections": "seq Collection+",
    "GetItemEstimate:Collection": "seq AirSync:SyncKey CollectionId AirSync:ConversationMode? AirSync:Options*",
    "Ping:Ping": "all HeartbeatInterval? Folders?",
    "Ping:Folders": "seq Folder+",
    "Ping:Folder": "all Id Class",
    "ComposeMail:SendMail": "all ClientId AccountId? SaveInSentItems? RightsManagement:TemplateID? Mime",
    "ComposeMail:SmartReply": (
        "all ClientId Source AccountId? SaveInSentItems? ReplaceMime? RightsManagement:TemplateID? Mime"
    ),
    "ComposeMail:SmartForward": (
        "all ClientId Source AccountId? SaveInSentItems? ReplaceMime? RightsManagement:TemplateID? Mime"
    ),
    "ComposeMail:Source": "all FolderId? ItemId? LongId? InstanceId?",
    "ResolveRecipients:ResolveRecipients": "any To Options",
    "ResolveRecipients:Options": (
        "all CertificateRetrieval? MaxCertificates? MaxAmbiguousRecipients? Availability? Picture?"
    ),
    "ResolveRecipients:Availability": "seq StartTime EndTime?",
    "ResolveRecipients:Picture": "all MaxSize? MaxPictures?",
    "MeetingResponse:MeetingResponse": "seq Request+",
    "MeetingResponse:Request": "all UserResponse CollectionId? Search:LongId? RequestId? InstanceId? SendResponse?",
    "MeetingResponse:SendResponse": "all AirSyncBase:Body? ProposedStartTime? ProposedEndTime?",
    "AirSyncBase:Body": "all Type EstimatedDataSize? Truncated? Data?",
    "Search:Search": "seq Store",
    "Search:Store": "seq Name Query Options?",
    "Search:Query": "free",
    "Search:Options": (
        "all Range? DeepTraversal? RebuildResults? UserName? Password? Picture? AirSync:MIMESupport? "
        "AirSyncBase:BodyPreference* AirSyncBase:BodyPartPreference* RightsManagement:RightsManagementSupport?"
    ),
    "Search:Picture": "all MaxSize? MaxPictures?",
    "Find:Find": "all SearchId ExecuteSearch",
    "Find:ExecuteSearch": "any MailBoxSearchCriterion GalSearchCriterion",
    "Find:MailBoxSearchCriterion": "all Query Options?",
    "Find:GalSearchCriterion": "all Query Options?",
    "Find:Query": "free",
    "Find:Options": "all Range? DeepTraversal? Picture?",
    "Find:Picture": "all MaxSize? MaxPictures?",
}

# Up to 12.1 a collection is asked for in another order (MS-ASCMD 2.2.3.29).
RULES_12 = {
    "GetItemEstimate:Collection": "seq Class? CollectionId AirSync:FilterType? AirSync:SyncKey AirSync:Options*",
}

EVENT = " AirSyncBase:Location? AirSyncBase:InstanceId? Calendar:" + " Calendar:".join(
    (
        "Timezone? AllDayEvent? StartTime? EndTime? DtStamp? Subject? Location? Reminder? BusyStatus? Sensitivity? "
        "MeetingStatus? Attendees? OrganizerName? OrganizerEmail? Categories? UID? ClientUid? Recurrence? "
        "Exceptions? ResponseRequested? DisallowNewTimeProposal? ResponseType? AppointmentReplyTime? "
        "OnlineMeetingConfLink? OnlineMeetingExternalLink?"
    ).split()
)
TASK = " Tasks:" + " Tasks:".join(
    (
        "Categories? Complete? DateCompleted? DueDate? UtcDueDate? Importance? OrdinalDate? SubOrdinalDate? Recurrence? "
        "ReminderSet? ReminderTime? Sensitivity? StartDate? UtcStartDate? Subject?"
    ).split()
)
PLACE = (
    "seq DisplayName? Annotation? Street? City? State? Country? PostalCode? Latitude? Longitude? Accuracy? Altitude? "
    "AltitudeAccuracy? LocationUri?"
)
PATTERN = "Interval? DayOfWeek? DayOfMonth? WeekOfMonth? MonthOfYear? CalendarType? IsLeapMonth? FirstDayOfWeek?"
MAIL = (
    "all Email:To? Email:Cc? Email:From? Email:ReplyTo? Email:Subject? Email:DateReceived? Email:DisplayTo? "
    "Email:ThreadTopic? Email:Importance? Email:Read? Email:MessageClass? Email:InternetCPID? Email:Flag? "
    "Email:ContentClass? Email:Categories? AirSyncBase:Attachments? AirSyncBase:Body? AirSyncBase:NativeBodyType? "
    "Email2:ConversationId? Email2:ConversationIndex? Email2:Sender? Email2:LastVerbExecuted? "
    "Email2:LastVerbExecutionTime? Email2:ReceivedAsBcc? Email2:IsDraft? Email2:Bcc? Email:MeetingRequest?"
)

# What an answer may hold: the stand-in checks itself.
ANSWERS = {
    "AirSync:Sync": "seq Status? Limit? Collections?",
    "AirSync:Collections": "seq Collection*",
    "AirSync:Collection": "all Class? SyncKey CollectionId Status Commands? Responses? MoreAvailable?",
    "AirSync:Commands": "any Add Change Delete SoftDelete",
    "AirSync:Responses": "any Add Change Delete Fetch",
    "AirSync:Add": "seq Class? ClientId? ServerId? Status? ApplicationData?",
    "AirSync:Change": "seq Class? ServerId AirSyncBase:InstanceId? Status? ApplicationData?",
    "AirSync:Delete": "seq Class? ServerId AirSyncBase:InstanceId? Status?",
    "AirSync:SoftDelete": "seq ServerId",
    "AirSync:Fetch": "seq ServerId? Status ApplicationData?",
    "AirSync:ApplicationData": MAIL + EVENT + TASK,
    "AirSyncBase:Location": PLACE,
    "Calendar:Attendees": "seq Attendee*",
    "Calendar:Attendee": "all Email Name AttendeeStatus? AttendeeType?",
    "Calendar:Categories": "seq Category*",
    "Calendar:Recurrence": "all Type Until? Occurrences? " + PATTERN,
    "Calendar:Exceptions": "seq Exception+",
    "Calendar:Exception": (
        "all Deleted? ExceptionStartTime? AirSyncBase:InstanceId? Subject? StartTime? EndTime? Location? "
        "AirSyncBase:Location? AirSyncBase:Body? Categories? Sensitivity? BusyStatus? AllDayEvent? Reminder? DtStamp? "
        "MeetingStatus? Attendees? ResponseType? AppointmentReplyTime? AirSyncBase:Attachments?"
    ),
    "Email:MeetingRequest": (
        "all AllDayEvent? StartTime DtStamp EndTime InstanceType Location? AirSyncBase:Location? Organizer? RecurrenceId? "
        "Reminder? ResponseRequested? Recurrences? Sensitivity? BusyStatus? TimeZone GlobalObjId? Calendar:UID? "
        "DisallowNewTimeProposal? Email2:MeetingMessageType?"
    ),
    "Email:Recurrences": "seq Recurrence+",
    "Email:Recurrence": "all Type Until? Occurrences? Email2:FirstDayOfWeek? " + PATTERN.replace("FirstDayOfWeek?", ""),
    "ResolveRecipients:ResolveRecipients": "seq Status Response*",
    "ResolveRecipients:Response": "seq To Status RecipientCount Recipient*",
    "ResolveRecipients:Recipient": "all Type DisplayName EmailAddress Availability?",
    "ResolveRecipients:Availability": "seq Status MergedFreeBusy?",
    "MeetingResponse:MeetingResponse": "seq Result*",
    "MeetingResponse:Result": "seq RequestId? Status CalendarId?",
    "Tasks:Categories": "seq Category+",
    "Tasks:Recurrence": "all Type Start Until? Occurrences? Regenerate? DeadOccur? " + PATTERN,
    "AirSyncBase:Body": "seq Type EstimatedDataSize? Truncated? Data? Preview? ItemOperations:Part?",
    "AirSyncBase:Attachments": "seq Attachment+",
    "AirSyncBase:Attachment": (
        "all ClientId? DisplayName? FileReference Method? EstimatedDataSize? ContentId? ContentLocation? IsInline?"
    ),
    "Email:Flag": "all Status? FlagType? CompleteTime?",
    "Email:Categories": "seq Category*",
    "FolderHierarchy:FolderSync": "seq Status SyncKey? Changes?",
    "FolderHierarchy:Changes": "seq Count? Update* Delete* Add*",
    "FolderHierarchy:Update": "seq ServerId ParentId DisplayName Type",
    "FolderHierarchy:Add": "seq ServerId ParentId DisplayName Type",
    "FolderHierarchy:Delete": "seq ServerId",
    "FolderHierarchy:FolderCreate": "seq Status SyncKey? ServerId?",
    "FolderHierarchy:FolderUpdate": "seq Status SyncKey?",
    "FolderHierarchy:FolderDelete": "seq Status SyncKey?",
    "Move:MoveItems": "seq Status? Response*",
    "Move:Response": "seq SrcMsgId Status DstMsgId?",
    "GetItemEstimate:GetItemEstimate": "seq Status? Response*",
    "GetItemEstimate:Response": "seq Status Collection?",
    "GetItemEstimate:Collection": "seq CollectionId Estimate?",
    "ItemOperations:ItemOperations": "seq Status Response?",
    "ItemOperations:Response": "seq Move* EmptyFolderContents* Fetch*",
    "ItemOperations:Move": "all Status ConversationId",
    "ItemOperations:EmptyFolderContents": "seq Status AirSync:CollectionId",
    "ItemOperations:Fetch": (
        "seq Status AirSync:CollectionId? AirSync:ServerId? Search:LongId? AirSync:Class? DocumentLibrary:LinkId? "
        "AirSyncBase:FileReference? Properties?"
    ),
    "ItemOperations:Properties": MAIL + EVENT + TASK + " Range? Total? Data? Part? AirSyncBase:ContentType?",
    "Ping:Ping": "seq Status Folders? MaxFolders? HeartbeatInterval?",
    "Ping:Folders": "seq Folder+",
    "Ping:Folder": "free",
    "Provision:Provision": "seq Settings:DeviceInformation? Status? Policies? RemoteWipe? AccountOnlyRemoteWipe?",
    "Provision:Policies": "seq Policy",
    "Provision:Policy": "seq PolicyType Status PolicyKey? Data?",
    "Provision:Data": "seq EASProvisionDoc",
    "Provision:EASProvisionDoc": "free",
    "Settings:Settings": (
        "all Status? Oof? DeviceInformation? DevicePassword? UserInformation? RightsManagementInformation?"
    ),
    "Settings:Oof": "all Status? Get?",
    "Settings:DeviceInformation": "all Status?",
    "Settings:DevicePassword": "all Status?",
    "Settings:RightsManagementInformation": "all Status? Get",
    "Settings:UserInformation": "all Status? Get?",
    "Settings:Get": "free",
    "ComposeMail:SendMail": "seq Status",
    "ComposeMail:SmartReply": "seq Status",
    "ComposeMail:SmartForward": "seq Status",
    "Search:Search": "seq Status? Response?",
    "Search:Response": "seq Store",
    "Search:Store": "seq Status Result* Range? Total?",
    "Search:Result": "seq AirSync:Class? LongId? AirSync:CollectionId? Properties?",
    "Search:Properties": MAIL,
    "Find:Find": "seq Status Response?",
    "Find:Response": "all ItemOperations:Store Status Result* Range? Total?",
    "Find:Result": "seq AirSync:Class AirSync:ServerId AirSync:CollectionId Properties",
    "Find:Properties": "all Email:Subject? Email:DateReceived? Email:From? Email:Read?",
}

# Sync's status for a malformed request is its own 4, and so on; everything else answers 103 (InvalidXML).
MALFORMED = {
    "Sync": "4",
    "FolderSync": "10",
    "FolderCreate": "10",
    "FolderUpdate": "10",
    "FolderDelete": "10",
    "Ping": "4",
    "ItemOperations": "2",
    "Provision": "2",
    "Settings": "2",
    "Search": "2",
    "Find": "2",
    "ResolveRecipients": "5",
}


def parse(rules):
    """{name: (kind, [(child, least, most)])}"""
    bounds = {"?": (0, 1), "*": (0, None), "+": (1, None)}
    found = {}
    for name, text in rules.items():
        kind, *words = text.split()
        children = []
        for word in words:
            least, most = bounds.get(word[-1], (1, 1))
            child = word.rstrip("?*+")
            children.append((child if ":" in child else name.split(":")[0] + ":" + child, least, most))
        found[name] = kind, children
    return found


PARSED = parse(RULES)
PARSED_12 = {**PARSED, **parse(RULES_12)}
PARSED_ANSWERS = parse(ANSWERS)


def problem(element, version):
    """What is wrong with a request, as text, or None."""
    old = version in ("2.5", "12.0", "12.1")
    if not old and any(c.has("AirSync:Class") for c in element.all("Collections/AirSync:Collection")):
        return "Class in a Collection after 12.1"
    return mismatch(element, PARSED_12 if old else PARSED)


def answer_problem(element):
    """What is wrong with an answer, as text, or None."""
    return mismatch(element, PARSED_ANSWERS)


def mismatch(element, rules):
    stack = [element]
    while stack:
        e = stack.pop()
        kind, children = rules.get(e.name, ("text", []))
        if kind == "free":
            continue
        wrong = text_problem(e) if kind == "text" else children_problem(e, kind, children)
        if wrong:
            return wrong
        stack.extend(e.elements)
    return None


def text_problem(e):
    return f"{e.name} holds elements" if e.elements else None


def children_problem(e, kind, rules):
    if len(e.elements) != len(e.children):
        return f"{e.name} holds text"
    names = [c.name for c in e.elements]
    allowed = {child: place for place, (child, _, _) in enumerate(rules)}
    for name in names:
        if name not in allowed:
            return f"{name} in {e.name}"
    if kind == "any":
        return None
    counts = collections.Counter(names)
    for child, least, most in rules:
        count = counts[child]
        if count < least:
            return f"no {child} in {e.name}"
        if most is not None and count > most:
            return f"{count} times {child} in {e.name}"
    if kind == "seq":
        places = [allowed[name] for name in names]
        if places != sorted(places):
            return f"wrong order in {e.name}: {' '.join(names)}"
    return None
