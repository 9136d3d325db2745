# SPDX-License-Identifier: Apache-2.0
"""The Python WBXML codec: round trips, strictness, and libwbxml2's command line tools as the independent judge.

libwbxml2 0.11 knows pages 0 to 24 up to protocol 16.0 and names some tags otherwise than MS-ASWBXML; RENAMED maps them.
"""

import base64
import os
import random
import subprocess
import sys

import pytest
from lxml import etree

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import wbxml
from wbxml import E, El, WbxmlError, decode, encode


needs_oracle = pytest.mark.usefixtures("oracle")

# Tags newer than the library.
UNKNOWN_TO_LIBRARY = {
    ("MeetingResponse", "ProposedStartTime"),
    ("MeetingResponse", "ProposedEndTime"),
    ("Provision", "AccountOnlyRemoteWipe"),
}


def oracle_names(page):
    """What wbxml2xml calls each tag of a page, in token order, found by decoding a document made of raw tokens."""
    tokens = sorted(t for (p, t) in wbxml.NAMES if p == page)
    switch = bytes((0, page)) if page else b""
    raw = wbxml.HEADER + b"\x45" + switch + bytes(tokens) + b"\x01"
    done = subprocess.run(
        ["wbxml2xml", "-m", "0", "-l", "ACTIVESYNC", "-o", "-", "-"], input=raw, capture_output=True, check=True
    )
    xml = done.stdout[done.stdout.index(b"<Sync") :]
    names = [etree.QName(e).localname for e in etree.fromstring(xml)]
    assert len(names) == len(tokens)
    return dict(zip(tokens, names))


# Names that differ: ours=theirs, by namespace.
RENAMED = {
    "Contacts": """
        AssistantPhoneNumber=AssistantTelephoneNumber BusinessAddressCity=BusinessCity
        BusinessAddressCountry=BusinessCountry BusinessAddressPostalCode=BusinessPostalCode
        BusinessAddressState=BusinessState BusinessAddressStreet=BusinessStreet HomeAddressCity=HomeCity
        HomeAddressCountry=HomeCountry HomeAddressPostalCode=HomePostalCode HomeAddressState=HomeState
        HomeAddressStreet=HomeStreet OtherAddressCity=OtherCity OtherAddressCountry=OtherCountry
        OtherAddressPostalCode=OtherPostalCode OtherAddressState=OtherState OtherAddressStreet=OtherStreet
    """,
    "Email": """
        ReplyTo=Reply-To DtStamp=DTStamp Type=Recurrence_Type Until=Recurrence_Until
        Occurrences=Recurrence_Occurrences Interval=Recurrence_Interval DayOfWeek=Recurrence_DayOfWeek
        DayOfMonth=Recurrence_DayOfMonth WeekOfMonth=Recurrence_WeekOfMonth MonthOfYear=Recurrence_MonthOfYear
        Status=FlagStatus
    """,
    "Calendar": """
        Timezone=TimeZone Email=Attendee_Email Name=Attendee_Name DtStamp=DTStamp Deleted=Exception_Deleted
        ExceptionStartTime=Exception_StartTime OrganizerEmail=Organizer_Email OrganizerName=Organizer_Name
        Type=Recurrence_Type Until=Recurrence_Until Occurrences=Recurrence_Occurrences
        Interval=Recurrence_Interval DayOfWeek=Recurrence_DayOfWeek DayOfMonth=Recurrence_DayOfMonth
        WeekOfMonth=Recurrence_WeekOfMonth MonthOfYear=Recurrence_MonthOfYear AttendeeStatus=Attendee_Status
        AttendeeType=Attendee_Type
    """,
    "Tasks": """
        UtcDueDate=UTCDueDate Type=Recurrence_Type Start=Recurrence_Start Until=Recurrence_Until
        Occurrences=Recurrence_Occurrences Interval=Recurrence_Interval DayOfMonth=Recurrence_DayOfMonth
        DayOfWeek=Recurrence_DayOfWeek WeekOfMonth=Recurrence_WeekOfMonth MonthOfYear=Recurrence_MonthOfYear
        Regenerate=Recurrence_Regenerate DeadOccur=Recurrence_DeadOccur UtcStartDate=UTCStartDate
    """,
    "Provision": """
        RequireStorageCardEncryption=DeviceEncryptionEnabled
    """,
    "Settings": """
        SMTPAddress=SmtpAddress RightsManagementInformation=ihsManagementInformation
    """,
    "ComposeMail": """
        Mime=MIME Name=ForwardeeName Email=ForwardeeEmail
    """,
    "RightsManagement": """
        Owner=RMOwner RemoveRightsManagementProtection=RemoveRightsManagementDistribution
    """,
}


def library_name(ns, tag):
    pairs = dict(pair.split("=") for pair in RENAMED.get(ns, "").split())
    return "unknown" if (ns, tag) in UNKNOWN_TO_LIBRARY else pairs.get(tag, tag)


@needs_oracle
@pytest.mark.parametrize("page", [p for p, _, _ in wbxml.PAGES if p <= 24])
def test_table_agrees_with_libwbxml2(page):
    for token, theirs in oracle_names(page).items():
        assert library_name(*wbxml.NAMES[page, token]) == theirs


def random_tree(rng, depth=0):
    ns, tag = rng.choice([n for n in wbxml.TOKENS if wbxml.TOKENS[n][0] <= 24 and n not in UNKNOWN_TO_LIBRARY])
    element = El(ns, tag)
    if depth < 5 and rng.random() < 0.7:
        element.children = [random_tree(rng, depth + 1) for _ in range(rng.randint(1, 5))]
    elif rng.random() < 0.8:
        element.children = ["".join(rng.choice("ab Zü€𝄞<&>'") for _ in range(rng.randint(1, 20))).strip() or "x"]
    return element


def assert_same_as_xml(element, node):
    assert library_name(element.ns, element.tag) == etree.QName(node).localname
    children = element.elements
    assert len(children) == len(node)
    if not children:
        # The eight tags it knows as binary come out as base64.
        assert (node.text or "") in (element.text, base64.b64encode(element.bytes).decode())
    for child, below in zip(children, node):
        assert_same_as_xml(child, below)


@needs_oracle
@pytest.mark.parametrize("seed", range(20))
def test_random_documents_read_the_same_by_libwbxml2(seed):
    tree = random_tree(random.Random(seed))
    done = subprocess.run(
        ["wbxml2xml", "-m", "2", "-k", "-l", "ACTIVESYNC", "-o", "-", "-"],
        input=encode(tree),
        capture_output=True,
        check=True,
    )
    # The library writes two namespace declarations of one name in places; only names and text are compared.
    xml = etree.fromstring(done.stdout, etree.XMLParser(recover=True, load_dtd=False))
    assert_same_as_xml(tree, xml)


ORACLE_REQUESTS = [
    (
        "<FolderSync xmlns='FolderHierarchy:'><SyncKey>0</SyncKey></FolderSync>",
        E("FolderHierarchy:FolderSync", E("SyncKey", "0")),
    ),
    (
        "<Sync xmlns='AirSync:'><Collections><Collection><SyncKey>17</SyncKey><CollectionId>5</CollectionId>"
        "<GetChanges/><Options><BodyPreference xmlns='AirSyncBase:'><Type>4</Type></BodyPreference>"
        "<MIMESupport>2</MIMESupport></Options></Collection></Collections></Sync>",
        E(
            "AirSync:Sync",
            E(
                "Collections",
                E(
                    "Collection",
                    E("SyncKey", "17"),
                    E("CollectionId", "5"),
                    E("GetChanges"),
                    E("Options", E("AirSyncBase:BodyPreference", E("Type", "4")), E("MIMESupport", "2")),
                ),
            ),
        ),
    ),
]


@needs_oracle
@pytest.mark.parametrize("xml,tree", ORACLE_REQUESTS)
def test_documents_made_by_libwbxml2_decode_to_the_same_tree(xml, tree, tmp_path):
    source = tmp_path / "in.xml"
    doctype = '<!DOCTYPE ActiveSync PUBLIC "-//MICROSOFT//DTD ActiveSync//EN" "http://www.microsoft.com/">'
    source.write_text(f'<?xml version="1.0" encoding="utf-8"?>\n{doctype}\n{xml}')
    done = subprocess.run(["xml2wbxml", "-a", "-n", "-o", "-", source], capture_output=True, check=True)
    assert decode(done.stdout) == tree
    assert encode(tree) == done.stdout


def test_every_tag_round_trips():
    for (ns, tag), (page, token) in wbxml.TOKENS.items():
        tree = El(ns, tag, [El(ns, tag, ["x"]), El("AirSync", "Sync")])
        data = encode(tree)
        assert decode(data) == tree
        assert data[4:7] == (bytes((0, page, token | 0x40)) if page else data[4:7])


def test_example_bytes():
    # MS-ASWBXML 4.1 style: page switches only where the page changes, content bit only with content.
    collection = E("Collection", E("SyncKey", "0"), E("AirSyncBase:Body"), E("GetChanges"))
    tree = E("AirSync:Sync", E("Collections", collection))
    assert encode(tree) == wbxml.HEADER + bytes.fromhex("455c4f4b033000010011 0a 0000 13 01 01 01")


def test_raw_bytes_survive_in_strings_and_opaque():
    raw = bytes(range(1, 256))
    text = E("AirSyncBase:Data", raw.decode("utf-8", "surrogateescape"))
    assert decode(encode(text)).bytes == raw
    blob = E("ComposeMail:Mime", b"\0" + raw)
    back = decode(encode(blob))
    assert back.bytes == b"\0" + raw and back.opaque
    big = E("ComposeMail:Mime", b"x" * 300000)
    assert decode(encode(big)) == big


def test_paths():
    tree = E("AirSync:Sync", E("Collections", E("Collection", E("SyncKey", "1")), E("Collection", E("SyncKey", "2"))))
    assert [c.value("SyncKey") for c in tree.all("Collections/Collection")] == ["1", "2"]
    assert tree.value("Collections/Collection/SyncKey") == "1"
    assert tree.get("Nothing") is None and not tree.has("Collections/AirSync:Limit")
    assert tree.value("Nothing", "d") == "d"


def test_versions_of_tags():
    assert wbxml.known_in(E("AirSync:Sync", E("Wait", "5")), "12.1") is None
    assert wbxml.known_in(E("AirSync:Sync", E("HeartbeatInterval", "60")), "12.1") == "AirSync:HeartbeatInterval"
    assert wbxml.known_in(E("Provision:AccountOnlyRemoteWipe"), "16.0") == "Provision:AccountOnlyRemoteWipe"
    assert wbxml.known_in(E("Email:Location"), "16.0") == "Email:Location"


H = wbxml.HEADER
BAD = {
    "empty": b"",
    "other version": b"\x02\x01\x6a\x00\x05",
    "string table": b"\x03\x01\x6a\x02ab\x05",
    "html": b"<html>",
    "no root": H,
    "only a switch": H + b"\x00\x01",
    "END first": H + b"\x01",
    "open element": H + b"\x45",
    "open string": H + b"\x45\x03abc",
    "short opaque": H + b"\x45\xc3\x05abc\x01",
    "long length": H + b"\x45\xc3\xff\xff\xff\xff\xff\x01",
    "after the root": H + b"\x05\x05",
    "trailing byte": H + b"\x45\x03a\x00\x01\x00",
    "unknown tag": H + b"\x11",
    "unknown page": H + b"\x00\x1a\x05",
    "page without tags": H + b"\x00\x03\x05",
    "attributes": H + b"\xc5\x01\x01",
    "entity": H + b"\x45\x02\x20\x01",
    "literal": H + b"\x04\x00",
    "processing instruction": H + b"\x43\x01",
    "table string": H + b"\x45\x83\x00\x01",
    "text before element": H + b"\x45\x03a\x00\x05\x01",
    "element before text": H + b"\x45\x05\x03a\x00\x01",
    "text outside": H + b"\x03a\x00",
    "deep": H + b"\x45" * 65 + b"\x01" * 65,
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD.keys())
def test_bad_documents_are_rejected(data):
    with pytest.raises(WbxmlError):
        decode(data)


def test_every_cut_is_an_error():
    data = encode(E("AirSync:Sync", E("Status", "1"), E("AirSyncBase:Body", E("Data", b"abc"))))
    for end in range(len(data)):
        with pytest.raises(WbxmlError):
            decode(data[:end])


def test_the_encoder_refuses_what_the_wire_cannot_carry():
    with pytest.raises(WbxmlError):
        encode(E("AirSync:Status", "a\0b"))
    with pytest.raises(WbxmlError):
        E("AirSync:NoSuchTag")
    with pytest.raises(WbxmlError):
        E("AirSync:Sync", E("NoSuchTag"))


def test_many_siblings_take_linear_time():
    tree = E("AirSync:Commands", [E("Add") for _ in range(20000)])
    assert len(decode(encode(tree)).elements) == 20000
