# SPDX-License-Identifier: Apache-2.0
"""The EWS half is strict: what a real server refuses, it refuses."""
import base64

import pytest
from lxml import etree

import ews_schema
from ewsclient import NS, Client
from standin import Standin

SHAPE = "<m:ItemShape><t:BaseShape>IdOnly</t:BaseShape></m:ItemShape>"
INBOX = '<t:DistinguishedFolderId Id="inbox"/>'
FOLDER_SHAPE = "<m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape>"


@pytest.fixture(scope="module")
def exchange():
    with Standin("--corpus", 60) as server:
        yield server


@pytest.fixture
def client(exchange):
    exchange.reset()
    exchange.options(version="2016")
    return Client(exchange)


def get_folder(inner=f"{FOLDER_SHAPE}<m:FolderIds>{INBOX}</m:FolderIds>"):
    return f"<m:GetFolder>{inner}</m:GetFolder>"


def test_a_good_request(client, exchange):
    answer = client.post(get_folder())
    assert answer.status == 200 and answer.codes == ["NoError"]
    assert answer.text(".//t:TotalCount") == "60"
    info = answer.find(".//t:ServerVersionInfo")
    assert info.get("MajorVersion") == "15" and info.get("Version").startswith("V2")
    assert exchange.violations() == []


def test_without_credentials(exchange):
    for auth in (None, "Basic bm9ib2R5Om5vdGhpbmc=", "Basic ???", "Bearer abc"):
        answer = Client(exchange, auth).post(get_folder())
        assert answer.status == 401 and answer.data == b""
        assert answer.headers.get_all("WWW-Authenticate") == ["Negotiate", "NTLM", 'Basic realm="standin.example.com"']


WRONG = {
    "order": f"<m:FolderIds>{INBOX}</m:FolderIds>{FOLDER_SHAPE}",
    "no ids": f"{FOLDER_SHAPE}<m:FolderIds/>",
    "unknown child": f"{FOLDER_SHAPE}<m:FolderIds>{INBOX}</m:FolderIds><m:More/>",
    "unknown folder name": f'{FOLDER_SHAPE}<m:FolderIds><t:DistinguishedFolderId Id="in-box"/></m:FolderIds>',
    "missing attribute": f"{FOLDER_SHAPE}<m:FolderIds><t:DistinguishedFolderId/></m:FolderIds>",
    "unknown attribute": f'{FOLDER_SHAPE}<m:FolderIds><t:DistinguishedFolderId Id="inbox" Color="red"/></m:FolderIds>',
    "wrong namespace": f"{FOLDER_SHAPE}<m:FolderIds><m:DistinguishedFolderId Id='inbox'/></m:FolderIds>",
    "bad shape": "<m:FolderShape><t:BaseShape>Everything</t:BaseShape></m:FolderShape>"
    f"<m:FolderIds>{INBOX}</m:FolderIds>",
    "text inside": f"{FOLDER_SHAPE}<m:FolderIds>inbox{INBOX}</m:FolderIds>",
    "bad field": "<m:FolderShape><t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties><t:FieldURI/>"
    "</t:AdditionalProperties>"
    f"</m:FolderShape><m:FolderIds>{INBOX}</m:FolderIds>",
}


@pytest.mark.parametrize("name", WRONG)
def test_schema_violations(client, exchange, name):
    answer = client.post(get_folder(WRONG[name]))
    assert answer.status == 500 and answer.fault == "ErrorSchemaValidation"
    assert answer.text(".//t:Violation") and int(answer.text(".//t:LineNumber")) >= 1
    assert len(exchange.violations()) == 1


@pytest.mark.parametrize(
    "body",
    [
        f"<m:SyncFolderItems>{SHAPE}<m:SyncFolderId>{INBOX}</m:SyncFolderId>"
        "<m:MaxChangesReturned>513</m:MaxChangesReturned>"
        "</m:SyncFolderItems>",
        f"<m:SyncFolderItems>{SHAPE}<m:SyncFolderId>{INBOX}</m:SyncFolderId>"
        "<m:MaxChangesReturned>0</m:MaxChangesReturned>"
        "</m:SyncFolderItems>",
        f"<m:SyncFolderItems>{SHAPE}<m:SyncFolderId>{INBOX}</m:SyncFolderId>"
        "<m:MaxChangesReturned>5</m:MaxChangesReturned>"
        "<m:SyncState>x</m:SyncState></m:SyncFolderItems>",
        "<m:GetStreamingEvents><m:SubscriptionIds><t:SubscriptionId>x</t:SubscriptionId></m:SubscriptionIds>"
        "<m:ConnectionTimeout>31</m:ConnectionTimeout></m:GetStreamingEvents>",
        f"<m:FindItem>{SHAPE}<m:ParentFolderIds>{INBOX}</m:ParentFolderIds></m:FindItem>",
        f'<m:FindItem Traversal="Deep">{SHAPE}<m:ParentFolderIds>{INBOX}</m:ParentFolderIds></m:FindItem>',
        '<m:GetItem><m:ItemShape><t:IncludeMimeContent>true</t:IncludeMimeContent><t:BaseShape>IdOnly</t:BaseShape>'
        '</m:ItemShape>'
        '<m:ItemIds><t:ItemId Id="x"/></m:ItemIds></m:GetItem>',
        '<m:DeleteItem><m:ItemIds><t:ItemId Id="x"/></m:ItemIds></m:DeleteItem>',
        '<m:CreateItem MessageDisposition="SaveOnly"><m:Items><t:Message><t:IsRead>true</t:IsRead>'
        '<t:Subject>a</t:Subject>'
        "</t:Message></m:Items></m:CreateItem>",
        "<m:Nonsense/>",
    ],
)
def test_more_schema_violations(client, body):
    answer = client.post(body)
    assert answer.status == 500 and answer.fault == "ErrorSchemaValidation", answer.data


@pytest.mark.parametrize(
    "data",
    [
        "",
        "hello",
        "<a",
        "<a/>",
        "<!DOCTYPE x []><s:Envelope xmlns:s="
        '"http://schemas.xmlsoap.org/soap/envelope/"><s:Body><a/></s:Body></s:Envelope>',
    ],
)
def test_unreadable_bodies(client, data):
    assert client.raw(data).status == 400


def test_http_rules(client, exchange):
    assert client.raw("<a/>", Content_Type="application/json").status == 400
    assert client.raw("", method="GET").status == 302
    assert client.raw("", path="/nothing").status == 404
    # The head alone: the server answers and closes without waiting for chunks.
    connection = client.connection
    connection.putrequest("POST", "/EWS/Exchange.asmx")
    connection.putheader("Authorization", client.auth)
    connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    assert connection.getresponse().status == 411


VERSIONS = [
    ("2010_SP2", "Exchange2010_SP2", True),
    ("2010_SP2", "Exchange2013", False),
    ("2010_SP2", None, True),
    ("2013", "Exchange2013", True),
    ("2013", "Exchange2013_SP1", False),
    ("2013_SP1", "Exchange2013_SP1", True),
    ("2016", "Exchange2016", True),
    ("2016", "V2_23", False),
    ("2016", "Exchange2099", False),
]


@pytest.mark.parametrize("server,asked,accepted", VERSIONS)
def test_versions(client, exchange, server, asked, accepted):
    exchange.options(version=server)
    answer = client.post(get_folder(), version=asked)
    if accepted:
        assert answer.codes == ["NoError"]
    else:
        assert answer.status == 500 and answer.fault == "ErrorInvalidServerVersion"
    major = answer.find(".//t:ServerVersionInfo").get("MajorVersion")
    assert major == ("14" if server.startswith("2010") else "15")


def test_properties_newer_than_the_request(client):
    ids = client.sync(limit=1).ids()
    extra = '<t:AdditionalProperties><t:FieldURI FieldURI="item:Flag"/></t:AdditionalProperties>'
    assert client.items(ids, extra=extra).find(".//t:FlagStatus") is not None
    answer = client.items(ids, extra=extra, version="Exchange2010_SP2")
    assert answer.status == 500 and answer.fault == "ErrorInvalidPropertyRequest"


def test_item_ids(client, exchange):
    good = client.sync(limit=1).ids()[0]
    swapped = good[:-20] + good[-20:].swapcase()
    folder = client.post(get_folder()).ids("FolderId")[0]
    answer = client.items([good, swapped, "rubbish", good[:-4], folder, ""])
    assert answer.codes == [
        "NoError",
        "ErrorInvalidIdMalformed",
        "ErrorInvalidIdMalformed",
        "ErrorInvalidIdMalformed",
        "ErrorCannotUseFolderIdForItemId",
        "ErrorInvalidIdEmpty",
    ]
    gone = exchange.deliver(subject="Soon gone")[0]
    ident = client.sync(limit=1).ids()[0]
    exchange.change("delete", num=gone["num"])
    assert client.items([ident, good]).codes == ["ErrorItemNotFound", "NoError"]


def test_mime_is_what_was_delivered(client, exchange):
    ids = client.sync(limit=60).ids()
    answer = client.items(ids, mime=True)
    served = [base64.b64decode(e.text) for e in answer.all(".//t:MimeContent")]
    items = list(reversed(exchange.items()))
    assert served == [exchange.mime(i["num"]) for i in items]
    assert exchange.log()[-1]["detail"]["ids"] == len(ids)


def test_items_without_mime(client, exchange):
    made = exchange.deliver(subject="Odd", traits=["no-mime"]) + exchange.deliver(
        subject="Odder", traits=["mime-error"]
    )
    ids = client.sync(limit=2).ids()
    answer = client.items(ids, "AllProperties", mime=True)
    assert answer.codes == ["ErrorMimeContentConversionFailed", "NoError"]
    assert answer.find(".//t:MimeContent") is None and answer.text(".//t:Body").startswith("Hello.")
    exchange.change("delete", nums=[i["num"] for i in made])


def test_regenerated_mime(client, exchange):
    ids = client.sync(limit=20).ids()
    plain = [e.text for e in client.items(ids, mime=True).all(".//t:MimeContent")]
    exchange.options(regenerate_mime=True)
    first = [e.text for e in client.items(ids, mime=True).all(".//t:MimeContent")]
    assert first == [e.text for e in client.items(ids, mime=True).all(".//t:MimeContent")]
    assert all(b"X-MS-Exchange-Organization" in base64.b64decode(t) for t in first) and first != plain
    exchange.options(volatile_mime=True)
    assert first != [e.text for e in client.items(ids, mime=True).all(".//t:MimeContent")]
    exchange.options(regenerate_mime=False, volatile_mime=False)


def test_control_characters(client, exchange):
    item = exchange.deliver(subject="Controls", traits=["control-chars"])[0]
    ident = client.sync(limit=1).ids()[0]
    data = client.items([ident], "Default").data
    assert b"<t:Subject>&#x1A;Controls&#xB;&#x0;</t:Subject>" in data
    with pytest.raises(etree.XMLSyntaxError):
        etree.fromstring(data)
    exchange.options(raw_control_chars=False)
    assert b"<t:Subject>Controls</t:Subject>" in client.items([ident], "Default").data
    exchange.options(raw_control_chars=True)
    exchange.change("delete", num=item["num"])


def test_extended_properties_come_back_in_their_own_spelling(client):
    ids = client.sync(limit=1).ids()
    extra = (
        '<t:AdditionalProperties><t:ExtendedFieldURI PropertyTag="0x0E07" PropertyType="Integer"/>'
        '<t:ExtendedFieldURI PropertyTag="125" PropertyType="String"/><t:ExtendedFieldURI PropertyTag="0x0E08" '
        'PropertyType="String"/></t:AdditionalProperties>'
    )
    answer = client.items(ids, extra=extra)
    assert [e.get("PropertyTag") for e in answer.all(".//t:ExtendedFieldURI")] == ["0xe07", "0x7d"]
    assert "Message-ID:" in answer.all(".//t:ExtendedProperty/t:Value")[1].text


def test_find_item_pages_and_cap(client, exchange):
    exchange.options(find_cap=7)

    def find(view="", restriction=""):
        return client.post(
            f'<m:FindItem Traversal="Shallow">{SHAPE}{view}{restriction}<m:ParentFolderIds>{INBOX}'
            "</m:ParentFolderIds></m:FindItem>"
        )

    view = '<m:IndexedPageItemView MaxEntriesReturned="25" Offset="{}" BasePoint="Beginning"/>'
    seen, offset, last = [], 0, "false"
    while last == "false":
        answer = find(view.format(offset))
        seen += answer.ids()
        root = answer.find(".//m:RootFolder")
        offset, last = int(root.get("IndexedPagingOffset")), root.get("IncludesLastItemInRange")
    assert len(seen) == len(set(seen)) == 60
    all_of_them = (
        '<m:Restriction><t:IsGreaterThan><t:FieldURI FieldURI="item:Size"/><t:FieldURIOrConstant>'
        '<t:Constant Value="1"/></t:FieldURIOrConstant></t:IsGreaterThan></m:Restriction>'
    )
    assert len(find(restriction=all_of_them).ids()) == 7
    exchange.options(find_cap=250)


def test_folder_ids_survive_and_item_ids_do_not(client, exchange):
    made = exchange.folder("create", name="Wandering", parent="inbox")
    before = client.post(get_folder(f"{FOLDER_SHAPE}<m:FolderIds>{INBOX}</m:FolderIds>")).ids("FolderId")
    exchange.folder("rename", folder=made["num"], name="Wandered")
    exchange.folder("move", folder=made["num"], parent="msgfolderroot")
    found = client.post(
        f'<m:FindFolder Traversal="Shallow">{FOLDER_SHAPE}<m:ParentFolderIds><t:DistinguishedFolderId '
        'Id="msgfolderroot"/></m:ParentFolderIds></m:FindFolder>'
    )
    names = dict(zip([e.text for e in found.all(".//t:DisplayName")], found.ids("FolderId")))
    assert names["Inbox"] == before[0] and "Wandered" in names
    item = exchange.deliver(subject="Moved about")[0]
    old = client.sync(limit=1).ids()[0]
    answer = client.post(
        f'<m:MoveItem><m:ToFolderId><t:FolderId Id="{names["Wandered"]}"/></m:ToFolderId><m:ItemIds>'
        f'<t:ItemId Id="{old}"/></m:ItemIds><m:ReturnNewItemIds>true</m:ReturnNewItemIds></m:MoveItem>'
    )
    new = answer.ids()[0]
    assert new != old and client.items([old, new]).codes == ["ErrorItemNotFound", "NoError"]
    assert exchange.items(made["num"])[0]["message_id"] == item["message_id"]


def test_update_rules(client, exchange):
    ident = client.sync(limit=1).ids()[0]
    item = exchange.items()[-1]

    def update(attributes, ref, inner):
        return client.post(
            f"<m:UpdateItem {attributes}><m:ItemChanges><t:ItemChange>{ref}<t:Updates>{inner}</t:Updates>"
            "</t:ItemChange></m:ItemChanges></m:UpdateItem>"
        )

    read = (
        '<t:SetItemField><t:FieldURI FieldURI="message:IsRead"/><t:Message><t:IsRead>{}</t:IsRead></t:Message>'
        "</t:SetItemField>"
    )
    wish = read.format("false" if item["read"] else "true")
    over = 'MessageDisposition="SaveOnly" ConflictResolution="AlwaysOverwrite"'
    bare = f'<t:ItemId Id="{ident}"/>'
    assert update('ConflictResolution="AlwaysOverwrite"', bare, wish).codes == ["ErrorMessageDispositionRequired"]
    assert update('MessageDisposition="SaveOnly" ConflictResolution="AutoResolve"', bare, wish).codes == [
        "ErrorChangeKeyRequired"
    ]
    key = client.items([ident]).find(".//t:ItemId").get("ChangeKey")
    assert update(over, bare, wish).codes == ["NoError"]
    assert exchange.items()[-1]["read"] is not item["read"]
    stale = f'<t:ItemId Id="{ident}" ChangeKey="{key}"/>'
    assert update('MessageDisposition="SaveOnly" ConflictResolution="AutoResolve"', stale, wish).codes == [
        "ErrorIrresolvableConflict"
    ]
    assert update(over, f'<t:ItemId Id="{ident}" ChangeKey="AAAA"/>', wish).codes == ["ErrorInvalidChangeKey"]
    mismatch = wish.replace("message:IsRead", "item:Subject")
    assert update(over, bare, mismatch).codes == ["ErrorUpdatePropertyMismatch"]
    draft = wish.replace("message:IsRead", "item:IsDraft").replace("IsRead>", "IsDraft>")
    assert update(over, bare, draft).codes == ["ErrorInvalidPropertySet"]
    empty = (
        '<t:SetItemField><t:FieldURI FieldURI="item:Categories"/><t:Message><t:Categories/>'
        '</t:Message></t:SetItemField>'
    )
    assert update(over, bare, empty).codes == ["ErrorInvalidPropertySet"]


def test_create_rules(client, exchange):
    def create(attributes, message, folder=""):
        return client.post(
            f"<m:CreateItem {attributes}>{folder}<m:Items><t:Message>{message}</t:Message></m:Items></m:CreateItem>"
        )

    raw = b"From: alice@example.com\nTo: bob@example.com\nSubject: Made\nMessage-ID: <made@x>\n\nBody\n"
    mime = f"<t:MimeContent>{base64.b64encode(raw).decode()}</t:MimeContent>"
    assert create("", mime).codes == ["ErrorMessageDispositionRequired"]
    answer = create('MessageDisposition="SaveOnly"', mime)
    assert answer.codes == ["NoError"] and len(answer.ids()) == 1
    assert exchange.items("drafts")[-1]["draft"] and exchange.items("drafts")[-1]["message_id"] == "<made@x>"
    flags = (
        '<t:ExtendedProperty><t:ExtendedFieldURI PropertyTag="0x0E07" PropertyType="Integer"/><t:Value>0</t:Value>'
        "</t:ExtendedProperty>"
    )
    create('MessageDisposition="SaveOnly"', mime + flags, f"<m:SavedItemFolderId>{INBOX}</m:SavedItemFolderId>")
    kept = [i for i in exchange.items() if i["message_id"] == "<made@x>"]
    assert len(kept) == 1 and not kept[0]["draft"] and not kept[0]["read"]
    assert exchange.mime(kept[0]["num"]) == raw.replace(b"\n", b"\r\n")
    sent = create('MessageDisposition="SendAndSaveCopy"', mime)
    assert sent.codes == ["NoError"] and sent.ids() == []
    assert exchange.submissions()[-1]["recipients"] == ["bob@example.com"]
    other = base64.b64encode(raw.replace(b"alice@", b"mallory@")).decode()
    assert create('MessageDisposition="SendOnly"', f"<t:MimeContent>{other}</t:MimeContent>").codes == [
        "ErrorSendAsDenied"
    ]


def test_limit_for_sending(client, exchange):
    """Of the one who acts, who has to be named, and be somebody."""
    def ask(acting, name="<m:ConfigurationName>MailTips</m:ConfigurationName>"):
        return client.post(f"<m:GetServiceConfiguration>{acting}<m:RequestedConfiguration>{name}</m:RequestedConfiguration>"
                           "</m:GetServiceConfiguration>")

    def actor(address="alice@example.com", routing="<t:RoutingType>SMTP</t:RoutingType>"):
        return f"<m:ActingAs><t:EmailAddress>{address}</t:EmailAddress>{routing}</m:ActingAs>"

    limit = ".//m:ServiceConfigurationResponseMessageType/m:MailTipsConfiguration/t:MaxMessageSize"
    assert ask(actor()).text(limit) == str(0x7FFFFFFF)
    exchange.options(max_send_kb=10240)
    assert ask(actor()).text(limit) == str(10240 * 1024)
    for acting in ("", actor(routing=""), actor("nobody@example.com")):
        assert ask(acting).fault == "ErrorInvalidArgument"
    assert exchange.violations() == []
    assert ask(actor(), "<t:ConfigurationName>MailTips</t:ConfigurationName>").fault == "ErrorSchemaValidation"
    assert ask(actor(), "<m:ConfigurationName>Tips</m:ConfigurationName>").fault == "ErrorSchemaValidation"
    exchange.options(max_send_kb=0)


def test_foreign_mailboxes(client):
    def ask(address):
        return client.post(
            get_folder(
                f'{FOLDER_SHAPE}<m:FolderIds><t:DistinguishedFolderId Id="inbox"><t:Mailbox>'
                f"<t:EmailAddress>{address}</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId>"
                "</m:FolderIds>"
            )
        ).codes

    assert ask("alice@example.com") == ["NoError"]
    assert ask("nobody@example.com") == ["ErrorNonExistentMailbox"]


if ews_schema.Microsoft().schema is not None:

    def test_our_tables_agree_with_the_published_schema():
        import os

        types = etree.parse(os.path.join(os.environ["EXCHANGE_SCHEMA_DIR"], "types.xsd"))
        xs = {"xs": "http://www.w3.org/2001/XMLSchema"}

        def children(name):
            return [e.get("name") for e in types.findall(f"xs:complexType[@name='{name}']//xs:sequence/xs:element", xs)]

        item = children("ItemType")
        assert [n for n in item if n in ews_schema.ITEM_ORDER] == ews_schema.ITEM_ORDER
        message = children("MessageType")
        own = ews_schema.MESSAGE_ORDER[len(ews_schema.ITEM_ORDER) :]
        assert [n for n in message if n in own] == own
        folder = children("BaseFolderType") + children("FolderType")
        assert [n for n in folder if n in ews_schema.FOLDER_ORDER] == ews_schema.FOLDER_ORDER
        assert NS["t"] == types.getroot().get("targetNamespace")
