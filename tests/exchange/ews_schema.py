# SPDX-License-Identifier: Apache-2.0
"""Validation of EWS requests: which children an element has, in which order, and which attributes.

The tables below are ours, for the operations the stand-in knows. With EXCHANGE_SCHEMA_DIR pointing at a folder with
Microsoft's messages.xsd and types.xsd both directions are validated against those as well.
"""
import functools
import io
import os
import re

from lxml import etree

from ews_xml import M, SOAP, T, EwsError

ITEM_ORDER = """MimeContent ItemId ParentFolderId ItemClass Subject Sensitivity Body Attachments DateTimeReceived Size
Categories Importance InReplyTo IsSubmitted IsDraft IsFromMe IsResend IsUnmodified InternetMessageHeaders DateTimeSent
DateTimeCreated ResponseObjects ReminderDueBy ReminderIsSet ReminderNextTime ReminderMinutesBeforeStart DisplayCc
DisplayTo DisplayBcc HasAttachments ExtendedProperty Culture EffectiveRights LastModifiedName LastModifiedTime
IsAssociated WebClientReadFormQueryString WebClientEditFormQueryString ConversationId UniqueBody Flag StoreEntryId
InstanceKey NormalizedBody EntityExtractionResult PolicyTag ArchiveTag RetentionDate Preview
RightsManagementLicenseData PredictedActionReasons IsClutter BlockStatus HasBlockedImages TextBody
IconIndex""".split()
MESSAGE_ORDER = (
    ITEM_ORDER
    + """Sender ToRecipients CcRecipients BccRecipients IsReadReceiptRequested
IsDeliveryReceiptRequested ConversationIndex ConversationTopic From InternetMessageId IsRead IsResponseRequested
References ReplyTo ReceivedBy ReceivedRepresenting""".split()
)
MEETING_ORDER = MESSAGE_ORDER + [
    "AssociatedCalendarItemId",
    "IsDelegated",
    "IsOutOfDate",
    "HasBeenProcessed",
    "ResponseType",
    "UID",
]
FOLDER_ORDER = """FolderId ParentFolderId FolderClass DisplayName TotalCount ChildFolderCount ExtendedProperty
ManagedFolderInformation EffectiveRights DistinguishedFolderId PolicyTag ArchiveTag ReplicaList PermissionSet
UnreadCount""".split()
ITEM_KINDS = (
    "Item Message CalendarItem Contact DistributionList MeetingMessage MeetingRequest MeetingResponse "
    "MeetingCancellation Task PostItem AcceptItem TentativelyAcceptItem DeclineItem ReplyToItem ForwardItem "
    "ReplyAllToItem CancelCalendarItem RemoveItem SuppressReadReceipt PostReplyItem AcceptSharingInvitation "
    "RoleMember Network Person"
).split()
FOLDER_KINDS = "Folder CalendarFolder ContactsFolder SearchFolder TasksFolder".split()
DISTINGUISHED = set(
    """calendar contacts deleteditems drafts inbox journal notes outbox sentitems tasks msgfolderroot
publicfoldersroot root junkemail searchfolders voicemail recoverableitemsroot recoverableitemsdeletions
recoverableitemsversions recoverableitemspurges archiveroot archivemsgfolderroot archivedeleteditems archiveinbox
archiverecoverableitemsroot archiverecoverableitemsdeletions archiverecoverableitemsversions
archiverecoverableitemspurges syncissues conflicts localfailures serverfailures recipientcache quickcontacts
conversationhistory adminauditlogs todosearch mycontacts directory imcontactlist peopleconnect favorites
archive""".split()
)


def optional(names):
    return " ".join(n + ("*" if n == "ExtendedProperty" else "?") for n in names)


def either(names):
    return "(" + "|".join(names) + ")"


FOLDER_REFS = either(["FolderId", "DistinguishedFolderId"])
ITEM_REFS = either(["ItemId", "OccurrenceItemId", "RecurringMasterItemId"])
PATHS = either(["FieldURI", "IndexedFieldURI", "ExtendedFieldURI"])
SEARCHES = either(
    "Contains Excludes Exists IsEqualTo IsNotEqualTo IsGreaterThan IsGreaterThanOrEqualTo IsLessThan "
    "IsLessThanOrEqualTo And Not Or".split()
)
COMPARISON = PATHS + " FieldURIOrConstant"
# content: names with ? * +, groups with |, "#" = text, "#words" = one of them, "..." = anything (left to the XSD)
CONTENT = {
    "GetFolder": "FolderShape FolderIds",
    "FolderShape": "BaseShape AdditionalProperties?",
    "BaseShape": "#IdOnly|Default|AllProperties",
    "AdditionalProperties": PATHS + "+",
    "FolderIds": FOLDER_REFS + "+",
    "ParentFolderIds": FOLDER_REFS + "+",
    "DistinguishedFolderId": "Mailbox?",
    "FolderId": "",
    "FieldURI": "",
    "IndexedFieldURI": "",
    "ExtendedFieldURI": "",
    "ItemId": "",
    "OccurrenceItemId": "",
    "RecurringMasterItemId": "",
    "Mailbox": "Name? EmailAddress? RoutingType? MailboxType? ItemId? OriginalDisplayName?",
    "FindFolder": "FolderShape (IndexedPageFolderView|FractionalPageFolderView)? Restriction? ParentFolderIds",
    "IndexedPageFolderView": "",
    "FractionalPageFolderView": "",
    "SyncFolderHierarchy": "FolderShape SyncFolderId? SyncState?",
    "SyncFolderId": FOLDER_REFS,
    "SyncState": "#",
    "SyncFolderItems": "ItemShape SyncFolderId SyncState? Ignore? MaxChangesReturned SyncScope?",
    "ItemShape": "BaseShape IncludeMimeContent? BodyType? UniqueBodyType? NormalizedBodyType? FilterHtmlContent? "
    "ConvertHtmlCodePageToUTF8? InlineImageUrlTemplate? BlockExternalImages? AddBlankTargetToLinks? "
    "MaximumBodySize? AdditionalProperties?",
    "IncludeMimeContent": "#true|false|1|0",
    "BodyType": "#Best|HTML|Text",
    "Ignore": "ItemId*",
    "MaxChangesReturned": "#",
    "SyncScope": "#NormalItems|NormalAndAssociatedItems",
    "FindItem": "ItemShape (IndexedPageItemView|FractionalPageItemView|SeekToConditionPageItemView|CalendarView|"
    "ContactsView)? "
    "(GroupBy|DistinguishedGroupBy)? Restriction? SortOrder? ParentFolderIds QueryString?",
    "IndexedPageItemView": "",
    "FractionalPageItemView": "",
    "CalendarView": "",
    "ContactsView": "",
    "Restriction": SEARCHES,
    "And": SEARCHES + "+",
    "Or": SEARCHES + "+",
    "Not": SEARCHES,
    "Exists": PATHS,
    "Contains": PATHS + " Constant",
    "Excludes": PATHS + " Bitmask",
    "Constant": "",
    "Bitmask": "",
    "IsEqualTo": COMPARISON,
    "IsNotEqualTo": COMPARISON,
    "IsGreaterThan": COMPARISON,
    "IsGreaterThanOrEqualTo": COMPARISON,
    "IsLessThan": COMPARISON,
    "IsLessThanOrEqualTo": COMPARISON,
    "FieldURIOrConstant": either(["FieldURI", "IndexedFieldURI", "ExtendedFieldURI", "Constant"]),
    "SortOrder": "FieldOrder+",
    "FieldOrder": PATHS,
    "QueryString": "#",
    "GetItem": "ItemShape ItemIds",
    "ItemIds": ITEM_REFS + "+",
    "GetAttachment": "AttachmentShape? AttachmentIds",
    "AttachmentIds": "AttachmentId+",
    "AttachmentId": "",
    "AttachmentShape": "IncludeMimeContent? BodyType? FilterHtmlContent? AdditionalProperties?",
    "Subscribe": "(PullSubscriptionRequest|PushSubscriptionRequest|StreamingSubscriptionRequest)",
    "PullSubscriptionRequest": "FolderIds? EventTypes Watermark? Timeout",
    "PushSubscriptionRequest": "FolderIds? EventTypes Watermark? StatusFrequency URL CallerData?",
    "StreamingSubscriptionRequest": "FolderIds? EventTypes",
    "EventTypes": "EventType+",
    "EventType": "#NewMailEvent|CreatedEvent|DeletedEvent|ModifiedEvent|MovedEvent|CopiedEvent|FreeBusyChangedEvent",
    "GetStreamingEvents": "SubscriptionIds ConnectionTimeout",
    "SubscriptionIds": "SubscriptionId+",
    "SubscriptionId": "#",
    "ConnectionTimeout": "#",
    "GetEvents": "SubscriptionId Watermark",
    "Unsubscribe": "SubscriptionId",
    "Watermark": "#",
    "ResolveNames": "ParentFolderIds? UnresolvedEntry",
    "UnresolvedEntry": "#",
    "ConvertId": "SourceIds",
    "GetServiceConfiguration": "ActingAs? RequestedConfiguration ConfigurationRequestDetails?",
    "ActingAs": "Name? EmailAddress? RoutingType? MailboxType? ItemId? OriginalDisplayName?",
    "RequestedConfiguration": "ConfigurationName+",
    "ConfigurationName": "#MailTips|UnifiedMessagingConfiguration|ProtectionRules|PolicyNudges|SharePointURLs",
    "SourceIds": "(AlternateId|AlternatePublicFolderId|AlternatePublicFolderItemId)+",
    "AlternateId": "",
    "GetServerTimeZones": "Ids?",
    "Ids": "Id*",
    "Id": "#",
    "GetUserConfiguration": "UserConfigurationName UserConfigurationProperties",
    "UserConfigurationProperties": "#",
    "UserConfigurationName": FOLDER_REFS + "?",
    "UpdateItem": "SavedItemFolderId? ItemChanges",
    "ItemChanges": "ItemChange+",
    "SavedItemFolderId": FOLDER_REFS,
    "ItemChange": ITEM_REFS + " Updates",
    "Updates": "(AppendToItemField|SetItemField|DeleteItemField)+",
    "SetItemField": PATHS + " " + either(ITEM_KINDS),
    "AppendToItemField": PATHS + " " + either(ITEM_KINDS),
    "DeleteItemField": PATHS,
    "CreateItem": "SavedItemFolderId? Items",
    "Items": either(ITEM_KINDS) + "+",
    "Item": optional(ITEM_ORDER),
    "Message": optional(MESSAGE_ORDER),
    "MeetingRequest": "...",
    "CalendarItem": "...",
    "Contact": "...",
    "Task": "...",
    "PostItem": "...",
    "ExtendedProperty": "ExtendedFieldURI (Value|Values)",
    "Value": "#",
    "Values": "Value+",
    "Categories": "String*",
    "String": "#",
    "ToRecipients": "Mailbox*",
    "CcRecipients": "Mailbox*",
    "BccRecipients": "Mailbox*",
    "ReplyTo": "Mailbox*",
    "From": "Mailbox",
    "Sender": "Mailbox",
    "Flag": "FlagStatus StartDate? DueDate? CompleteDate?",
    "FlagStatus": "#NotFlagged|Flagged|Complete",
    "IsRead": "#true|false|1|0",
    "MimeContent": "#",
    "Body": "#",
    "Subject": "#",
    "MoveItem": "ToFolderId ItemIds ReturnNewItemIds?",
    "CopyItem": "ToFolderId ItemIds ReturnNewItemIds?",
    "ToFolderId": FOLDER_REFS,
    "DeleteItem": "ItemIds",
    "SendItem": "ItemIds SavedItemFolderId?",
    "CreateFolder": "ParentFolderId Folders",
    "CreateFolder/ParentFolderId": FOLDER_REFS,
    "ParentFolderId": "",
    "Folders": either(FOLDER_KINDS) + "+",
    "Folder": optional(FOLDER_ORDER),
    "DisplayName": "#",
    "UpdateFolder": "FolderChanges",
    "FolderChanges": "FolderChange+",
    "FolderChange": FOLDER_REFS + " Updates",
    "FolderChange/Updates": "(AppendToFolderField|SetFolderField|DeleteFolderField)+",
    "SetFolderField": PATHS + " " + either(FOLDER_KINDS),
    "DeleteFolderField": PATHS,
    "MoveFolder": "ToFolderId FolderIds",
    "CopyFolder": "ToFolderId FolderIds",
    "DeleteFolder": "FolderIds",
    "EmptyFolder": "FolderIds",
    "MarkAllItemsAsRead": "ReadFlag SuppressReadReceipts FolderIds",
    "GetUserAvailabilityRequest": "...",
    "GetUserOofSettingsRequest": "...",
    "FindPeople": "...",
}
BOOL = "true|false|1|0"
DISPOSAL = "HardDelete|SoftDelete|MoveToDeletedItems"
DISPOSITION = "SaveOnly|SendOnly|SendAndSaveCopy"
# element -> {attribute: (required, words or None)}
ATTRIBUTES = {
    "FolderId": {"Id": (True, None), "ChangeKey": (False, None)},
    "ItemId": {"Id": (True, None), "ChangeKey": (False, None)},
    "DistinguishedFolderId": {"Id": (True, "|".join(DISTINGUISHED)), "ChangeKey": (False, None)},
    "FieldURI": {"FieldURI": (True, None)},
    "IndexedFieldURI": {"FieldURI": (True, None), "FieldIndex": (True, None)},
    "ExtendedFieldURI": {
        n: (n == "PropertyType", None)
        for n in (
            "DistinguishedPropertySetId",
            "PropertySetId",
            "PropertyTag",
            "PropertyName",
            "PropertyId",
            "PropertyType",
        )
    },
    "FindFolder": {"Traversal": (True, "Shallow|Deep|SoftDeleted")},
    "FindItem": {"Traversal": (True, "Shallow|SoftDeleted|Associated")},
    "IndexedPageItemView": {
        "MaxEntriesReturned": (False, None),
        "Offset": (True, None),
        "BasePoint": (True, "Beginning|End"),
    },
    "IndexedPageFolderView": {
        "MaxEntriesReturned": (False, None),
        "Offset": (True, None),
        "BasePoint": (True, "Beginning|End"),
    },
    "FieldOrder": {"Order": (True, "Ascending|Descending")},
    "Constant": {"Value": (True, None)},
    "Contains": {
        "ContainmentMode": (False, "FullString|Prefixed|Substring|PrefixOnWords|ExactPhrase"),
        "ContainmentComparison": (
            False,
            "Exact|IgnoreCase|IgnoreNonSpacingCharacters|Loose|LooseAndIgnoreCase|"
            "IgnoreCaseAndNonSpacingCharacters|LooseAndIgnoreNonSpace|"
            "LooseAndIgnoreCaseAndIgnoreNonSpace",
        ),
    },
    "UpdateItem": {
        "ConflictResolution": (True, "NeverOverwrite|AutoResolve|AlwaysOverwrite"),
        "MessageDisposition": (False, DISPOSITION),
        "SuppressReadReceipts": (False, BOOL),
        "SendMeetingInvitationsOrCancellations": (
            False,
            "SendToNone|SendOnlyToAll|SendOnlyToChanged|" "SendToAllAndSaveCopy|SendToChangedAndSaveCopy",
        ),
    },
    "CreateItem": {
        "MessageDisposition": (False, DISPOSITION),
        "SendMeetingInvitations": (False, "SendToNone|SendOnlyToAll|SendToAllAndSaveCopy"),
    },
    "DeleteItem": {
        "DeleteType": (True, DISPOSAL),
        "SuppressReadReceipts": (False, BOOL),
        "SendMeetingCancellations": (False, "SendToNone|SendOnlyToAll|SendToAllAndSaveCopy"),
        "AffectedTaskOccurrences": (False, "AllOccurrences|SpecifiedOccurrenceOnly"),
    },
    "SendItem": {"SaveItemToFolder": (True, BOOL)},
    "DeleteFolder": {"DeleteType": (True, DISPOSAL)},
    "EmptyFolder": {"DeleteType": (True, DISPOSAL), "DeleteSubFolders": (True, BOOL)},
    "ConvertId": {"DestinationFormat": (True, "EwsLegacyId|EwsId|EntryId|HexEntryId|StoreId|OwaId")},
    "ResolveNames": {
        "ReturnFullContactData": (True, BOOL),
        "SearchScope": (False, None),
        "ContactDataShape": (False, None),
    },
}
CLOSED = {
    "GetFolder",
    "GetItem",
    "SyncFolderItems",
    "SyncFolderHierarchy",
    "MoveItem",
    "CopyItem",
    "GetStreamingEvents",
    "GetEvents",
    "Unsubscribe",
    "MoveFolder",
    "CreateFolder",
    "UpdateFolder",
    "ItemShape",
    "FolderShape",
    "ItemIds",
}
RANGES = {"MaxChangesReturned": (1, 512), "ConnectionTimeout": (1, 30), "Timeout": (1, 1440)}


@functools.lru_cache(maxsize=None)
def pattern(content):
    return re.compile(re.sub(r"\w+", lambda m: f"(?:{m.group()};)", content).replace(" ", ""))


def violation(element, text):
    return EwsError(
        "ErrorSchemaValidation",
        "The request failed schema validation: " + text,
        fault=True,
        values={"LineNumber": element.sourceline or 1, "LinePosition": 1, "Violation": text},
    )


def local(element):
    return etree.QName(element).localname


def check(operation):
    """Raises EwsError for an operation element that breaks the tables."""
    stack = [(operation, None, 0)]
    while stack:
        element, parent, depth = stack.pop()
        children = check_element(element, parent, depth)
        stack += [(child, local(element), depth + 1) for child in children]


def check_element(element, parent, depth):
    name = local(element)
    if etree.QName(element).namespace != (M if depth <= 1 or name == "ConfigurationName" else T):
        raise violation(element, f"The element '{name}' is in namespace '{etree.QName(element).namespace}'.")
    content = CONTENT.get(f"{parent}/{name}", CONTENT.get(name, "..."))
    check_attributes(element, name)
    children = [c for c in element if isinstance(c.tag, str)]
    if content == "...":
        return []
    if content.startswith("#"):
        check_text(element, name, content[1:], children)
        return []
    if any(text and text.strip() for text in [element.text] + [c.tail for c in children]):
        raise violation(element, f"The element '{name}' cannot contain text.")
    names = "".join(local(c) + ";" for c in children)
    if not pattern(content).fullmatch(names):
        found = next((local(c) for c in children), "nothing")
        raise violation(
            element,
            f"The element '{name}' has invalid or incomplete content ({names or found}). " f"Expected: {content[:300]}",
        )
    return children


def check_text(element, name, words, children):
    if children:
        raise violation(element, f"The element '{name}' cannot contain child elements.")
    text = (element.text or "").strip()
    if words and text not in words.split("|"):
        raise violation(element, f"The '{name}' element is invalid - The value '{text}' is not one of {words}.")
    if name in RANGES:
        low, high = RANGES[name]
        if not text.isdigit() or not low <= int(text) <= high:
            raise violation(element, f"The '{name}' element is invalid - The value '{text}' is not in {low}..{high}.")


def check_attributes(element, name):
    known = ATTRIBUTES.get(name)
    if known is None:
        if name in CLOSED and element.attrib:
            raise violation(element, f"The attribute '{element.keys()[0]}' is not declared.")
        return
    for key, value in element.attrib.items():
        if key not in known:
            raise violation(element, f"The '{key}' attribute is not declared.")
        words = known[key][1]
        if words and value not in words.split("|"):
            raise violation(
                element, f"The '{key}' attribute is invalid - The value '{value}' is not one of those allowed."
            )
    for key, (required, _) in known.items():
        if required and key not in element.attrib:
            raise violation(element, f"The required attribute '{key}' is missing.")


class Microsoft:
    """The XSD of Microsoft, when EXCHANGE_SCHEMA_DIR names it."""

    def __init__(self):
        folder = os.environ.get("EXCHANGE_SCHEMA_DIR")
        self.schema = None
        if folder and os.path.exists(os.path.join(folder, "messages.xsd")):
            types = etree.parse(os.path.join(folder, "types.xsd"))
            xs = "{http://www.w3.org/2001/XMLSchema}"
            for simple in types.getroot().iter(xs + "simpleType"):
                if simple.get("name") == "DistinguishedFolderIdNameType":  # newer than the published schema
                    etree.SubElement(simple[-1], xs + "enumeration", value="archive")
            messages = etree.parse(os.path.join(folder, "messages.xsd"))
            for item in messages.getroot().iter(xs + "import"):
                item.set(
                    "schemaLocation",
                    "memory:types.xsd"
                    if "types" in item.get("schemaLocation")
                    else os.path.join(folder, item.get("schemaLocation")),
                )
            for item in types.getroot().iter(xs + "import"):
                if item.get("schemaLocation") and "://" not in item.get("schemaLocation"):
                    item.set("schemaLocation", os.path.join(folder, item.get("schemaLocation")))
            parser = etree.XMLParser()
            parser.resolvers.add(_Memory(etree.tostring(types)))
            self.schema = etree.XMLSchema(etree.fromstring(etree.tostring(messages), parser, base_url=folder + "/"))

    def errors(self, body_element):
        """None, or what is wrong with the element inside soap:Body."""
        if self.schema is None:
            return None
        copy = etree.fromstring(etree.tostring(body_element), etree.XMLParser(huge_tree=True))
        if self.schema.validate(copy):
            return None
        return "; ".join(f"line {e.line}: {e.message}" for e in list(self.schema.error_log)[:3])

    def response_errors(self, data):
        """Of a whole envelope as sent; character references that XML forbids are not counted."""
        if self.schema is None:
            return None
        root = etree.parse(io.BytesIO(data), etree.XMLParser(recover=True, huge_tree=True)).getroot()
        body = root.find(f"{{{SOAP}}}Body")
        child = body[0] if body is not None and len(body) else None
        if child is None or child.tag == f"{{{SOAP}}}Fault":
            return None
        for name in (
            "Notifications",
            "ErrorSubscriptionIds",
        ):  # real servers put their children into M, the schema into T
            for holder in child.iter(f"{{{M}}}{name}"):
                for entry in holder:
                    entry.tag = f"{{{T}}}{local(entry)}"
        return self.errors(child)


class _Memory(etree.Resolver):
    def __init__(self, types):
        super().__init__()
        self.types = types

    def resolve(self, url, public_id, context):
        return self.resolve_string(self.types, context) if url.endswith("memory:types.xsd") else None
